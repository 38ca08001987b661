"""Do the executors of Spark and the workers of Dask say what this machine says, bit for bit? On real processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from distributed import Client
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from features.errors import IntegrityError, ServiceUnavailable
from features.progress import silent
from features.settings import Home
from features.spark_engine import open_spark_engine
from pulse import app
from serving.batch.choice import ScoreEngine
from serving.batch.engines import Workers
from serving.batch.files import score_files
from serving.batch.frames import FrameScorer
from serving.batch.pieces import Task, pieces_of
from tests.features.spark_case import MASTER, executors
from tests.features.spark_case import cluster as spark_cluster
from tests.serving.batch_case import features_of, lines_in, scores_in, with_cell, write
from tests.serving.service_case import now, stored_home
from tests.training.dask_case import cluster as dask_cluster
from training.model import bundle_hash

pytestmark = pytest.mark.timeout(600)
ENGINES = ("spark", "dask")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_home(tmp_path_factory.mktemp("clusters"))


@pytest.fixture(scope="module")
def rows(home: Home, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    rows = features_of(home, tmp_path_factory.mktemp("rows"))
    return with_cell(with_cell(rows, 3, "usable_weeks", np.inf), 50, "account_id", None)


@pytest.fixture(scope="module")
def source(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two files, four row groups together."""
    folder = tmp_path_factory.mktemp("files") / "features"
    write(rows.slice(0, 30), folder / "a.parquet")
    write(rows.slice(30), folder / "b.parquet", row_group_size=20)
    return folder


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workers]]:
    with (
        spark_cluster(tmp_path_factory.mktemp("spark") / "conf"),
        dask_cluster(tmp_path_factory.mktemp("dask")) as scheduler,
    ):
        yield {
            "spark": Workers(ScoreEngine.SPARK, master=MASTER),
            "dask": Workers(ScoreEngine.DASK, scheduler=scheduler),
        }


@pytest.fixture(scope="module")
def alone(home: Home, source: Path) -> Path:
    """What this machine makes of the folder ``features`` beside it."""
    target = source.with_name("scores")
    score_files(home, source, target, now=now())
    return target


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cluster_writes_what_one_machine_writes_byte_by_byte(
    home: Home, alone: Path, workers: dict[str, Workers], tmp_path: Path, engine: str
) -> None:
    target = tmp_path / "scores"
    report = score_files(home, alone.with_name("features"), target, now=now(), workers=workers[engine])
    assert engine != "spark" or executors() == 2
    assert sorted(path.name for path in target.iterdir()) == sorted(path.name for path in alone.iterdir())
    for path in alone.iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes(), path.name
    assert report.refused == {"account_id": 1, "finite": 1}
    assert [(line["file"], line["row"]) for line in lines_in(target / "_quarantine.jsonl")] == [
        ("a.parquet", 4),
        ("b.parquet", 21),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_goes_wrong_on_a_worker_is_told_as_what_it_is(
    home: Home, source: Path, workers: dict[str, Workers], tmp_path: Path, engine: str
) -> None:
    piece = pieces_of(source / "a.parquet")[0]
    tasks = [Task((piece,), str(home.bundles / "1"), "0" * 64, str(tmp_path / "s.parquet"), str(tmp_path / "q.jsonl"))]
    with pytest.raises(IntegrityError, match="another bundle"):
        workers[engine].do(tasks, scratch=tmp_path / "scratch", progress=silent)


def test_a_defect_on_an_executor_shows_nothing_of_the_rows(workers: dict[str, Workers], tmp_path: Path) -> None:
    with open_spark_engine(tmp_path / "scratch", master=MASTER) as spark:
        assert spark.map_texts(str.upper, ["a", "b", "c"]) == ["A", "B", "C"]
        with pytest.raises(ServiceUnavailable) as refused:
            spark.map_texts(lambda text: str(int(text)), ["secret"])
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_frames_of_ones_own_are_scored_in_place(
    home: Home, rows: pa.Table, alone: Path, workers: dict[str, Workers], tmp_path: Path
) -> None:
    # Whoever has features in a table of Spark or Dask asks the same scorer there, without a file between.
    import dask.dataframe as dd  # noqa: PLC0415

    scorer = FrameScorer(home.bundles / "1", bundle_hash(home.bundles / "1"))
    frame, expected = rows.to_pandas(), scores_in(alone)
    with open_spark_engine(tmp_path / "scratch", master=MASTER):
        session = SparkSession.getActiveSession()
        assert session is not None
        there = session.createDataFrame(frame).mapInPandas(scorer.frames, scorer.columns).toPandas()
    there["as_of"] = there["as_of"].astype("datetime64[us]").dt.tz_localize("UTC")
    with Client(workers["dask"].scheduler, set_as_default=False) as client:
        parts = dd.from_pandas(frame, npartitions=3, sort=False).map_partitions(scorer, meta=scorer.meta)
        here = client.compute(parts).result()
    for answer in (there, here):
        assert answer["refused"].dropna().tolist() == ["finite", "account_id"]
        good = answer[answer["refused"].isna()].drop(columns="refused").reset_index(drop=True)
        pd.testing.assert_frame_equal(good, expected, check_exact=True, check_dtype=False)
        assert answer.loc[answer["refused"].notna(), "health"].isna().all()


def test_the_command_takes_an_engine(home: Home, source: Path, workers: dict[str, Workers], tmp_path: Path) -> None:
    words = ["--from", source, "--to", tmp_path / "s", "--engine", "dask", "--scheduler", workers["dask"].scheduler]
    done = CliRunner().invoke(app, ["--home", str(home.root), "score", *map(str, words)])
    assert done.exit_code == 4  # two rows of the folder are faulty
    assert json.loads((tmp_path / "s" / "_manifest.json").read_text())["refused"] == {"account_id": 1, "finite": 1}
