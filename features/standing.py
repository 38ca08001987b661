"""What is loaded and built in a home, and is it still what was written?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from features.build import VIEWS, built_as_ofs, late_as_ofs, snapshot_dataset
from features.company_levels import norms_dataset
from features.progress import Progress, silent
from features.settings import Home
from features.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows per canonical table, the snapshots there are, and those that late rows change; oldest first."""

    tables: dict[str, int]
    snapshots: tuple[datetime, ...]
    late: tuple[datetime, ...] = ()

    def lines(self) -> list[str]:
        """The standing for people, with what to do where there is nothing."""
        span = "none yet: run `pulse build`"
        if self.snapshots:
            span = f"{len(self.snapshots)}, {self.snapshots[0].date()} to {self.snapshots[-1].date()}"
        if self.late:
            span += f"; rows that came late change {len(self.late)} from {self.late[0].date()} on: `pulse build --late`"
        tables = [f"  {name:<28}{rows:>14,}" for name, rows in sorted(self.tables.items())]
        return [f"weekly snapshots: {span}", "tables:", *(tables or ["  none yet: run `pulse ingest`"])]


def standing_of(home: Home) -> Standing:
    """What a home holds; reads manifests only."""
    return Standing(Warehouse(home).loaded_tables(), built_as_ofs(home), late_as_ofs(home))


def verify_files(home: Home, *, progress: Progress = silent) -> int:
    """Read every stored file of tables and snapshots and compare its hash; the number of datasets that were read.

    Raises:
        IntegrityError: a file is not the one that was written; it is named.
    """
    warehouse = Warehouse(home)
    datasets = [warehouse.dataset(name) for name in warehouse.loaded_tables()]
    datasets += [*(snapshot_dataset(home, view) for view in VIEWS), norms_dataset(home)]
    for done, dataset in enumerate(datasets, start=1):
        dataset.verify()
        progress("verify files", done, len(datasets))
    return len(datasets)
