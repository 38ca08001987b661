"""Does a SQL step stay inside the subset on which both query engines agree?

Input: the text of one step. Output: what is wrong with it, in words. The subset is an allow-list of functions and a few
shapes that mean the same on DuckDB and on Spark; what is outside of it differs in silence (see the reasons below).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

ENGINE = "duckdb"
OTHER_ENGINE = "spark"

_FUNCTIONS = (
    *(exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Exists),
    *(exp.Sum, exp.Count, exp.Min, exp.Max, exp.BitwiseOrAgg, exp.RowNumber, exp.Lag, exp.Lead),
    *(exp.Floor, exp.Abs, exp.Exp, exp.Ln, exp.Length),
    *(exp.DateDiff, exp.DateTrunc, exp.TimestampTrunc, exp.Extract),
)
"""Functions that mean the same on both engines. Quantiles, medians, epochs, days of the week, lists, arg_max, random
and the clock are left out on purpose."""

_PARTS_OF_A_DATE = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
_WHOLE = {exp.DataType.Type.BIGINT, exp.DataType.Type.INT, exp.DataType.Type.SMALLINT}
_BREAKS_WHOLENESS = (exp.Div, exp.Ln, exp.Exp)


def portability_faults(sql: str) -> list[str]:
    """Everything in a step that the two engines may read differently; empty when it is portable.

    The step must be one SELECT in the default engine's dialect.
    """
    try:
        statements = sqlglot.parse(sql, read=ENGINE)
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            return ["a step is one SELECT"]
        tree = statements[0]
        tree.sql(OTHER_ENGINE, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as cause:
        return [f"cannot be turned into {OTHER_ENGINE}: {str(cause).splitlines()[0]}"]
    found = [fault for node in tree.walk() for rule in _RULES for fault in rule(node)]
    return [*found, *_uncast_sums(tree)]


def other_engine_sql(sql: str) -> str:
    """The step in the other engine's dialect, with the same types of columns."""
    tree = sqlglot.parse_one(sql, read=ENGINE).transform(_same_types)
    return str(tree.sql(OTHER_ENGINE, unsupported_level=ErrorLevel.RAISE))


def _same_types(node: exp.Expression) -> exp.Expression:
    # Row numbers are 32 bits wide there.
    if isinstance(node, exp.Window) and isinstance(node.this, exp.RowNumber):
        return exp.cast(node, exp.DataType.Type.BIGINT)
    return node


def _functions(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Func) and not isinstance(node, _FUNCTIONS):
        yield f"{node.sql_name() if not isinstance(node, exp.Anonymous) else node.name} is not in the portable subset"
    if isinstance(node, exp.Extract) and node.name.upper() not in _PARTS_OF_A_DATE:
        yield f"EXTRACT({node.name}) counts differently on each engine"


def _clauses(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Qualify):
        yield "QUALIFY: use a subquery"
    if isinstance(node, exp.Join) and "ASOF" in f"{node.method} {node.kind}".upper():
        yield "ASOF: use a window with the last row"
    if isinstance(node, exp.Group) and node.args.get("all"):
        yield "GROUP BY ALL: name the columns"
    if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("except") or node.args.get("replace")):
        yield "SELECT * EXCLUDE or REPLACE: name the columns"
    if isinstance(node, exp.Pivot):
        yield "PIVOT: use MAX(CASE ...)"
    if isinstance(node, exp.IntDiv | exp.Mod):
        yield "integer division and remainder differ for negative numbers"
    if isinstance(node, exp.WindowSpec) and str(node.args.get("kind") or "").upper() == "RANGE":
        yield "RANGE windows: use ROWS on a dense grid"


