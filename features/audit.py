"""Does a stored snapshot hold exactly what was known at its moment, and nothing of what came after?

Builds the snapshot again from raw tables cut at its ``as_of``: no later row is there that a step could read by mistake.
Grain in: stored snapshots. Grain out: per snapshot and view, the cells that differ, per feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from features.build import VIEWS, built_as_ofs, compute_views, late_as_ofs, snapshot_dataset
from features.errors import IntegrityError, MissingStateError
from features.events import TABLES
from features.identity import Resolved, resolve
from features.progress import Progress, silent
from features.settings import Home
from features.sources import onboarding_of
from features.warehouse import Engine, Warehouse, empty_table_query

_KEYS = ("account_id", "as_of")
_NAMED = 12
"""Features that a failure names; the document has them all."""


@dataclass(frozen=True, slots=True)
class ViewAudit:
    """One view of one snapshot: rows that only one side has, rows that stand twice, and differing cells by column."""

    view: str
    rows: int
    missing: int = 0
    unexpected: int = 0
    repeated: int = 0
    cells: dict[str, int] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Is anything else than what was known?"""
        return bool(self.missing or self.unexpected or self.repeated or self.cells)


@dataclass(frozen=True, slots=True)
class SnapshotAudit:
    """One snapshot, all views. ``late``: rows of its time arrived since it was built, so it is known to be old."""

    as_of: datetime
    late: bool
    views: tuple[ViewAudit, ...]

    @property
    def differs(self) -> bool:
        """Does any view differ?"""
        return any(view.differs for view in self.views)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found."""

    snapshots: tuple[SnapshotAudit, ...]

    def cells(self) -> dict[str, int]:
        """Differing cells per view and column, the most first."""
        found: dict[str, int] = {}
        for view in (view for snapshot in self.snapshots for view in snapshot.views):
            for name, count in view.cells.items():
                found[f"{view.view}.{name}"] = found.get(f"{view.view}.{name}", 0) + count
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def rows(self) -> int:
        """Rows that are missing, unexpected or repeated, over all views."""
        views = (view for snapshot in self.snapshots for view in snapshot.views)
        return sum(view.missing + view.unexpected + view.repeated for view in views)

    def lines(self) -> list[str]:
        """The report for people; the first line is the summary."""
        differing = [snapshot for snapshot in self.snapshots if snapshot.differs]
        total = sum(self.cells().values())
        told = [f"{len(self.snapshots)} snapshots built again from what was known then: {total:,} cells differ"]
        for snapshot in self.snapshots:
            cells = sum(sum(view.cells.values()) for view in snapshot.views)
            rows = sum(view.missing + view.unexpected + view.repeated for view in snapshot.views)
            late = ", rows of its time came later" if snapshot.late else ""
            told.append(f"  {snapshot.as_of.date()}  {cells:>8,} cells{rows:>8,} rows{late}")
        if differing:
            told += [f"  {name:<60}{count:>8,}" for name, count in self.cells().items()]
        return told

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "differing_cells": sum(self.cells().values()),
            "differing_rows": self.rows(),
            "features": self.cells(),
            "snapshots": [
                {
                    "as_of": snapshot.as_of.isoformat(),
                    "late": snapshot.late,
                    "differs": snapshot.differs,
                    "rows": {view.view: view.rows for view in snapshot.views},
                }
                for snapshot in self.snapshots
            ],
        }

    def failure(self) -> IntegrityError | None:
        """Why the stored snapshots cannot be relied on; None when no cell differs."""
        differing = [snapshot for snapshot in self.snapshots if snapshot.differs]
        if not differing:
            return None
        names = [f"{name} ({count:,})" for name, count in self.cells().items()]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        rows = [f"{self.rows():,} rows on one side only or twice"] if self.rows() else []
        dates = ", ".join(f"{snapshot.as_of.date()}" for snapshot in differing)
        if all(snapshot.late for snapshot in differing):
            todo = "rows of their time came later: run `pulse build --late` and audit again"
        else:
            todo = "a step read what was not known then, or a file was changed: do not train on these; please report it"
        return IntegrityError(
            f"{len(differing)} of {len(self.snapshots)} snapshots differ from what was known at their moment",
            expected="no differing cell",
            found=f"{dates}: {', '.join([*rows, *names[:_NAMED]])}{more}",
            todo=todo,
        )


def audit(home: Home, as_ofs: Sequence[datetime], *, progress: Progress = silent) -> AuditReport:
    """Build each of these stored snapshots again from rows with ``available_at <= as_of`` alone, and compare all cells.

    Raises:
        MissingStateError: one of them is not built.
    """
    built, late, onboarding = set(built_as_ofs(home)), set(late_as_ofs(home)), onboarding_of(home)
    if strange := [as_of for as_of in as_ofs if as_of not in built]:
        raise _not_built(strange, sorted(built))
    audited = []
    for done, as_of in enumerate(as_ofs, start=1):
        with TemporaryDirectory(dir=home.root, prefix="audit-") as scratch, Warehouse(home).engine() as engine:
            resolved = _cut(engine, Warehouse(home), as_of)
            compute_views(engine, resolved, (as_of,), Path(scratch), onboarding=onboarding)
            views = tuple(_compared(engine, home, view, as_of) for view in VIEWS)
        audited.append(SnapshotAudit(as_of, as_of in late, views))
        progress("audit snapshots", done, len(as_ofs))
    return AuditReport(tuple(audited))


def sample_of(home: Home, count: int, seed: int) -> tuple[datetime, ...]:
    """So many stored snapshots drawn at random, oldest first; all when there are fewer. Same seed, same snapshots."""
    built = built_as_ofs(home)
    return tuple(sorted(Random(seed).sample(built, min(count, len(built)))))  # noqa: S311 - a sample, not a secret


def _cut(engine: Engine, warehouse: Warehouse, as_of: datetime) -> Resolved:
    for name in TABLES:
        files = warehouse.dataset(name).files()
        if files:
            engine.name(f"_whole_{name}", files)
        else:
            engine.name_query(f"_whole_{name}", empty_table_query(name))

    def name_again(table: str, name: str) -> None:
        moment = f"CAST('{as_of.isoformat()}' AS TIMESTAMPTZ)"
        engine.name_query(name, f'SELECT * FROM "_whole_{table}" WHERE available_at <= {moment}')

    for name in TABLES:
        name_again(name, name)
    return resolve(engine, name_again)


def _compared(engine: Engine, home: Home, view: str, as_of: datetime) -> ViewAudit:
    stored = _stored_file(home, view, as_of)
    rebuilt = engine.fetch(f'SELECT COUNT(*) AS rows FROM "{view}"').column("rows")[0].as_py()
    if stored is None:
        return ViewAudit(view, rows=rebuilt, missing=rebuilt)
    engine.name("_stored", [stored])
    there, here = (engine.columns(f'SELECT * FROM "{name}"') for name in ("_stored", view))
    both = "s.account_id IS NOT NULL AND r.account_id IS NOT NULL"
    sums = {name: f's."{name}" IS DISTINCT FROM r."{name}"' for name in here if name in there and name not in _KEYS}
    sums |= dict.fromkeys((there.keys() ^ here.keys()) - set(_KEYS), "TRUE")
    counted = ", ".join(_counted(f"{both} AND {when}", name) for name, when in sums.items())
    query = (
        f"SELECT COUNT(s.account_id) AS _rows, {_counted('s.account_id IS NULL', '_missing')}, "
        f"{_counted('r.account_id IS NULL', '_unexpected')}, "
        f"COUNT(s.account_id) - COUNT(DISTINCT s.account_id) AS _repeated, {counted} "
        f'FROM _stored AS s FULL JOIN "{view}" AS r ON s.account_id = r.account_id'
    )
    (told,) = engine.fetch(query).to_pylist()
    cells = {name: int(told[name]) for name in sums if told[name]}
    counts = {name: int(told[f"_{name}"]) for name in ("rows", "missing", "unexpected", "repeated")}
    return ViewAudit(view, **counts, cells=cells)


def _counted(when: str, name: str) -> str:
    return f'COALESCE(SUM(CASE WHEN {when} THEN 1 ELSE 0 END), 0) AS "{name}"'


def _stored_file(home: Home, view: str, as_of: datetime) -> Path | None:
    dataset = snapshot_dataset(home, view)
    for entry, path in zip(dataset.entries(), dataset.files(), strict=True):
        if datetime.fromisoformat(entry.facts["as_of"]) == as_of:
            return path
    return None


def _not_built(strange: Iterable[datetime], built: Sequence[datetime]) -> MissingStateError:
    return MissingStateError(
        "there is no snapshot of this date",
        expected=f"a Monday from {built[0].date()} to {built[-1].date()} that is built"
        if built
        else "a built snapshot",
        found=", ".join(f"{as_of.date()}" for as_of in strange),
        todo="see `pulse status`, or build it with `pulse build`",
    )
