"""By which expression do the cells of a column become a canonical column, and what must a person decide about it?

In: a canonical column and an observed one. Out: a :class:`Translation`, or none where the cells can never be that
column. Never a guess in silence: what depends on knowledge outside the file is said in ``todo``.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import available_timezones

import sqlglot
from sqlglot import exp

from features.events import Column, Kind
from features.sources.contract import ZONES
from features.sources.likeness import words_of
from features.sources.sample import Form, Observed

_DATES = {Form.DAY, Form.MOMENT, Form.NAIVE, Form.SECONDS, Form.MILLISECONDS, Form.SPELT}
_CURRENCY = 3
_IN_SECONDS = {"minutes": 60, "minute": 60, "min": 60, "mins": 60, "hours": 3600, "hour": 3600}
_IN_MINUTES = {"hours": 60, "hour": 60}


@dataclass(frozen=True, slots=True)
class Translation:
    """An expression of a mapping; ``todo`` is what a person must decide, empty when nothing.

    ``needs_zone`` says that the moments have none. ``by_words`` says that the cells are words of a list.
    """

    expression: str
    todo: str = ""
    needs_zone: bool = False
    by_words: bool = False


def translation(column: Column, observed: Observed) -> Translation | None:
    """How an observed column becomes a canonical one; none where it cannot."""
    cell = quoted(observed.name)
    if observed.form is Form.EMPTY:
        return None
    match column.kind:
        case Kind.TEXT:
            return _text(column, observed, cell)
        case Kind.INTEGER | Kind.NUMBER:
            return _number(column, observed, cell)
        case Kind.FLAG:
            is_flag = observed.form is Form.FLAG or set(observed.words) <= {"0", "1"} != set()
            return Translation(cell) if is_flag and observed.words else None
        case Kind.MOMENT:
            return _moment(observed, cell)
        case _:
            return _day(observed, cell)


def quoted(name: str) -> str:
    """A column's name as an expression writes it: plain where SQL reads it as a name, else in double quotes."""
    try:
        parsed = sqlglot.parse_one(name, read="duckdb")
    except sqlglot.errors.SqlglotError:
        parsed = None
    plain = isinstance(parsed, exp.Column) and len(parsed.parts) == 1 and parsed.name == name
    return name if plain else f'"{name}"'


def _text(column: Column, observed: Observed, cell: str) -> Translation | None:
    if observed.form in {Form.JSON, *(_DATES if column.choices else ())}:
        return None
    if column.choices:
        return Translation(cell, by_words=True) if observed.words else None
    if column.name in ZONES:
        return Translation(cell) if observed.words and set(observed.words) <= available_timezones() else None
    if column.name == "currency":
        codes = all(len(word) == _CURRENCY and word.isalpha() for word in observed.words)
        return Translation(f"UPPER({cell})") if observed.words and codes else None
    return Translation(f"PERSON({cell})" if column.name.endswith("_key") and "hash" in column.meaning else cell)


def _number(column: Column, observed: Observed, cell: str) -> Translation | None:
    if observed.form not in {Form.INTEGER, Form.NUMBER}:
        return None
    words = set(words_of(observed.name))
    if column.name.endswith("_minor"):
        return _minor_units(observed, cell, words)
    factors = {"seconds": _IN_SECONDS, "minutes": _IN_MINUTES}.get(column.unit, {})
    if spoken := words & factors.keys():
        product = f"{factors[min(spoken)]} * CAST({cell} AS DOUBLE)"
        return Translation(f"ROUND({product})" if column.kind is Kind.INTEGER else product)
    if column.maximum == 1 and (observed.largest or 0) > 1:
        return Translation(f"CAST({cell} AS DOUBLE) / 100", "a share from 0 to 1: is 100 the whole?")
    fits = column.kind is Kind.NUMBER or observed.form is Form.INTEGER
    return Translation(cell) if fits else None


def _minor_units(observed: Observed, cell: str, words: set[str]) -> Translation:
    times_100 = f"ROUND(100 * CAST({cell} AS DOUBLE))"
    if observed.form is Form.NUMBER:
        return Translation(times_100, "times 100: has your currency cents?")
    in_cents = words & {"minor", "cents", "pence"}
    return Translation(cell, "" if in_cents else f"is it in cents? else write {times_100}")


def _moment(observed: Observed, cell: str) -> Translation | None:
    match observed.form:
        case Form.MOMENT:
            return Translation(cell)
        case Form.NAIVE | Form.DAY:
            return Translation(cell, needs_zone=True)
        case Form.SECONDS | Form.MILLISECONDS:
            return Translation(_epoch(observed, cell))
        case Form.SPELT:
            return Translation(
                f"STRPTIME({cell}, '{observed.spellings[0]}')", _spelling_todo(observed), needs_zone=True
            )
        case _:
            return None


def _day(observed: Observed, cell: str) -> Translation | None:
    text = cell if observed.is_text else f"CAST({cell} AS VARCHAR)"
    match observed.form:
        case Form.DAY:
            return Translation(cell)
        case Form.MOMENT | Form.NAIVE:
            return Translation(f"LEFT({text}, 10)")
        case Form.SECONDS | Form.MILLISECONDS:
            return Translation(f"LEFT(CAST({_epoch(observed, cell)} AS VARCHAR), 10)")
        case Form.SPELT:
            spelt = f"STRPTIME({cell}, '{observed.spellings[0]}')"
            return Translation(f"LEFT(CAST({spelt} AS VARCHAR), 10)", _spelling_todo(observed))
        case _:
            return None


def _epoch(observed: Observed, cell: str) -> str:
    scale = " / 1000.0" if observed.form is Form.MILLISECONDS else ""
    return f"TO_TIMESTAMP(CAST({cell} AS BIGINT){scale})"


def _spelling_todo(observed: Observed) -> str:
    if len(observed.spellings) == 1:
        return ""
    return f"the sample fits {' and '.join(observed.spellings)}: which is it?"