def _days(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Sub) and _is_day(node.this) and _is_day(node.expression):
        yield f"{node.sql(ENGINE)}: a difference of dates has another type on each engine; use DATE_DIFF"
    if isinstance(node, exp.DateDiff):
        if str(node.args.get("unit") or "DAY").upper() != "DAY":
            yield f"{node.sql(ENGINE)}: only days are counted the same on both engines"
        if not (_is_day(node.this) and _is_day(node.expression)):
            yield f"{node.sql(ENGINE)}: cast both moments to DATE first"


def _numbers(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Div) and not _is_nonzero(node.expression):
        yield f"{node.sql(ENGINE)}: wrap the denominator in NULLIF"
    if isinstance(node, exp.Ln) and not _is_positive(node.this):
        yield f"{node.sql(ENGINE)}: LN of zero fails on one engine and is null on the other"
    if isinstance(node, exp.Sum) and isinstance(node.this, exp.Predicate | exp.Connector | exp.Not):
        yield f"{node.sql(ENGINE)}: sum a CASE, not a condition"
    if isinstance(node, exp.Cast) and node.to.this in _WHOLE and not _is_whole(node.this):
        yield f"{node.sql(ENGINE)}: one engine rounds and the other cuts; use FLOOR"


def _uncast_sums(tree: exp.Query) -> Iterator[str]:
    for column in tree.selects:
        inner = column.unalias()
        total = inner.this if isinstance(inner, exp.Window) else inner
        if isinstance(total, exp.Sum):
            yield f"{column.alias_or_name}: cast SUM to BIGINT, engines differ in its type"


_RULES: tuple[Callable[[Any], Iterator[str]], ...] = (_functions, _clauses, _days, _numbers)


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _is_day(node: exp.Expression) -> bool:
    # A column named *_on (or on_date) is a day in every canonical table and step.
    node = _bare(node)
    if isinstance(node, exp.Column):
        return str(node.name).endswith(("_on", "on_date", "period_start", "period_end"))
    if isinstance(node, exp.Cast):
        return bool(node.to.this == exp.DataType.Type.DATE)
    if isinstance(node, exp.Add | exp.Sub):
        return _is_day(node.this) and not _is_day(node.expression)
    if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least | exp.Min | exp.Max):
        return _is_day(node.this)
    return False


def _is_nonzero(node: exp.Expression) -> bool:
    node = _bare(node)
    if isinstance(node, exp.Mul):
        return _is_nonzero(node.this) and _is_nonzero(node.expression)
    if isinstance(node, exp.Cast):
        return _is_nonzero(node.this)
    is_group_size = isinstance(node, exp.Count) and isinstance(node.this, exp.Star)
    return is_group_size or isinstance(node, exp.Nullif) or _has_positive_offset(node)


def _is_positive(node: exp.Expression) -> bool:
    node = _bare(node)
    if isinstance(node, exp.Div | exp.Mul):
        return _is_positive(node.this) and _is_positive(node.expression)
    if isinstance(node, exp.Cast):
        return _is_positive(node.this)
    if isinstance(node, exp.Greatest):
        return any(_has_positive_offset(each) for each in (node.this, *node.expressions))
    return isinstance(node, exp.Nullif) or _has_positive_offset(node)


def _has_positive_offset(node: exp.Expression) -> bool:
    node = _bare(node)
    if isinstance(node, exp.Literal):
        return not node.is_string and float(node.this) > 0
    return isinstance(node, exp.Add) and (_has_positive_offset(node.this) or _has_positive_offset(node.expression))


def _is_whole(node: exp.Expression) -> bool:
    # Fractions come from division, logarithms, fractional literals and casts to DOUBLE; FLOOR ends them.
    if isinstance(node, exp.Floor | exp.DateDiff | exp.Predicate):
        return True
    if isinstance(node, exp.Cast):
        return node.to.this != exp.DataType.Type.DOUBLE and _is_whole(node.this)
    if isinstance(node, exp.Literal):
        return node.is_string or "." not in node.this
    return not isinstance(node, _BREAKS_WHOLENESS) and all(_is_whole(child) for child in node.iter_expressions())
