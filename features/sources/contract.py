"""Which rows of an intake keep the contract of their table, and which rule does each other row break?

In: one :class:`Intake`. Out: SQL with one row per row in: the finished canonical columns and ``_pulse_rule``, the
number of the first rule that the row breaks (null = good). All SQL is made from what ``features.events`` declares.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from features.errors import DataContractError
from features.events import ENVELOPE, Column, Kind, Table
from features.sources.cells import EXPECTED, faults, typed
from features.sources.envelope import (
    UNIT_SEPARATOR,
    dated_query,
    envelope_cells,
    midnights_query,
    placed_query,
    time_rules,
)
from features.sources.intake import OURS, Intake, Load, Rule, declared
from features.sources.sql_text import identifier, listed, literal
from features.warehouse import ROW, Engine, sql_type

BLOCK, RULE = "_pulse_block", "_pulse_rule"
ZONES = frozenset({"tz", "hq_tz", "event_tz"})
"""Text columns that hold an IANA zone: the build computes local days with them, so an unknown one stops here."""
LONGEST_TEXT = 65_536
"""Bytes of one cell. Ids and words are short; long texts are kept encrypted and fit in this."""
EARLIEST, LATEST = "1900-01-01", "2200-01-01"
"""Days outside are typing errors or stand for "never" (9999-12-31), for which the contract has null."""

_FITS = {
    Kind.TEXT: lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    Kind.INTEGER: pa.types.is_integer,
    Kind.NUMBER: lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind),
    Kind.FLAG: pa.types.is_boolean,
    Kind.MOMENT: lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None,
    Kind.DAY: pa.types.is_date,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """SQL of the judged rows, and the rules whose numbers it speaks of."""

    query: str
    rules: tuple[Rule, ...]


def require_columns(table: Table, given: frozenset[str], file: str) -> None:
    """Refuse a file that lacks a column which the table must have.

    Raises:
        DataContractError: names the missing columns.
    """
    missing = [column.name for column in table.columns if not column.nullable and column.name not in given]
    if table.event_at_from not in given and "event_at" not in given and table.event_at_from not in missing:
        missing.append(f"{table.event_at_from} or event_at")
    if missing:
        raise DataContractError(
            f"{file} lacks columns of {table.name}",
            expected=", ".join(missing),
            found="no column of that name",
            todo="name the columns as the data contract does, or describe the file in a mapping",
        )


def require_physical_types(table: Table, physical: dict[str, pa.DataType], file: str) -> None:
    """Refuse a Parquet file whose columns are declared with other types than the contract's.

    Raises:
        DataContractError: names the first such column.
    """
    for name, column in declared(table).items():
        kind = physical.get(name)
        if kind is None or pa.types.is_null(kind):
            continue
        stored = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not _FITS[column.kind](stored):
            raise _wrong_type(file, column, str(kind))


def judge(engine: Engine, table: Table, intake: Intake, load: Load) -> Judged:
    """Make the SQL that types, judges and completes the rows of an intake.

    Raises:
        DataContractError: a column has a type that can never fit.
    """
    columns = {name: column for name, column in declared(table).items() if intake.gives(name)}
    rules = (*intake.rules, *_cell_rules(table, columns, intake), *time_rules(intake, load.now))
    midnights = f"_pulse_midnights_{intake.number}"
    typed_cells = _typed_query(columns, intake)
    if query := midnights_query(table, intake, typed_cells):
        engine.name_query(midnights, query)
    cases = " ".join(f"WHEN {rule.when} THEN {number}" for number, rule in enumerate(rules))
    finished = {**envelope_cells(intake, load), **_own_cells(table, intake)}
    cells = ", ".join(f"{cell} AS {identifier(name)}" for name, cell in finished.items())
    query = (
        f"WITH typed AS ({typed_cells}), placed AS ({placed_query(table, intake, midnights=midnights)}), "
        f"dated AS ({dated_query(intake, load)}) "
        f"SELECT {cells}, {ROW}, {intake.number} AS {BLOCK}, CASE {cases} END AS {RULE} FROM dated"
    )
    return Judged(query, rules)


def canonical_columns(table: Table) -> str:
    """The columns of the stored table in their order, for a SELECT."""
    return ", ".join(identifier(column.name) for column in (*ENVELOPE, *table.columns))


def unknown_columns(table: Table, found: list[str]) -> tuple[str, ...]:
    """Columns of a file that the contract does not know: they are told, not taken."""
    return tuple(name for name in found if name not in declared(table) and name not in OURS)


def _typed_query(columns: dict[str, Column], intake: Intake) -> str:
    cells = [ROW, *(identifier(name) for name in intake.checks)]
    for name, column in columns.items():
        raw = identifier(name)
        value = typed(column, raw, intake.types[name], zone=intake.zone)
        if value is None:
            raise _wrong_type(intake.file, column, intake.types[name])
        cells.append(f"{value} AS {raw}")
        if faults(column, raw, raw, intake.types[name]):
            cells.append(f"{raw} AS {_raw(name)}")
    return f"SELECT {', '.join(cells)} FROM {identifier(intake.relation)}"


def _own_cells(table: Table, intake: Intake) -> dict[str, str]:
    return {
        column.name: identifier(column.name) if intake.gives(column.name) else f"CAST(NULL AS {sql_type(column)})"
        for column in table.columns
    }


def _cell_rules(table: Table, columns: dict[str, Column], intake: Intake) -> list[Rule]:
    rules = []
    for name, column in columns.items():
        cell = identifier(name)
        form = faults(column, _raw(name), cell, intake.types[name], zone=intake.zone)
        rules += [Rule(name, fault.rule, fault.reason, fault.when) for fault in form]
        if not column.nullable and column in table.columns:
            rules.append(_required(table, column, upsert_only="op" in columns))
        rules += [Rule(name, rule, reason, when) for rule, reason, when in _value_rules(column, cell)]
    return rules


def _required(table: Table, column: Column, *, upsert_only: bool) -> Rule:
    missing = f"{identifier(column.name)} IS NULL"
    if upsert_only and column.name not in table.key:
        # A tombstone names the record that is gone and need not repeat what stood in it.
        missing += " AND op IS DISTINCT FROM 'delete'"
    return Rule(column.name, "required", "empty, but a value is required", missing)


def _value_rules(column: Column, cell: str) -> list[tuple[str, str, str]]:
    if column.choices:
        return [("choices", f"not one of {' '.join(column.choices)}", f"{cell} NOT IN ({listed(column.choices)})")]
    rules = []
    if column.minimum is not None:
        rules.append(("minimum", f"below {column.minimum:g}", f"{cell} < {column.minimum!r}"))
    if column.maximum is not None:
        rules.append(("maximum", f"above {column.maximum:g}", f"{cell} > {column.maximum!r}"))
    if column.kind in {Kind.DAY, Kind.MOMENT}:
        kind = "DATE" if column.kind is Kind.DAY else "TIMESTAMPTZ"
        first, last = f"CAST('{EARLIEST}' AS {kind})", f"CAST('{LATEST}' AS {kind})"
        outside = f"{cell} < {first} OR {cell} >= {last}"
        rules.append(("range", f"outside {EARLIEST} to {LATEST}", outside))
    if column.name in ZONES:
        rules.append(("zone", "no IANA zone", f"{cell} NOT IN (SELECT name FROM zones)"))
    elif column.kind is Kind.TEXT:
        unprintable = f"CONTAINS({cell}, CHR(0)) OR CONTAINS({cell}, {literal(UNIT_SEPARATOR)})"
        rules.append(("text", "holds a NUL or a unit separator", unprintable))
        rules.append(("text", f"longer than {LONGEST_TEXT} bytes", f"STRLEN({cell}) > {LONGEST_TEXT}"))
    return rules


def _wrong_type(file: str, column: Column, found: str) -> DataContractError:
    return DataContractError(
        f"{file}: the column {column.name} has the wrong type",
        expected=EXPECTED[column.kind],
        found=found,
        todo="write the column with that type, or convert it in a mapping",
    )


def _raw(name: str) -> str:
    return identifier(f"_raw_{name}")
