"""How do refused rows become canonical rows after all, once their cells or their mapping are repaired?

The rows of each load go through the ingest again, as they stand in quarantine now: good ones into their table, known
from when they would have been known at first; the others stay with their new reason. A row leaves quarantine only after
its table has it, and a row that the table has already is not taken twice, so a crash in between, or doing it again, is
harmless.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import ConfigError, DataContractError, MissingStateError
from features.progress import Progress, silent
from features.settings import Home
from features.sources.alone import SCRATCH, alone
from features.sources.intake import UNMATCHED
from features.sources.load_record import LoadRecord, read_record
from features.sources.mapping import load_mapping
from features.sources.offer import Offer, castable, offer_of, write_offer
from features.sources.owners import OWNING
from features.sources.plan import Part, TableWork, canonical_plan, mapped_plan
from features.sources.report import ReplayReport, TableReport
from features.sources.stage import Staged, stage
from features.sources.waiting import Chosen, WaitingFile, WaitingRow, count_waiting, read_waiting, waiting_paths
from features.vocabulary import require_utc
from features.warehouse import Engine, Warehouse, open_engine

WHOLE_FILE = "whole_file"
"""The rule of rows whose mapping needs all rows of their file, such as one that adds them up."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What a person names instead of what the load used: the repaired mapping, the folder of the files."""

    mapping: str | Path | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Bench:
    """One file of refused rows at work: how its load was done, and where to put what is made on the way."""

    file: WaitingFile
    record: LoadRecord
    ways: Ways
    scratch: Path


def replay(
    home: Home,
    chosen: Chosen,
    *,
    now: datetime,
    ways: Ways = Ways(),
    progress: Progress = silent,
) -> ReplayReport:
    """Bring refused rows through the checks of ingest again; ``now`` becomes ``ingested_at`` of those that are taken.

    A row keeps the rule by which it would have been known at first. The loads are done one after the other, each whole.

    Raises:
        MissingStateError: nothing of what was chosen lies in quarantine, or what its load needs is gone.
        DataContractError: a line of a file is no refused row.
        ConfigError: the mapping cannot be used, or no longer reads a file of the rows.
        UsageError: another ingest is running.
    """
    # Accounts and aliases first: rows of other tables may wait for them.
    paths = sorted(waiting_paths(home, chosen), key=lambda path: path.parent.name not in OWNING)
    reports = []
    with alone(home.prepare()), TemporaryDirectory(dir=home.root, prefix=SCRATCH) as scratch:
        for number, path in enumerate(paths, start=1):
            file = read_waiting(path)
            room = Path(scratch) / str(number)
            room.mkdir()
            bench = _Bench(file, read_record(home, file.load_id), ways, room)
            reports.append((file.load_id, _replay(home, bench, require_utc(now))))
            progress("replay refused rows", number, len(paths))
    return ReplayReport(tuple(reports))


def replay_unmatched(home: Home, *, besides: str, now: datetime, progress: Progress = silent) -> ReplayReport | None:
    """Try the rows of every load but one again that wait for an account; None where none does.

    Rows whose mapping, or whose files that it looks things up in, are gone go on waiting until a person names them.
    """
    waiting = {
        (each.table, each.load) for each in count_waiting(home) if each.rule == UNMATCHED and each.load != besides
    }
    reports: list[tuple[str, TableReport]] = []
    for table, load in sorted(waiting, key=lambda place: (place[1], place[0])):
        try:
            reports += replay(home, Chosen(load, table), now=now, progress=progress).files
        except (ConfigError, MissingStateError):
            reports.append((load, _left_alone(home, Chosen(load, table))))
    return ReplayReport(tuple(reports)) if reports else None


def _left_alone(home: Home, chosen: Chosen) -> TableReport:
    rows = Counter({each.rule: each.rows for each in count_waiting(home, chosen)})
    counted = rows.total()
    return TableReport(str(chosen.table), (), read=counted, new=0, known=0, quarantined=dict(rows))


def _replay(home: Home, bench: _Bench, now: datetime) -> TableReport:
    with open_engine(scratch=bench.scratch / "spill", ordered=True) as engine:
        work, offers = _work(engine, bench)
        stay = dict(pair for offer in offers for pair in _by_identity(offer.stay))
        staged = _staged(engine, home, bench, work, now) if work.parts else None
    if staged is not None:
        stay |= _refused_again(staged, [offer for offer in offers if offer.rows])
        if staged.entry.rows:
            dataset = Warehouse(home).dataset(bench.file.table)
            dataset.folder.mkdir(parents=True, exist_ok=True)
            dataset.commit([(staged.rows, staged.entry)])
    remaining = [stay[id(row)] for row in bench.file.rows if id(row) in stay]
    bench.file.keep_only(remaining, bench.scratch)
    return _report(bench.file, staged, remaining)


def _work(engine: Engine, bench: _Bench) -> tuple[TableWork, list[Offer]]:
    """What an ingest would do with the rows, and the rows of each part; a part without rows is left out."""
    groups = _groups(bench.file.rows)
    planned = _planned(bench, groups)
    parts, offers = [], []
    for (name, _), rows, part in zip(groups, groups.values(), planned.parts, strict=True):
        columns = bench.record.files[bench.file.table][name]
        if part.mapping is not None and (part.mapping.totals_per_key or part.mapping.numbered):
            offers.append(_needs_its_file(rows))
            continue
        source = replace(part.source, path=bench.scratch / "rows" / str(len(offers)) / part.source.name)
        offer = offer_of(rows, columns, part.delimiter)
        if source.format == "parquet":
            offer = castable(engine, offer, columns)
        offers.append(offer)
        if offer.rows:
            write_offer(engine, offer, source, columns, part.delimiter)
            parts.append(replace(part, source=source))
    return replace(planned, parts=tuple(parts)), offers


