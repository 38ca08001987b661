"""Made-up companies of every regime, tiny, each simulated and ingested once per process."""

from __future__ import annotations

import atexit
import hashlib
import shutil
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.settings import Home
from features.simulator import REGIMES, SimulationReport, simulate
from features.simulator.company import Company, found_company
from features.simulator.specials import with_treatment
from features.simulator.treatment import Alerts
from features.sources import IngestReport, ingest
from tests.features.simulator_case import START

ACCOUNTS, WEEKS, SEED = 30, 80, 11
NOW = datetime(2026, 1, 5, tzinfo=UTC)


@cache
def scratch() -> Path:
    """A folder of this process."""
    folder = Path(mkdtemp(prefix="pulse-regimes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def written(regime: str) -> tuple[Path, SimulationReport]:
    """A tiny company of a regime: its folder, and what the simulator says of it."""
    out = scratch() / regime
    return out, simulate(regime=regime, accounts=ACCOUNTS, seed=SEED, start=START, weeks=WEEKS, out=out)


@cache
def ingested(regime: str) -> tuple[Home, IngestReport]:
    """The same, taken into a home of its own."""
    home = Home(root=scratch() / f"{regime}-home")
    return home, ingest(home, written(regime)[0], mapping=None, now=NOW)


@lru_cache(maxsize=4)
def latent(regime: str, accounts: int = 1500, seed: int = 4, weeks: int = 208) -> tuple[Company, Alerts | None]:
    """The latent company of a regime and its alerts; no table is written."""
    world = REGIMES[regime].world
    return with_treatment(found_company(world, accounts=accounts, seed=seed, start=START, weeks=weeks))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its place in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fingerprint(path: Path) -> str:
    """What stands in a table, whatever version of a library wrote it down; numbers count to six digits."""
    digest = hashlib.sha256()
    rows = pq.read_table(path)
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        cells = column.combine_chunks()
        if pa.types.is_floating(cells.type):
            values = cells.fill_null(float("nan")).to_numpy(zero_copy_only=False)
            text = "\n".join(np.char.mod("%.6g", values + 0.0))
        else:
            text = "\n".join(pc.fill_null(cells.cast(pa.string()), "\x00").to_pylist())
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()[:12]
