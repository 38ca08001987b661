"""Where do refused rows wait, and how does a person find out why?

One JSONL file per table and load: ``table``, ``file``, ``row`` (from 1, the header does not count), ``column``,
``rule``, ``reason``, ``entry`` (which of the mapping's entries for this file and table, from 1) and ``cells``, the row
as the source had it, from which it can be replayed. Cells are customers' data, so the folder is readable by its owner
only, and no message repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from features.settings import Home
from features.sources.intake import Intake, Rule
from features.sources.sql_text import identifier, literal
from features.warehouse import ROW, Engine

MALFORMED = "malformed"
SHOWN = 5
"""Refused rows that a report names; the file has them all."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused row, without its cells."""

    table: str
    file: str
    row: int
    column: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table}: {self.file} row {self.row}, {self.column or 'whole row'}: {self.reason} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Refused:
    """The refused rows of one load of a table, written aside: how many by rule, the first few, and their file."""

    by_rule: dict[str, int]
    first: tuple[Refusal, ...]
    written: Path | None


def quarantine_file(home: Home, table: str, load_id: str) -> Path:
    """Where the refused rows of a load lie."""
    return home.quarantine / table / f"{load_id}.jsonl"


def write_refused(
    engine: Engine, table: str, intakes: Sequence[Intake], rules: Mapping[tuple[int, int], Rule], scratch: Path
) -> Refused:
    """Write the refused rows with their cells aside; no file is written when there are none.

    The relation ``_pulse_refused`` has ``block`` (an intake's number), ``row`` and ``rule``; ``rules`` is keyed by
    block and rule.
    """
    broken = sum(intake.rows.malformed.num_rows for intake in intakes)
    # Most loads refuse nothing, and that is told sooner than who refused what.
    if not broken and not engine.fetch("SELECT row FROM _pulse_refused LIMIT 1").num_rows:
        return Refused({}, (), None)
    listed = scratch / f"{table}.refused.parquet"
    engine.name_rows("_pulse_rules", _rule_rows(rules))
    engine.write(_told_query(engine, table, intakes), listed)
    engine.name("_pulse_told", [listed])
    counts = engine.fetch("SELECT rule, COUNT(*) AS rows FROM _pulse_told GROUP BY rule ORDER BY rule").to_pylist()
    facts = ", ".join(identifier(name) for name in Refusal.__slots__)
    first = engine.fetch(f"SELECT {facts} FROM _pulse_told ORDER BY block, row LIMIT {SHOWN}").to_pylist()
    written = scratch / f"{table}.jsonl"
    cells = " UNION ALL ".join(_cells_query(intake) for intake in intakes)
    engine.write_json(f"SELECT {facts}, entry, cells FROM ({cells}) ORDER BY block, row", written)
    written.chmod(0o600)
    return Refused(
        {str(row["rule"]): int(row["rows"]) for row in counts}, tuple(Refusal(**row) for row in first), written
    )


def _told_query(engine: Engine, table: str, intakes: Sequence[Intake]) -> str:
    engine.name_rows("_pulse_shifts", pa.concat_tables([_of(intake, intake.rows.shifts) for intake in intakes]))
    engine.name_rows("_pulse_malformed", pa.concat_tables([_of(intake, intake.rows.malformed) for intake in intakes]))
    files = " ".join(f"WHEN {intake.number} THEN {literal(intake.file)}" for intake in intakes)
    names = [intake.file for intake in intakes]
    entries = " ".join(f"WHEN {i.number} THEN {names[:turn].count(i.file)}" for turn, i in enumerate(intakes, start=1))
    facts = f'{literal(table)} AS "table", CASE block {files} END AS file, CASE block {entries} END AS entry'
    return (
        f"SELECT r.block, {facts.replace('CASE block', 'CASE r.block')}, r.row + COALESCE(s.shift, 0) AS row, "
        f"r.row AS place, u.column, u.rule, u.reason, CAST(NULL AS VARCHAR) AS text FROM _pulse_refused AS r "
        f"INNER JOIN _pulse_rules AS u ON u.block = r.block AND u.number = r.rule "
        f"ASOF LEFT JOIN _pulse_shifts AS s ON s.block = r.block AND r.row >= s.place "
        f"UNION ALL SELECT block, {facts}, row, NULL, '', '{MALFORMED}', fault, text FROM _pulse_malformed"
    )


def _cells_query(intake: Intake) -> str:
    pairs = ", ".join(f"{literal(name)}, CAST(f.{identifier(name)} AS VARCHAR)" for name in intake.rows.columns)
    cells = f"CASE WHEN t.place IS NULL THEN JSON_OBJECT('line', t.text) ELSE JSON_OBJECT({pairs}) END"
    return (
        f"SELECT t.*, {cells} AS cells "
        f"FROM _pulse_told AS t LEFT JOIN {identifier(intake.rows.relation)} AS f ON f.{ROW} = t.place "
        f"WHERE t.block = {intake.number}"
    )


def _rule_rows(rules: Mapping[tuple[int, int], Rule]) -> pa.Table:
    return pa.table(
        {
            "block": pa.array([block for block, _ in rules], pa.int64()),
            "number": pa.array([number for _, number in rules], pa.int64()),
            "column": pa.array([rule.column for rule in rules.values()], pa.string()),
            "rule": pa.array([rule.rule for rule in rules.values()], pa.string()),
            "reason": pa.array([rule.reason for rule in rules.values()], pa.string()),
        }
    )


def _of(intake: Intake, rows: pa.Table) -> pa.Table:
    return rows.append_column("block", pa.array([intake.number] * rows.num_rows, pa.int64()))
