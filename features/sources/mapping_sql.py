"""What may an expression of a mapping say, and what does it become in SQL?

Only values computed from the cells of the same row: columns that exist, constants, operators and the functions listed
here. No query, no file, no function outside the list. ``CAST`` and ``STRPTIME`` never round and never end the load:
where they cannot convert, the row is refused. ``TRY_CAST`` gives null instead, for those who ask for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from features.errors import ConfigError
from features.events import Column, Kind
from features.sources.cells import TEXT_CELLS, typed
from features.warehouse import Engine

LONGEST_EXPRESSION = 2000
"""Characters; a longer one is a program, and a program belongs into the source's export."""

_LANGUAGE = "duckdb"
_CASTS = {"VARCHAR": Kind.TEXT, "BIGINT": Kind.INTEGER, "DOUBLE": Kind.NUMBER, "BOOLEAN": Kind.FLAG, "DATE": Kind.DAY}
"""Types an expression may cast to; each is read as strictly as a cell of a file."""
_OPERATORS = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Paren, exp.DPipe),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like),
    *(exp.And, exp.Or, exp.Not, exp.Case, exp.If),
)
_FUNCTIONS = (
    *(exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Abs, exp.Floor, exp.Ceil, exp.Round),
    *(exp.Lower, exp.Upper, exp.Trim, exp.Substring, exp.Left, exp.Right, exp.Length, exp.Replace, exp.Concat),
    *(exp.SplitPart, exp.MD5, exp.SHA2, exp.StrToTime, exp.UnixToTime),
)
_WORDS = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Interval, exp.Var),
    *(exp.Cast, exp.TryCast, exp.DataType),
)
_ALLOWED = frozenset((*_OPERATORS, *_FUNCTIONS, *_WORDS))
_SPELLINGS = "ABS CEIL COALESCE CONCAT FLOOR GREATEST IF LEAST LEFT LENGTH LOWER MD5 NULLIF REPLACE RIGHT ROUND SHA256 "
FUNCTIONS = (_SPELLINGS + "SPLIT_PART STRPTIME SUBSTRING TO_TIMESTAMP TRIM UPPER").split()
"""The functions as a mapping writes them."""


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL of a checked expression, and SQL that is true where a conversion inside it failed."""

    sql: str
    failed: str


def name_casts(engine: Engine) -> None:
    """Define the strict casts that compiled expressions use."""
    for spelling, kind in _CASTS.items():
        text = "CAST(cell AS VARCHAR)"
        strict = typed(Column("cell", kind, ""), text, TEXT_CELLS)
        engine.name_function(_cast_name(spelling), "cell", text if kind is Kind.TEXT else str(strict))


def compile_expression(text: str, columns: Collection[str], *, where: str) -> Expression:
    """Check an expression against the columns of its source and turn it into SQL of the engine.

    Raises:
        ConfigError: it does not parse, is no expression, or uses something that is not allowed.
    """
    tree = _parsed(text, where)
    for node in tree.walk():
        _require_allowed(node, columns, where)
    failed = [_failed(node) for node in tree.walk() if type(node) is exp.Cast or isinstance(node, exp.StrToTime)]
    return Expression(_sql(tree), " OR ".join(failed) or "FALSE")


def _parsed(text: str, where: str) -> exp.Expression:
    if len(text) > LONGEST_EXPRESSION:
        raise _refusal(where, f"at most {LONGEST_EXPRESSION} characters", f"{len(text)}")
    try:
        statements = sqlglot.parse(text, read=_LANGUAGE)
    except sqlglot.errors.SqlglotError:
        raise _refusal(where, "an SQL expression", "something that does not parse") from None
    if len(statements) != 1 or statements[0] is None:
        raise _refusal(where, "one SQL expression", f"{len(statements)}")
    return statements[0]


def _require_allowed(node: exp.Expression, columns: Collection[str], where: str) -> None:
    if type(node) not in _ALLOWED:
        word = node.name if isinstance(node, exp.Anonymous) else node.key
        raise _refusal(where, f"columns, constants, operators and {', '.join(FUNCTIONS)}", word.upper())
    if isinstance(node, exp.Column) and (len(node.parts) != 1 or node.name not in columns):
        raise _refusal(where, f"one of the columns {', '.join(sorted(columns))}", node.sql(_LANGUAGE))
    if isinstance(node, exp.Cast) and node.to.sql(_LANGUAGE) not in {*_CASTS, "TEXT"}:
        raise _refusal(where, f"a cast to {', '.join(_CASTS)}", node.to.sql(_LANGUAGE))
    if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest") or node.args.get("field")):
        raise _refusal(where, "a list of constants after IN", node.sql(_LANGUAGE))
    if isinstance(node, exp.UnixToTime) and node.args.get("scale"):
        raise _refusal(where, "TO_TIMESTAMP of seconds", node.sql(_LANGUAGE))


def _failed(node: exp.Expression) -> str:
    return f"(({_sql(node.this)}) IS NOT NULL AND ({_sql(node)}) IS NULL)"


def _sql(tree: exp.Expression) -> str:
    return str(tree.copy().transform(_engine_form).sql(dialect=_LANGUAGE))


def _engine_form(node: exp.Expression) -> exp.Expression:
    # A node that is replaced is not walked again, so its parts are turned here.
    if isinstance(node, exp.Column):
        return exp.column(exp.to_identifier(node.name, quoted=True))
    if isinstance(node, exp.Cast):
        spelling = node.to.sql(_LANGUAGE).replace("TEXT", "VARCHAR")
        return exp.Anonymous(this=_cast_name(spelling), expressions=[node.this.transform(_engine_form)])
    if isinstance(node, exp.StrToTime):
        parts = [node.this.transform(_engine_form), node.args["format"]]
        return exp.Anonymous(this="TRY_STRPTIME", expressions=parts)
    return node


def _cast_name(spelling: str) -> str:
    return f"pulse_{spelling.lower()}"


def _refusal(where: str, expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"the expression of {where} is not allowed", expected=expected, found=found, todo="correct the mapping"
    )
