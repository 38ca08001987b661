"""A real Spark cluster on this machine: a master, two workers and an executor process of each, as small as can be.

Started once by the file that asks for it, and stopped with it. What an operator would say in ``spark-defaults.conf`` is
said there. And: what tells the answers of two engines apart.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from math import isclose
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
import sqlglot
from pyspark.sql import SparkSession
from sqlglot import exp

from features.engine_place import EngineKind, EnginePlace
from features.steps import STEPS, step_sql

MASTER = "local-cluster[2,1,1024]"
PLACE = EnginePlace(kind=EngineKind.SPARK, master=MASTER)
_DEFAULTS = """
spark.executor.memory 512m
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.default.parallelism 2
spark.sql.shuffle.partitions 2
spark.sql.adaptive.enabled false
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.local.dir {folder}
"""
"""A handful of rows is not worth compiling for, nor spreading over more than two tasks."""


@contextmanager
def cluster(folder: Path) -> Iterator[EnginePlace]:
    """Settings for a cluster; the first engine that is opened with the place starts it."""
    folder.mkdir()
    (folder / "spark-defaults.conf").write_text(_DEFAULTS.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield PLACE
        if running := SparkSession.getActiveSession():
            left = Path(pyspark.__file__).parent / "work" / running.sparkContext.applicationId
            running.stop()
            # A cluster of this kind logs beside the library, whatever it is told.
            shutil.rmtree(left, ignore_errors=True)


def executors() -> int:
    """Processes of the running cluster that do the work, without the driver."""
    running = SparkSession.getActiveSession()
    assert running is not None
    return len(running.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1


def read(answer: Path) -> pa.Table:
    """What an engine wrote: one file, or a folder of parts."""
    parts = sorted(answer.glob("part-*")) if answer.is_dir() else [answer]
    return pa.concat_tables([pq.ParquetFile(part).read() for part in parts])


def inexact_steps() -> set[str]:
    """Steps with a logarithm or an exponential in them or in a step that they read.

    The last bits of these two are the C library's on one engine and Java's on the other.
    """
    found: set[str] = set()
    for step in STEPS:
        tree = sqlglot.parse_one(step_sql(step), read="duckdb")
        if tree.find(exp.Ln, exp.Exp) or found & {table.name for table in tree.find_all(exp.Table)}:
            found.add(step)
    return found


def _same(one: object, other: object, *, is_exact: bool) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        bits = struct.pack("<d", one) == struct.pack("<d", other)
        return bits if is_exact else bits or isclose(one, other, rel_tol=1e-12, abs_tol=1e-14)
    return one == other


def differences(step: str, one: pa.Table, other: pa.Table, *, is_exact: bool) -> list[str]:
    """What differs, by column; rows are matched by all that is not a fraction."""
    columns = [list(zip(table.column_names, map(str, table.schema.types), strict=True)) for table in (one, other)]
    if columns[0] != columns[1]:
        return [f"{step}: columns {sorted(set(columns[0]) ^ set(columns[1])) or 'in another order'}"]
    if one.num_rows != other.num_rows:
        return [f"{step}: {one.num_rows} rows and {other.num_rows}"]
    keys = [field.name for field in one.schema if not pa.types.is_floating(field.type)]
    keys += [name for name in one.column_names if name not in keys]
    pair = [table.sort_by([(name, "ascending") for name in keys]) for table in (one, other)]
    told = []
    for name in one.column_names:
        cells = zip(*(table.column(name).to_pylist() for table in pair), strict=True)
        wrong = sum(not _same(*both, is_exact=is_exact) for both in cells)
        if wrong:
            told.append(f"{step}.{name}: {wrong} of {one.num_rows} rows")
    return told