def _planned(bench: _Bench, groups: dict[tuple[str, int], list[WaitingRow]]) -> TableWork:
    """The work with one part per group of rows, in the order of the groups."""
    table, named = bench.file.table, bench.ways.mapping or bench.record.mapping
    folder = bench.scratch / "folder"
    folder.mkdir()
    if named is None:
        # Their file may have been typed; as text every cell is judged by itself.
        (folder / f"{table}.csv").touch()
        return canonical_plan(folder).tables[0]
    mapping = load_mapping(named)
    entries = tuple(entry for entry in mapping.tables if entry.table == table)
    missing = _fill(folder, bench, {name for name, _ in groups})
    if not entries:
        raise _unread(bench, f"no entry for {table}")
    try:
        work = mapped_plan(folder, mapping.model_copy(update={"tables": entries})).tables[0]
    except DataContractError:
        if missing:
            raise _needs_the_folder(bench) from None
        raise
    parts = [_part_of(work, bench, *group) for group in groups]
    looked_in = {source.path for part in parts for own in part.others.values() for source in own}
    if looked_in & missing:
        raise _needs_the_folder(bench)
    return replace(work, parts=tuple(parts))


def _part_of(work: TableWork, bench: _Bench, name: str, entry: int) -> Part:
    reading = [part for part in work.parts if part.source.name == name]
    if len(reading) < entry:
        raise _unread(bench, f"{len(reading)} entries that read {name}, and rows of entry {entry}")
    return reading[entry - 1]


def _fill(folder: Path, bench: _Bench, names: set[str]) -> set[Path]:
    """Show the files of the load in a folder; the answer is those with refused rows that are gone."""
    original = bench.ways.folder or Path(bench.record.folder)
    for path in original.iterdir() if original.is_dir() else ():
        (folder / path.name).symlink_to(path)
    missing = {folder / name for name in names if not (folder / name).exists()}
    for path in missing:
        path.touch()
    return missing


def _groups(rows: Sequence[WaitingRow]) -> dict[tuple[str, int], list[WaitingRow]]:
    def place(row: WaitingRow) -> tuple[str, int]:
        return row.file, row.entry

    return {group: list(own) for group, own in groupby(sorted(rows, key=place), key=place)}


def _needs_its_file(rows: Sequence[WaitingRow]) -> Offer:
    reason = "its mapping adds up or numbers all rows of the file: correct the file and ingest it again"
    return Offer((), (), tuple((row, row.refused_again("", WHOLE_FILE, reason)) for row in rows))


def _staged(engine: Engine, home: Home, bench: _Bench, work: TableWork, now: datetime) -> Staged:
    stored = [entry.sha256 for entry in Warehouse(home).dataset(work.table).entries()]
    facts = [now.isoformat(), bench.file.load_id, bench.file.sha256, work.table, work.fingerprint, *stored]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    load = bench.record.replayed_at(now, f"{now:%Y%m%dT%H%M%S}-{digest[:12]}")
    # Not the fingerprint of the plan: the files of an ingest were not loaded by this.
    return stage(engine, home, replace(work, fingerprint=f"replay {digest}"), load, bench.scratch)


def _refused_again(staged: Staged, offers: Sequence[Offer]) -> dict[int, WaitingRow]:
    """The rows that break a rule again, by identity, with their new reason."""
    if staged.refused.written is None:
        return {}
    by_file: dict[str, list[Offer]] = {}
    for offer, name in zip(offers, staged.report.files, strict=True):
        by_file.setdefault(name, []).append(offer)
    found: dict[int, WaitingRow] = {}
    for told in read_waiting(staged.refused.written).rows:
        row = by_file[told.file][told.entry - 1].rows[told.row - 1]
        found.setdefault(id(row), row.refused_again(told.column, told.rule, told.reason))
    return found


def _by_identity(pairs: Sequence[tuple[WaitingRow, WaitingRow]]) -> list[tuple[int, WaitingRow]]:
    # Two rows may be equal in every cell.
    return [(id(row), again) for row, again in pairs]


def _report(file: WaitingFile, staged: Staged | None, remaining: Sequence[WaitingRow]) -> TableReport:
    by_rule: dict[str, int] = {}
    for row in sorted(remaining, key=lambda row: row.rule):
        by_rule[row.rule] = by_rule.get(row.rule, 0) + 1
    return TableReport(
        table=file.table,
        files=tuple(sorted({row.file for row in file.rows})),
        read=len(file.rows),
        new=staged.report.new if staged else 0,
        known=staged.report.known if staged else 0,
        quarantined=by_rule,
        set_aside=staged.report.set_aside if staged else 0,
    )


def _unread(bench: _Bench, found: str) -> ConfigError:
    return ConfigError(
        f"the mapping no longer reads the refused rows of {bench.file.table}",
        expected="an entry for each file and entry that the load read into this table",
        found=found,
        todo="correct the mapping, or ingest the corrected files",
    )


def _needs_the_folder(bench: _Bench) -> MissingStateError:
    return MissingStateError(
        f"the mapping of {bench.file.table} looks things up in the files of its load",
        expected=f"these files in {bench.ways.folder or bench.record.folder}",
        found="not all of them",
        todo="name the folder that has them with --folder",
    )
