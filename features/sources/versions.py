"""Which good rows are new, which are known already, and which contradict each other?

In: the relation ``checked`` (judged rows of one load) and the stored files of the table. A record is its key with
``recorded_at``; a second content for the same record, known at the same moment, is a contradiction and none of the two
is taken. The same content is taken once, from the moment it was first known. A later load may correct a record: its row
is new, and where the source does not say when it was recorded, it is known from now, so that no past snapshot changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.events import Table
from features.sources.contract import BLOCK, RULE, canonical_columns
from features.sources.envelope import epoch
from features.sources.intake import Load, Rule
from features.sources.sql_text import identifier
from features.warehouse import ROW, Engine

CHECKED, TWINS, CONFLICTS = "checked", "_pulse_twins", "_pulse_conflicts"
CONFLICT_NUMBER = -1


def conflict_rule(table: Table) -> Rule:
    """The rule that contradicting rows break."""
    return Rule(" ".join(table.key), "conflict", "the same record with another content in this load", "")


def name_twins(engine: Engine, table: Table, scratch: Path) -> int:
    """Name the good rows that are not to be taken as they repeat or contradict another; the answer is their number.

    ``_pulse_twins`` has ``block``, ``row`` and ``is_conflict``.
    """
    key = ", ".join(identifier(name) for name in table.key)
    # A hash of the key finds the few candidates in one cheap pass; only they are compared exactly.
    good = f"SELECT *, HASH({key}, recorded_at) AS _pulse_key FROM {CHECKED} WHERE {RULE} IS NULL"
    doubled = scratch / "doubled.parquet"
    if engine.write(f"SELECT _pulse_key FROM ({good}) GROUP BY _pulse_key HAVING COUNT(*) > 1", doubled) == 0:
        return 0
    engine.name("_pulse_doubled", [doubled])
    twins = scratch / "twins.parquet"
    count = engine.write(
        f"WITH candidates AS (SELECT * FROM ({good}) WHERE _pulse_key IN (SELECT _pulse_key FROM _pulse_doubled)), "
        f"compared AS (SELECT {BLOCK} AS block, {ROW} AS row, "
        f"MIN(row_hash) OVER version <> MAX(row_hash) OVER version AS is_conflict, "
        f"ROW_NUMBER() OVER (PARTITION BY row_hash, recorded_at ORDER BY available_at, {BLOCK}, {ROW}) AS turn "
        f"FROM candidates WINDOW version AS (PARTITION BY {key}, recorded_at, available_at)) "
        f"SELECT block, row, is_conflict FROM compared WHERE is_conflict OR turn > 1",
        twins,
    )
    engine.name(TWINS, [twins])
    return count


def fresh_query(table: Table, load: Load, *, has_twins: bool, has_known: bool, silent: Sequence[int]) -> str:
    """The rows to store: good, taken once, and not stored yet (relation ``known``).

    ``silent`` are the numbers of the intakes that do not say from when their rows could be known.
    """
    conditions = [f"c.{RULE} IS NULL"]
    if has_twins:
        conditions.append(f"NOT EXISTS (SELECT 1 FROM {TWINS} AS t WHERE t.block = c.{BLOCK} AND t.row = c.{ROW})")
    if has_known:
        conditions.append(
            "NOT EXISTS (SELECT 1 FROM known AS k "
            "WHERE k.row_hash = c.row_hash AND k.recorded_at IS NOT DISTINCT FROM c.recorded_at)"
        )
    columns = canonical_columns(table)
    # In a live load every silent row is known from now: no need to look its key up among all that is stored.
    if has_known and silent and (load.offered_at or not load.live):
        columns = columns.replace('"available_at"', f'{_available(table, load, silent)} AS "available_at"')
    return f"SELECT {columns} FROM (SELECT * FROM {CHECKED} AS c WHERE {' AND '.join(conditions)})"


def _available(table: Table, load: Load, silent: Sequence[int]) -> str:
    key = ", ".join(identifier(name) for name in table.key)
    now = f"MAKE_TIMESTAMPTZ({epoch(load.now)})"
    corrects = f"{BLOCK} IN ({', '.join(map(str, silent))}) AND recorded_at IS NULL"
    return (
        f"CASE WHEN {corrects} AND HASH({key}) IN (SELECT HASH({key}) FROM known) "
        f"THEN GREATEST(available_at, {now}) ELSE available_at END"
    )


def refused_query(*, has_twins: bool, places: Sequence[int]) -> str:
    """The rows to refuse: ``block``, ``row`` and ``rule`` (its number within the block's rules).

    ``places`` says per block how many numbers each row of the file has for the rows that it makes.
    """
    refused = f"SELECT {BLOCK} AS block, {ROW} AS row, {RULE} AS rule FROM {CHECKED} WHERE {RULE} IS NOT NULL"
    if has_twins:
        refused += f" UNION ALL SELECT block, row, {CONFLICT_NUMBER} FROM {TWINS} WHERE is_conflict"
    several = [f"WHEN {block} THEN row // {count}" for block, count in enumerate(places) if count > 1]
    row = f"CASE block {' '.join(several)} ELSE row END" if several else "row"
    return f"SELECT block, {row} AS row, rule FROM ({refused})"
