"""How does the work for one table become files that only wait for their commit?

In: files from outside. Out: a Parquet file of new canonical rows and a JSONL file of refused ones, both in a scratch
folder. Nothing of the warehouse is touched here, so whatever goes wrong leaves it as it was.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

import pyarrow as pa

from features.errors import DataContractError
from features.events import TABLES, Table
from features.manifest import StoredFile, stored_file
from features.settings import Home
from features.sources.contract import (
    BLOCK,
    RULE,
    judge,
    require_columns,
    require_physical_types,
    unknown_columns,
)
from features.sources.envelope import row_hash
from features.sources.intake import Intake, Load, Rule, declared
from features.sources.mapped import UNMAPPED, UNMAPPED_LIMIT, mapped_intake
from features.sources.mapping_sql import name_casts, name_people
from features.sources.other_files import Others, others_of, read_others
from features.sources.owners import JUDGED, mark_strays
from features.sources.people import salt_of
from features.sources.plan import TableWork
from features.sources.quarantine import Refusal, Refused, write_refused
from features.sources.reader import blaming, physical_types, read
from features.sources.report import TableReport
from features.sources.sql_text import identifier
from features.sources.totals import totals_query
from features.sources.versions import (
    CHECKED,
    CONFLICT_NUMBER,
    conflict_rule,
    fresh_query,
    name_twins,
    refused_query,
)
from features.warehouse import FIRST_AVAILABLE_AT, ROW, Engine, Warehouse, open_engine

Rules = dict[tuple[int, int], Rule]
_GOOD_ROWS = f"SELECT {ROW} AS row, row_hash, recorded_at FROM {CHECKED} WHERE {RULE} IS NULL ORDER BY {ROW}"


@dataclass(frozen=True, slots=True)
class Staged:
    """One table, ready for its commit; ``columns`` are those of each file, with the engine's types.

    ``good`` has ``row``, ``row_hash`` and ``recorded_at`` of every good row, new or known, where that was asked for.
    """

    table: str
    rows: Path
    entry: StoredFile
    refused: Refused
    report: TableReport
    columns: dict[str, dict[str, str]]
    good: pa.Table | None = None

    @property
    def worst(self) -> tuple[Refusal, ...]:
        """The first few refused rows."""
        return self.refused.first


def stage(engine: Engine, home: Home, work: TableWork, load: Load, scratch: Path, *, by_row: bool = False) -> Staged:
    """Read, type, judge and complete everything that the load brings into one table.

    ``by_row`` asks for what became of each good row, for loads whose sender waits for the answer.

    Raises:
        DataContractError: a file or a column breaks the contract so that nothing of the table may be taken.
        ConfigError: the mapping asks for something that is not allowed.
    """
    table = TABLES[work.table]
    _name_functions(engine, home, work)
    passing = scratch / f"{work.table}.passing"
    passing.mkdir()
    others = read_others(engine, work, passing)
    intakes = [_intake(engine, work, number, others, passing) for number in range(len(work.parts))]
    rules, counts = _check(engine, table, intakes, load, passing)
    rules |= mark_strays(engine, table, intakes, home, scratch)
    twins = name_twins(engine, table, passing)
    known = Warehouse(home).dataset(work.table).files()
    if known:
        engine.name("known", known)
    rows = scratch / f"{work.table}.parquet"
    silent = [intake.number for intake in intakes if not intake.gives("available_at")]
    fresh = fresh_query(table, load, has_twins=twins > 0, has_known=bool(known), silent=silent)
    new = engine.write(fresh, rows)
    places = [intake.places for intake in intakes]
    engine.name_query("_pulse_refused", refused_query(has_twins=twins > 0, places=places))
    refused = write_refused(engine, work.table, intakes, rules, scratch)
    offered = sum(counts.values())
    aside = _rows_in_files(engine, intakes) - offered if _is_mapped(work) else 0
    report = _report(work, intakes, refused, new=new, offered=offered, aside=aside)
    facts = {"load_id": load.load_id, "source": work.fingerprint, "read": str(report.read), **_reach(engine, rows, new)}
    entry = stored_file(rows, name=load.load_id, rows=new, facts=facts)
    good = engine.fetch(_GOOD_ROWS) if by_row else None
    shutil.rmtree(passing)
    columns = {intake.file: intake.rows.columns for intake in intakes}
    return Staged(work.table, rows, entry, refused, report, columns, good)


def _report(
    work: TableWork, intakes: Sequence[Intake], refused: Refused, *, new: int, offered: int, aside: int
) -> TableReport:
    read = offered + sum(intake.rows.malformed.num_rows for intake in intakes)
    return TableReport(
        table=work.table,
        files=tuple(intake.file for intake in intakes),
        read=read,
        new=new,
        known=read - new - sum(refused.by_rule.values()),
        quarantined=refused.by_rule,
        set_aside=aside,
        unknown_columns=_unknown(work, intakes),
    )


def _reach(engine: Engine, rows: Path, new: int) -> dict[str, str]:
    # Tells a build which of the stored snapshots these rows may change.
    if new == 0:
        return {}
    engine.name("_pulse_stored", [rows])
    first = engine.fetch("SELECT MIN(available_at) AS first FROM _pulse_stored").column("first")[0].as_py()
    return {FIRST_AVAILABLE_AT: first.astimezone(UTC).isoformat()}


def _name_functions(engine: Engine, home: Home, work: TableWork) -> None:
    if _is_mapped(work):
        name_casts(engine)
    if any(part.mapping is not None and part.mapping.names_people for part in work.parts):
        name_people(engine, salt_of(home))
    engine.name_rows("zones", _zones())


@cache
def _zones() -> pa.Table:
    """The time zones (``name``) that Python and the engine know: later steps use either."""
    # Hundreds of tables are looked at, so a process that stays asks once.
    with open_engine(threads=1) as engine:
        spoken = set(engine.fetch("SELECT name FROM pg_timezone_names()").column("name").to_pylist())
    return pa.table({"name": pa.array(sorted(spoken & available_timezones()), pa.string())})


def _intake(engine: Engine, work: TableWork, number: int, others: Others, scratch: Path) -> Intake:
    part, table = work.parts[number], TABLES[work.table]
    if part.mapping is not None:
        with blaming(work.table, part.source.name):
            rows = read(engine, part.source, f"_pulse_file_{number}", scratch, delimiter=part.delimiter)
        names = (part.source.name, work.source_system)
        intake = mapped_intake(engine, part.mapping, rows, others_of(part, others), number=number, names=names)
    else:
        require_physical_types(table, physical_types(part.source), part.source.name)
        with blaming(work.table, part.source.name):
            rows = read(engine, part.source, f"_pulse_file_{number}", scratch)
        intake = Intake(
            number=number,
            file=part.source.name,
            rows=rows,
            relation=rows.relation,
            types={name: kind for name, kind in rows.columns.items() if name in declared(table)},
            source_system=work.source_system,
            lag=table.lag,
        )
    require_columns(table, frozenset(intake.types), part.source.name)
    return intake


def _check(
    engine: Engine, table: Table, intakes: Sequence[Intake], load: Load, scratch: Path
) -> tuple[Rules, dict[int, int]]:
    rules: Rules = {}
    counts: dict[int, int] = {}
    files = []
    for intake in intakes:
        judged = judge(engine, table, intake, load)
        rules |= {(intake.number, number): rule for number, rule in enumerate(judged.rules)}
        rules[intake.number, CONFLICT_NUMBER] = conflict_rule(table)
        query = totals_query(table, judged.query) if intake.totals else judged.query
        hashed = f"CASE WHEN {RULE} IS NULL THEN {row_hash(table, frozenset(intake.types))} END AS row_hash"
        files.append(scratch / f"{table.name}.checked.{intake.number}.parquet")
        with blaming(table.name, intake.file):
            counts[intake.number] = engine.write(f"SELECT *, {hashed} FROM ({query})", files[-1], codec="lz4")
    engine.name(JUDGED, files)
    engine.name(CHECKED, files)
    if not load.is_replay:
        # Rows in quarantine are few, and each may stay there for a word of its own.
        _refuse_new_words(engine, table, intakes, rules, counts)
    return rules, counts


def _refuse_new_words(
    engine: Engine, table: Table, intakes: Sequence[Intake], rules: Rules, counts: Mapping[int, int]
) -> None:
    # One entry of a mapping may read many small files: it is the entry whose words are new, not the file of one day.
    offered: Counter[Rule] = Counter()
    for (block, _), rule in rules.items():
        if rule.rule == UNMAPPED:
            offered[_of_entry(rule)] += counts[block]
    if not offered:
        return
    strange: Counter[Rule] = Counter()
    broken = engine.fetch(f"SELECT {BLOCK} AS block, {RULE} AS rule, COUNT(*) AS rows FROM {CHECKED} GROUP BY ALL")
    for row in broken.to_pylist():
        broke = rules.get((row["block"], row["rule"]))
        if broke is not None and broke.rule == UNMAPPED:
            strange[_of_entry(broke)] += row["rows"]
    for rule, rows in strange.items():
        share = rows / max(1, offered[rule])
        if share > UNMAPPED_LIMIT:
            raise DataContractError(
                f"{intakes[0].source_system}, {table.name}: values of {rule.column} have no entry in the mapping",
                expected=f"entries for all but {UNMAPPED_LIMIT:.0%} of the rows",
                found=f"{rule.reason} in {share:.1%} of them",
                todo="add the new values to `values` of the mapping, or to `leave_out` where their rows are not wanted",
            )


def _of_entry(rule: Rule) -> Rule:
    # The same words of the same column, whatever their check is called in this file.
    return replace(rule, when="")


def _is_mapped(work: TableWork) -> bool:
    return work.parts[0].mapping is not None


def _rows_in_files(engine: Engine, intakes: Sequence[Intake]) -> int:
    relations = [intake.elements or intake.rows.relation for intake in intakes]
    each = " UNION ALL ".join(f"SELECT COUNT(*) AS rows FROM {identifier(relation)}" for relation in relations)
    return sum(engine.fetch(each).column("rows").to_pylist())


def _unknown(work: TableWork, intakes: Sequence[Intake]) -> tuple[str, ...]:
    if _is_mapped(work):
        return ()
    return unknown_columns(TABLES[work.table], [name for intake in intakes for name in intake.rows.columns])
