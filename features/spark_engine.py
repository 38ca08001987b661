"""How do the SQL steps run on Apache Spark, and in which one place is Spark spoken to?

The same interface as the default engine's (:class:`features.query_engine.QueryEngine`). Queries come in the default
engine's dialect and are translated. Whatever goes in or out (rows in memory, answers) lies as Parquet in a scratch
folder that this process and every worker share; so no answer passes through the memory of Spark's driver.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigError, ServiceUnavailable
from features.portable import other_engine_sql
from features.spark_files import address_of, parts_of, require_all_rows, schema_of, unreadable
from features.spark_needs import no_java, no_master, require_answer, require_java
from features.warehouse import granted_threads

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SESSION = {
    "spark.sql.session.timeZone": "UTC",
    # What cannot be computed (an overflow, a text that is no number) fails, as on the default engine, and is not null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    # Whatever a cluster's own settings say: rows that cannot be read are not left out.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # Days before 1582 are those of the calendar that all other tools write.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}
_START = {
    "spark.app.name": "campaign-pulse",
    # Spark's messages may quote cells, and its bars would be drawn over ours.
    "spark.log.level": "OFF",
    "spark.ui.showConsoleProgress": "false",
}
_ALONE = {
    # On one machine nothing listens to the network.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}
_ROOM_SECONDS = 120
"""A cluster that runs no task of ours within two minutes is full, or has no workers."""

_TALKATIVE = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""PySpark's own loggers repeat the message of a failure, cells and all."""

_translated = lru_cache(maxsize=256)(other_engine_sql)


class SparkEngine:
    """One session of Spark. Not shared between threads."""

    joins_as_of = False

    def __init__(self, session: SparkSession, scratch: Path) -> None:
        self._session = session
        self._scratch = scratch
        self._written = 0

    def name(self, name: str, files: Sequence[Path], *, same_columns: bool = False) -> None:
        """Let SQL read Parquet (files, or what :meth:`write` made) as one table; columns that one lacks are null there.

        Raises:
            IntegrityError: a file cannot be read or, with ``same_columns``, lacks a column of the first one.
        """
        columns = schema_of(files, same_columns=same_columns)
        self._session.read.schema(columns).parquet(*map(address_of, files)).createOrReplaceTempView(name)

    def name_rows(self, name: str, rows: pa.Table) -> None:
        """Let SQL read an Arrow table in memory under that name."""
        target = self._next().with_suffix(".parquet")
        pq.write_table(rows, target, coerce_timestamps="us")
        self.name(name, [target])

    def name_query(self, name: str, query: str) -> None:
        """Give a query's answer a name; it is computed when read."""
        self._rows(query).createOrReplaceTempView(name)

    def keep(self, name: str, query: str) -> None:
        """Compute a query's answer once and give it a name."""
        target = self._next()
        self.write(query, target)
        self.name(name, [target])

    def columns(self, query: str) -> dict[str, str]:
        """Names and types (in Spark's words) of a query's answer, in order."""
        return {field.name: field.dataType.simpleString() for field in self._rows(query).schema.fields}

    def write(self, query: str, target: Path) -> int:
        """Write a query's answer as a folder of Parquet files and return its number of rows.

        Raises:
            IntegrityError: an input cannot be read, or this process does not see what the workers wrote.
            ServiceUnavailable: Spark stopped while it worked.
        """
        from pyspark.sql import Observation  # noqa: PLC0415
        from pyspark.sql.functions import count, lit  # noqa: PLC0415

        told = Observation()
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = self._rows(query).observe(told, count(lit(1)).alias("rows"))
        with _only_the_kind_of_a_failure():
            rows.write.mode("overwrite").parquet(address_of(target))
            written = int(told.get["rows"])
        require_all_rows(target, written)
        return written

    def fetch(self, query: str) -> pa.Table:
        """A query's answer as an Arrow table, for answers that fit in this process's memory."""
        target = self._next()
        self.write(query, target)
        # Parts are numbered in the order of the answer.
        answer = pa.concat_tables([pq.ParquetFile(part).read() for part in parts_of(target)])
        shutil.rmtree(target)
        return answer

    def map_texts(self, work: Callable[[str], str], texts: Sequence[str]) -> list[str]:
        """One answer per text, in their order; each is a task of its own on an executor.

        ``work`` is a function of a module that the executors have as well.

        Raises:
            ServiceUnavailable: an executor could not do its task, or Spark stopped.
        """

        def answers(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for part in parts:
                yield part.assign(text=[work(text) for text in part["text"]])

        columns = "place int, text string"
        rows = self._session.sparkContext.parallelize(list(enumerate(texts)), len(texts))
        told = self._session.createDataFrame(rows, columns).mapInPandas(answers, columns)
        with _only_the_kind_of_a_failure():
            return [row.text for row in sorted(told.collect(), key=lambda row: int(row.place))]

    def _rows(self, query: str) -> DataFrame:
        return self._session.sql(_translated(query))

    def _next(self) -> Path:
        self._written += 1
        return self._scratch / f"{self._written:06d}"


@contextmanager
def open_spark_engine(scratch: Path, *, master: str | None = None) -> Iterator[SparkEngine]:
    """A fresh session of this process's Spark, which is started where none is running and ends with the process.

    Without a master: the Spark that is running, or else this machine with the granted cores. ``scratch`` is seen by
    every worker at the same path.

    Raises:
        ConfigError: Spark or Java is not installed, or the Spark that is running has another master.
        ServiceUnavailable: the master does not answer, or has no room.
    """
    session = _running(master).newSession()
    _hush()
    for key, value in _SESSION.items():
        session.conf.set(key, value)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch, prefix="spark-") as own:
        yield SparkEngine(session, Path(own))


