"""What may an expression of a mapping say, and what does it become in SQL?

Only values computed from the cells of the same row: columns that exist, constants, operators and the functions listed
here. No query, no file, no function outside the list. ``CAST``, ``STRPTIME``, ``TO_TIMESTAMP`` and
``JSON_EXTRACT_STRING`` (also written ``->>``) never round and never end the load: where they cannot convert, the row is
refused. ``TRY_CAST`` gives null instead, for those who ask for it. ``PERSON`` makes the key of a person from an id.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from features.errors import ConfigError
from features.events import Column, Kind
from features.sources.cells import TEXT_CELLS, typed
from features.sources.sql_text import literal
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
    *(exp.SplitPart, exp.MD5, exp.SHA2, exp.StrToTime, exp.UnixToTime, exp.RegexpExtract, exp.RegexpReplace),
)
_JSON = (exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript)
_WORDS = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Interval, exp.Var),
    *(exp.Cast, exp.TryCast, exp.DataType),
)
_ALLOWED = frozenset((*_OPERATORS, *_FUNCTIONS, *_JSON, *_WORDS))
_PERSON, _PERSON_NAME = "PERSON", "pulse_person"
_MOMENT_NAME = "pulse_moment"
_SPELLINGS = (
    "ABS CEIL COALESCE CONCAT FLOOR GREATEST IF JSON_EXTRACT_STRING LEAST LEFT LENGTH LOWER MD5 NULLIF PERSON "
    "REGEXP_EXTRACT REGEXP_REPLACE REPLACE RIGHT ROUND SHA256 SPLIT_PART STRPTIME SUBSTRING TO_TIMESTAMP TRIM UPPER"
)
FUNCTIONS = _SPELLINGS.split()
"""The functions as a mapping writes them."""
_FALLIBLE = (exp.StrToTime, exp.UnixToTime, exp.JSONExtractScalar)
_FIRST_SECOND, _LAST_SECOND = -2_208_988_800, 7_258_118_400  # 1900 and 2200, as the contract's days


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
    seconds = f"cell BETWEEN {_FIRST_SECOND} AND {_LAST_SECOND}"
    engine.name_function(_MOMENT_NAME, "cell", f"CASE WHEN {seconds} THEN TO_TIMESTAMP(cell) END")


def name_people(engine: Engine, salt: str) -> None:
    """Define how an id becomes the key of a person: 128 bits of a hash that nobody without the salt can make again."""
    body = f"LEFT(SHA256({literal(salt)} || NULLIF(TRIM(CAST(cell AS VARCHAR)), '')), 32)"
    engine.name_function(_PERSON_NAME, "cell", body)


def compile_expression(text: str, columns: Collection[str], *, where: str) -> Expression:
    """Check an expression against the columns of its source and turn it into SQL of the engine.

    Raises:
        ConfigError: it does not parse, is no expression, or uses something that is not allowed.
    """
    tree = _parsed(text, where)
    for node in tree.walk():
        _require_allowed(node, columns, where)
    failed = [_failed(node) for node in tree.walk() if type(node) is exp.Cast or isinstance(node, _FALLIBLE)]
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
    if type(node) not in _ALLOWED and not _is_person(node):
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
    _require_constants(node, where)


def _require_constants(node: exp.Expression, where: str) -> None:
    match node:
        case exp.JSONExtractScalar() if not _is_plain_path(node.expression):
            expected = "one path in quotes, such as '$.a.b[0]'"
        case exp.RegexpExtract() if not _is_plain_pattern(node):
            expected = "REGEXP_EXTRACT of a constant pattern and a group 0-9"
        case exp.RegexpReplace() if not _is_plain_replacement(node):
            expected = "REGEXP_REPLACE of a constant pattern, a constant and perhaps 'g'"
        case _:
            return
    raise _refusal(where, expected, "something else")


def _is_person(node: exp.Expression) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() == _PERSON and len(node.expressions) == 1


def _is_plain_path(path: exp.Expression) -> bool:
    # A wildcard gives a list where the others give a text.
    steps = path.expressions if isinstance(path, exp.JSONPath) else [path]
    return all(
        isinstance(step, exp.JSONPathRoot)
        or (isinstance(step, exp.JSONPathKey) and isinstance(step.this, str))
        or (isinstance(step, exp.JSONPathSubscript) and isinstance(step.this, int))
        for step in steps
    )


def _is_plain_pattern(node: exp.RegexpExtract) -> bool:
    group = node.args.get("group")
    plain = group is None or (isinstance(group, exp.Literal) and group.is_int and len(group.name) == 1)
    return plain and not node.args.get("parameters") and _is_pattern(node.expression)


def _is_plain_replacement(node: exp.RegexpReplace) -> bool:
    by, modifiers = node.args.get("replacement"), node.args.get("modifiers")
    plain = by is not None and by.is_string and (modifiers is None or modifiers == exp.Literal.string("g"))
    return plain and _is_pattern(node.expression)


def _is_pattern(pattern: exp.Expression) -> bool:
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        return False
    try:
        # Arrow speaks the same RE2 as the engine, whose own complaint would come in the middle of the load.
        pc.match_substring_regex(pa.array([""]), pattern.name)
    except pa.ArrowInvalid:
        return False
    return True


def _failed(node: exp.Expression) -> str:
    if isinstance(node, exp.JSONExtractScalar):
        # A key that is not there is no failure: objects leave out what they have no value for.
        return f"(NOT JSON_VALID({_sql(node.this)}))"
    return f"(({_sql(node.this)}) IS NOT NULL AND ({_sql(node)}) IS NULL)"


def _sql(tree: exp.Expression) -> str:
    return str(tree.copy().transform(_engine_form).sql(dialect=_LANGUAGE))


def _engine_form(node: exp.Expression) -> exp.Expression:
    # A node that is replaced is not walked again, so its parts are turned here.
    match node:
        case exp.Column():
            return exp.column(exp.to_identifier(node.name, quoted=True))
        case exp.Cast():
            name, parts = _cast_name(node.to.sql(_LANGUAGE).replace("TEXT", "VARCHAR")), [node.this]
        case exp.StrToTime():
            name, parts = "TRY_STRPTIME", [node.this, node.args["format"]]
        case exp.UnixToTime():
            name, parts = _MOMENT_NAME, [node.this]
        case exp.JSONExtractScalar():
            return _json_text(node)
        case _ if _is_person(node):
            name, parts = _PERSON_NAME, node.expressions
        case _:
            return node
    return exp.Anonymous(this=name, expressions=[part.transform(_engine_form) for part in parts])


def _json_text(node: exp.JSONExtractScalar) -> exp.Expression:
    # The engine gives up on a cell that is no JSON, so it must not see one.
    cell = node.this.transform(_engine_form)
    valid = exp.Anonymous(this="JSON_VALID", expressions=[cell])
    found = exp.JSONExtractScalar(this=cell.copy(), expression=node.expression.copy())
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=valid, true=found)]))


def _cast_name(spelling: str) -> str:
    return f"pulse_{spelling.lower()}"


def _refusal(where: str, expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"the expression of {where} is not allowed", expected=expected, found=found, todo="correct the mapping"
    )
