"""How do acknowledged rows get from the journal into the warehouse, and their accounts online?

Two steps, each of which may be cut off anywhere and done again. Into the warehouse: under the lock of an ingest, the
rows of all waiting sendings of a table as one file; what another load stored since they were judged is left out by its
hash, so a row is never there twice. Online: some accounts at a time, as :mod:`features.push` does it, at the moment of
the push.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.events import TABLES
from features.journal import Due, Journal, Kept
from features.manifest import Dataset, stored_file, sync_file, sync_folder
from features.settings import Home
from features.shelf import OWNERS, Shelf, shelf_key
from features.sources.alone import SCRATCH, Busy, alone
from features.sources.load_record import LoadRecord, write_record
from features.sources.owners import OWNING
from features.sources.quarantine import quarantine_file
from features.sources.replay import replay_unmatched
from features.sources.sent_rows import RowKey, accounts_of, row_keys
from features.warehouse import FIRST_AVAILABLE_AT, Warehouse, open_engine

if TYPE_CHECKING:
    from features.store import FeatureStore

__all__ = ["Busy", "show", "store_before_build", "store_kept", "warm_up"]

MOST_AT_ONCE = 200
"""Sendings that go into the warehouse together; some 10 MB at most times."""

_TURNS, _TURN_SECONDS = 20, 0.25
"""A service that works the journal off holds the warehouse for a moment; an ingest may for minutes."""

_KEY_COLUMNS = ["row_hash", "recorded_at"]


@dataclass(frozen=True, slots=True)
class _Round:
    """One going over from the journal to the warehouse: the home, its moment, and a folder to write in."""

    home: Home
    now: datetime
    scratch: Path


def store_kept(journal: Journal, *, now: datetime) -> int:
    """Bring every sending that waits into the warehouse and quarantine; the answer is their number.

    Where accounts came among them, rows in quarantine that waited for one are tried again.

    Raises:
        Busy: an ingest writes to the home; nothing was done.
        IntegrityError: a stored file is not the one that was written.
        ServiceUnavailable: the state database does not answer, or the disk is full.
    """
    stored = 0
    while waiting := journal.kept(MOST_AT_ONCE):
        home = journal.home
        with alone(home.prepare()), TemporaryDirectory(dir=home.root, prefix=SCRATCH) as scratch:
            # Asked again behind the lock: another process may have been quicker.
            kept = journal.kept(MOST_AT_ONCE)
            owned = _store(kept, _Round(home, now, Path(scratch)))
            journal.stored(kept, owned)
        if any(each.table in OWNING and each.good for each in kept):
            replay_unmatched(home, besides="", now=now)
        stored += len(kept)
        if len(waiting) < MOST_AT_ONCE:
            break
    return stored


def store_before_build(home: Home, *, now: datetime) -> int:
    """Bring what waits in the journal into the warehouse, so that a build has it; the answer is the sendings' number.

    Raises:
        Busy: an ingest has been writing for some seconds; in a build its rows would be half there, too.
        IntegrityError: a stored file is not the one that was written.
    """
    journal = Journal(home)
    for _ in range(_TURNS):
        if journal.backlog().sendings == 0:
            return 0
        with suppress(Busy):
            return store_kept(journal, now=now)
        sleep(_TURN_SECONDS)
    return store_kept(journal, now=now)


def show(journal: Journal, store: FeatureStore, due: Sequence[Due], *, now: datetime) -> None:
    """Compute some accounts anew and put them online; of one without a live contract there is nothing to compute.

    Raises:
        MissingStateError: no build of the last 8 days; the accounts go on waiting.
        IntegrityError: a stored file is not the one that was written.
        ServiceUnavailable: a store does not answer.
    """
    from features.push import push_accounts  # noqa: PLC0415  Feast takes seconds to import

    at: dict[datetime, list[Due]] = defaultdict(list)
    for one in due:
        # Not before its rows were known, whatever the clock says; and none later for the sake of another.
        at[max(now, one.newest)].append(one)
    for moment, together in at.items():
        push_accounts(store, [one.account_id for one in together], moment)
        for one in together:
            journal.shown(one)


def warm_up(home: Home) -> None:
    """Sort by account what other loads brought since the last push, so that the next one need not.

    Nothing where no push was ever made.
    """
    if (home.root / "shelf.db").exists():
        Shelf(home).catch_up()


def _store(kept: Sequence[Kept], at: _Round) -> Mapping[int, tuple[str, ...]]:
    for each in kept:
        # Before the rows, as an ingest does: a crash in between repeats refusals, but never loses one.
        _refuse(each, at)
    for table, group in groupby(sorted(kept, key=lambda each: (each.table, each.id)), key=lambda each: each.table):
        _commit(table, [each for each in group if each.good is not None], at)
    return {each.id: _owners(each, at) for each in kept if each.good is not None}


def _refuse(kept: Kept, at: _Round) -> None:
    if kept.refused is None or kept.record is None:
        return
    write_record(at.home, LoadRecord.model_validate_json(kept.record))
    target = quarantine_file(at.home, kept.table, kept.load_id)
    for folder in (at.home.quarantine, target.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    aside = at.scratch / f"{kept.load_id}.jsonl"
    aside.touch(mode=0o600)
    aside.write_bytes(kept.refused)
    sync_file(aside)
    aside.rename(target)
    sync_folder(target.parent)


def _commit(table: str, kept: Sequence[Kept], at: _Round) -> None:
    if not kept:
        return
    dataset = Warehouse(at.home).dataset(table)
    rows = _not_there(dataset, kept)
    if rows.num_rows == 0:
        return
    dataset.folder.mkdir(parents=True, exist_ok=True)
    path = at.scratch / f"{table}.parquet"
    pq.write_table(rows, path, compression="zstd")
    first = pc.min(rows.column("available_at")).as_py().astimezone(UTC).isoformat()
    facts = {"load_id": kept[-1].load_id, "source": f"sent {kept[-1].load_id}", "read": str(rows.num_rows)}
    entry = stored_file(path, name=kept[-1].load_id, rows=rows.num_rows, facts={**facts, FIRST_AVAILABLE_AT: first})
    dataset.commit([(path, entry)])


def _not_there(dataset: Dataset, kept: Sequence[Kept]) -> pa.Table:
    """The rows of these sendings, each once, without those that were stored after it was judged."""
    there = {entry.sha256: path for entry, path in zip(dataset.entries(), dataset.files(), strict=True)}
    taken: set[RowKey] = set()
    looked_at: set[str] = set()
    pieces = []
    for each in kept:
        # What was there when it was judged, it was compared with then.
        for sha256 in set(there) - each.known - looked_at:
            taken.update(row_keys(pq.read_table(there[sha256], columns=_KEY_COLUMNS)))
            looked_at.add(sha256)
        rows = pq.read_table(io.BytesIO(each.good or b""))
        keys = row_keys(rows)
        pieces.append(rows.filter(pa.array([key not in taken for key in keys], pa.bool_())))
        taken.update(keys)
    return pa.concat_tables(pieces)


def _owners(kept: Kept, at: _Round) -> tuple[str, ...]:
    # Now that everything that arrived before lies in the warehouse: a project and its tasks may be sent together.
    if shelf_key(TABLES[kept.table]) not in OWNERS:
        return ()
    file = at.scratch / f"{kept.load_id}.owned.parquet"
    file.write_bytes(kept.good or b"")
    with open_engine(memory="1GB") as engine:
        return accounts_of(engine, at.home, kept.table, file)