def _running(master: str | None) -> SparkSession:
    running = _installed().getActiveSession()
    if running is None:
        return _started(master or f"local[{granted_threads()}]")
    there = str(running.sparkContext.master)
    if master not in {None, there}:
        raise ConfigError(
            "another Spark is running in this process",
            expected=f"the master {master}",
            found=there,
            todo="name no master to use the one that is running, or stop it first",
        )
    return running


def _installed() -> type[SparkSession]:
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "Spark is not installed",
            expected="the extra `spark` of campaign-pulse",
            found="no package pyspark",
            todo="run `pip install 'campaign-pulse[spark]'`, or build with DuckDB",
        ) from None
    return SparkSession


def _started(master: str) -> SparkSession:
    from py4j.protocol import Py4JError  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    require_java()
    require_answer(master)
    is_alone = master.startswith("local")
    if is_alone:
        # Functions of ours run in the Python that has our packages; Spark asks for no other word than this one.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, bool | float | int | str | None] = {**_START, **(_ALONE if is_alone else {})}
    try:
        session = _installed().builder.master(master).config(map=settings).getOrCreate()
    except PySparkException as cause:
        raise no_java(cause.getCondition() or type(cause).__name__) from None
    except Py4JError as cause:
        raise no_master(master, type(cause).__name__) from None
    atexit.register(session.stop)
    if not is_alone:
        _require_room(session, master)
    return session


def _hush() -> None:
    from pyspark.logger import PySparkLogger  # noqa: PLC0415

    for name in _TALKATIVE:
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL + 1)


def _require_room(session: SparkSession, master: str) -> None:
    with ThreadPoolExecutor(1) as alone:
        first = alone.submit(session.range(1).count)
        try:
            first.result(_ROOM_SECONDS)
        except TimeoutError:
            session.stop()
            raise ServiceUnavailable(
                "the Spark cluster has no room for us",
                expected=f"one task done within {_ROOM_SECONDS} seconds at {master}",
                found="none",
                todo="look at the cluster's page: are there workers with as much memory as spark.executor.memory asks?",
            ) from None


@contextmanager
def _only_the_kind_of_a_failure() -> Iterator[None]:
    from py4j.protocol import Py4JError, Py4JNetworkError  # noqa: PLC0415
    from pyspark.errors import AnalysisException, PySparkException, PythonException  # noqa: PLC0415

    try:
        yield
    except PythonException:
        raise ServiceUnavailable(
            "a Spark executor could not do its task",
            expected="executors with our Python, our packages, and the memory for them",
            found="a failure of Python there",
            todo="look at the log of the executor; PYSPARK_PYTHON says which Python it takes",
        ) from None
    except AnalysisException:
        # A mistake of ours.
        raise
    except (Py4JNetworkError, ConnectionError) as cause:
        raise ServiceUnavailable(
            "Spark stopped while it worked",
            expected="an answer",
            found=type(cause).__name__,
            todo="give it more memory (spark.driver.memory, spark.executor.memory in spark-defaults.conf)",
        ) from None
    except PySparkException as cause:
        # Spark's own message may hold cell values; only its kind goes out, so the cause is cut off as well.
        raise unreadable(cause.getCondition() or type(cause).__name__) from None
    except Py4JError as cause:
        raise unreadable(type(cause).__name__) from None
