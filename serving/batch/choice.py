"""Who may score whole files? Light to import: the command line asks before anything is done."""

from __future__ import annotations

from enum import StrEnum


class ScoreEngine(StrEnum):
    """One machine, the executors of Spark, or the workers of Dask."""

    LOCAL = "local"
    SPARK = "spark"
    DASK = "dask"
