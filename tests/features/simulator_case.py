"""Simulated companies that tests of the simulator share; each is drawn once per process."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from features.simulator.company import Company, found_company
from features.simulator.world import World

START = date(2021, 1, 4)
YEARS_4 = 208


@lru_cache(maxsize=6)
def company(accounts: int, seed: int, weeks: int = YEARS_4) -> Company:
    """The latent company of the default world; a big one costs memory as long as it is kept."""
    return found_company(World(), accounts=accounts, seed=seed, start=START, weeks=weeks)


def table(folder: Path, name: str) -> pd.DataFrame:
    """One written table; ``name`` may be ``truth/oracle``."""
    return pq.read_table(folder / f"{name}.parquet").to_pandas()
