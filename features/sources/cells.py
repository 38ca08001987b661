"""How does one cell become a value of its declared kind, and when is it refused?

In: a cell as SQL text and the engine's type of it (``VARCHAR`` for every cell of CSV and JSONL). Out: SQL that gives
the typed value, and the faults it may have. Nothing is rounded, guessed or cut: a number with decimals is no integer,
a time without a zone has no place in time, a nanosecond does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.events import Column, Kind
from features.sources.sql_text import literal
from features.warehouse import sql_type

TEXT_CELLS = "VARCHAR"
"""The engine's type of text; every cell of CSV and JSONL has it."""
ALL_NULL = "NULL"
"""The type of a column in which every cell is null."""

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
_TAKEN_AS_THEY_ARE = {"BOOLEAN", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}
_REALS = {"FLOAT", "DOUBLE", "DECIMAL"}
_PLAIN_IDS = {*_INTEGERS, "UUID", "BOOLEAN", "DATE"}
_NAIVE = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_ZONED = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}

# Spreadsheets and data frames write a whole number in a column with gaps as 12.0; that loses nothing.
_INTEGER_TEXT = r"[+-]?[0-9]+(\.0*)?"
_NUMBER_TEXT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DAY_TEXT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}"
_ZONE = r"( ?(Z|UTC)|[+-][0-9]{2}(:?[0-9]{2})?)"
# Digits behind the microsecond are taken only when they are zero.
_NAIVE_TEXT = rf"{_DAY_TEXT}([ T]{_CLOCK}(\.[0-9]{{1,6}}0*)?)?"
_ZONED_TEXT = rf"{_DAY_TEXT}[ T]{_CLOCK}(\.[0-9]{{1,6}}0*)?{_ZONE}"
_TOO_FINE_TEXT = rf"{_DAY_TEXT}[ T]{_CLOCK}\.[0-9]{{6}}[0-9]*[1-9][0-9]*{_ZONE}?"
_TRUE, _FALSE = "('true', 't', '1', 'yes', 'y')", "('false', 'f', '0', 'no', 'n')"

EXPECTED = {
    Kind.TEXT: "text",
    Kind.INTEGER: "whole numbers of at most 64 bits",
    Kind.NUMBER: "numbers",
    Kind.FLAG: "true or false",
    Kind.MOMENT: "moments with a zone, at most in microseconds",
    Kind.DAY: "days without a time",
}
"""What a cell of each kind has to be, in words."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a cell can be wrong: the rule's name, the reason for people, and when (SQL)."""

    rule: str
    reason: str
    when: str


def typed(column: Column, cell: str, found: str, *, zone: str | None = None) -> str | None:
    """SQL of the cell's typed value, null where it has none; ``None`` when values of that type can never fit.

    ``zone`` places naive moments; without it they are refused.
    """
    if found == ALL_NULL:
        return f"CAST(NULL AS {sql_type(column)})"
    if column.kind is Kind.MOMENT:
        return _moment(cell, found, zone)
    return _from_text(column.kind, cell) if found == TEXT_CELLS else _from_value(column.kind, cell, found)


def faults(column: Column, raw: str, value: str, found: str, *, zone: str | None = None) -> tuple[Fault, ...]:
    """What can be wrong with the form of a cell; ``raw`` and ``value`` are SQL of it before and after typing.

    The first fault that applies names the reason, so the sharper ones stand first.
    """
    if column.kind is Kind.TEXT or found == ALL_NULL or found in _TAKEN_AS_THEY_ARE:
        return ()
    given = f"NULLIF({raw}, '')" if found == TEXT_CELLS else raw
    lost = f"{given} IS NOT NULL AND {value} IS NULL"
    form = Fault("type", f"not {EXPECTED[column.kind]}", lost)
    if column.kind is Kind.NUMBER:
        return form, Fault("finite", "not a finite number", f"NOT ISFINITE({value})")
    if column.kind is Kind.MOMENT and found == TEXT_CELLS:
        fine = Fault("precision", "finer than a microsecond", f"{lost} AND {_is(raw, _TOO_FINE_TEXT)}")
        naive = Fault("zone", "a time without a zone", f"{lost} AND {_is(raw, _NAIVE_TEXT)}")
        return (fine, form) if zone else (fine, naive, form)
    return (form,)


def _from_text(kind: Kind, cell: str) -> str:
    trimmed = f"TRIM({cell})"
    match kind:
        case Kind.TEXT:
            return f"NULLIF({cell}, '')"
        case Kind.INTEGER:
            return _when(trimmed, _INTEGER_TEXT, f"TRY_CAST(SPLIT_PART({trimmed}, '.', 1) AS BIGINT)")
        case Kind.NUMBER:
            return _when(trimmed, _NUMBER_TEXT, f"TRY_CAST({trimmed} AS DOUBLE)")
        case Kind.FLAG:
            word = f"LOWER({trimmed})"
            return f"CASE WHEN {word} IN {_TRUE} THEN TRUE WHEN {word} IN {_FALSE} THEN FALSE END"
        case _:
            return _when(cell, _DAY_TEXT, f"TRY_CAST({cell} AS DATE)")


def _from_value(kind: Kind, cell: str, found: str) -> str | None:
    whole = f"TRY_CAST({cell} AS BIGINT)"
    reals = {
        Kind.INTEGER: f"CASE WHEN {cell} = FLOOR({cell}) THEN {whole} END",
        Kind.NUMBER: f"CAST({cell} AS DOUBLE)",
    }
    fits: dict[Kind, dict[str, str]] = {
        Kind.TEXT: dict.fromkeys(_PLAIN_IDS, f"CAST({cell} AS VARCHAR)"),
        Kind.INTEGER: {**dict.fromkeys(_REALS, reals[Kind.INTEGER]), **dict.fromkeys(_INTEGERS, whole)},
        Kind.NUMBER: dict.fromkeys(_REALS | _INTEGERS, reals[Kind.NUMBER]),
        Kind.FLAG: {"BOOLEAN": cell},
        Kind.DAY: dict.fromkeys(_NAIVE, f"CASE WHEN {cell} = CAST({cell} AS DATE) THEN CAST({cell} AS DATE) END"),
    }
    # DECIMAL(10,2) is a DECIMAL.
    return fits[kind].get(found.split("(", maxsplit=1)[0])


def _moment(cell: str, found: str, zone: str | None) -> str | None:
    if found == TEXT_CELLS:
        zoned = _when(cell, _ZONED_TEXT, f"TRY_CAST({cell} AS TIMESTAMPTZ)")
        if zone is None:
            return zoned
        return f"COALESCE({zoned}, {_when(cell, _NAIVE_TEXT, _placed(f'TRY_CAST({cell} AS TIMESTAMP)', zone))})"
    if found in _ZONED:
        return cell
    return _placed(f"CAST({cell} AS TIMESTAMP)", zone) if found in _NAIVE and zone else None


def _placed(naive: str, zone: str) -> str:
    # The general way costs a hundred times as much as the one for UTC.
    return f"MAKE_TIMESTAMPTZ(EPOCH_US({naive}))" if zone == "UTC" else f"TIMEZONE({literal(zone)}, {naive})"


def _is(cell: str, pattern: str) -> str:
    return f"REGEXP_FULL_MATCH({cell}, {literal(pattern)})"


def _when(cell: str, pattern: str, value: str) -> str:
    return f"CASE WHEN {_is(cell, pattern)} THEN {value} END"
