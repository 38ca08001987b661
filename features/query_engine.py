"""What must a query engine be able to do, so that the SQL steps run on it?

The steps are written in the portable subset of the default engine's dialect (:mod:`features.portable`); an engine with
another dialect translates. Two engines can do this: :class:`features.warehouse.Engine` (DuckDB, one machine) and
:class:`features.spark_engine.SparkEngine` (Apache Spark, one machine or a cluster).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa


class QueryEngine(Protocol):
    """One session. Every timestamp is UTC in microseconds."""

    joins_as_of: bool
    """Does it know the ASOF join?"""

    def name(self, name: str, files: Sequence[Path], *, same_columns: bool = False) -> None:
        """Let SQL read Parquet (files, or what :meth:`write` made) as one table; columns that one lacks are null there.

        With ``same_columns`` a file that lacks a column of the first one is refused.
        """

    def name_rows(self, name: str, rows: pa.Table) -> None:
        """Let SQL read an Arrow table in memory under that name."""

    def name_query(self, name: str, query: str) -> None:
        """Give a query's answer a name; it is computed when read."""

    def keep(self, name: str, query: str) -> None:
        """Compute a query's answer once and give it a name; for answers of a few thousand rows."""

    def columns(self, query: str) -> dict[str, str]:
        """Names and types (in the engine's words) of a query's answer, in order."""

    def write(self, query: str, target: Path) -> int:
        """Write a query's answer as Parquet, for :meth:`name` to read, and return its number of rows.

        ``target`` becomes one file or, on a cluster, a folder of them.
        """

    def fetch(self, query: str) -> pa.Table:
        """A query's answer as an Arrow table, for answers that fit in memory; ``ORDER BY`` is obeyed."""
