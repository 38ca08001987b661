"""Does a cluster say what one machine says: every step, every snapshot, every point-in-time read?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.as_of_join import latest_known, rows_between
from features.build import VIEWS, build_at, compute_views, snapshot_dataset
from features.catalogue import FEATURES
from features.company_levels import norms_dataset
from features.engine_place import DUCKDB, EnginePlace, open_at
from features.errors import ConfigError, IntegrityError
from features.identity import resolve_stored
from features.manifest import Dataset
from features.query_engine import QueryEngine
from features.settings import Home
from features.simulator import simulate
from features.spark_files import require_all_rows
from features.steps import STEPS
from features.store import FeatureStore
from features.warehouse import Warehouse
from pulse import app
from tests.features.built_case import company, export, take_in
from tests.features.made_up_rows import FIRST
from tests.features.snapshot_case import MONDAY, account_ids, bits, store_snapshot, weeks
from tests.features.spark_case import cluster, differences, executors, inexact_steps, read
from tests.features.test_store_join import Asked, Snapshot, joined, oracle, store, view_in

DIRTY_START, DIRTY_WEEKS = datetime(2021, 1, 4, tzinfo=UTC), 34
AS_OFS = (
    *(DIRTY_START + timedelta(weeks=week) for week in (28, 29, 33)),
    *(FIRST + timedelta(weeks=week) for week in (40, 52)),
)
"""Of a dirty company that was simulated, and of one with rows of every kind that was made up, in one home."""

HALF_DAY = timedelta(hours=12)
NAMES = [f"a{number}" for number in range(30)]
TICKS = (timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1))
Answers = dict[str, pa.Table]

pytestmark = pytest.mark.timeout(1200)
"""The first test that asks for the cluster waits for a hundred steps in it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePlace]:
    with cluster(tmp_path_factory.mktemp("spark") / "conf") as started:
        yield started


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("loaded")
    home = Home(root=folder / "home")
    simulate(regime="dirty", accounts=5, seed=11, start=DIRTY_START.date(), weeks=DIRTY_WEEKS, out=folder / "simulated")
    take_in(home, folder / "simulated")
    take_in(home, export(folder / "made-up", company(4)), days=1)
    return home


@pytest.fixture(scope="module")
def alone(loaded: Home) -> tuple[Home, Answers]:
    """A build on one machine; each step's answer from a second run, for a build does not run what it has kept."""
    home, scratch = Home(root=loaded.root.parent / "alone"), loaded.root.parent / "steps"
    shutil.copytree(loaded.root, home.root)
    build_at(home, AS_OFS)
    with open_at(DUCKDB, scratch) as engine:
        Warehouse(home).name_tables(engine)
        engine.holds_answers = False  # each step's answer is read from its file below
        compute_views(engine, resolve_stored(engine, Warehouse(home)), AS_OFS, scratch)
    return home, {step: read(scratch / f"{step}.parquet") for step in STEPS}


@pytest.fixture(scope="module")
def spread(loaded: Home, place: EnginePlace) -> tuple[Home, Answers]:
    """A build on the cluster, and each step's answer as it comes."""
    home = Home(root=loaded.root.parent / "spread")
    shutil.copytree(loaded.root, home.root)
    answers: Answers = {}

    def listen(stage: str, done: int, total: int) -> None:
        if stage == "build features":
            assert total == len(STEPS)
            (answer,) = home.root.glob(f"build-*/{STEPS[done - 1]}.parquet")
            answers[STEPS[done - 1]] = read(answer)

    build_at(home, AS_OFS, place=place, progress=listen)
    assert executors() == 2
    return home, answers


def test_every_step_gives_the_same_answer_on_both_engines(
    alone: tuple[Home, Answers], spread: tuple[Home, Answers]
) -> None:
    assert set(spread[1]) == set(STEPS)
    inexact = inexact_steps()
    told = [
        line
        for step in STEPS
        for line in differences(step, alone[1][step], spread[1][step], is_exact=step not in inexact)
    ]
    assert told == []
    # What was compared is not nothing.
    empty = {step for step in STEPS if alone[1][step].num_rows == 0}
    assert len(empty) < len(STEPS) / 15, empty
    assert alone[1]["cohort"].num_rows > 15
    assert len(inexact) < len(STEPS) / 3


def test_the_same_snapshots_and_norms_are_stored(alone: tuple[Home, Answers], spread: tuple[Home, Answers]) -> None:
    def told(dataset: Dataset) -> list[Any]:
        return [(entry.name, entry.rows, entry.facts) for entry in dataset.entries()]

    inexact = inexact_steps()
    for view in VIEWS:
        mine, theirs = (snapshot_dataset(home, view) for home, _ in (alone, spread))
        assert told(mine) == told(theirs)
        for one, other in zip(mine.files(), theirs.files(), strict=True):
            # In the same order, too.
            pair = pq.read_table(one, partitioning=None), pq.read_table(other, partitioning=None)
            assert pair[0].select(["as_of", "account_id"]) == pair[1].select(["as_of", "account_id"])
            assert differences(view, *pair, is_exact=view not in inexact) == []
    mine, theirs = (norms_dataset(home) for home, _ in (alone, spread))
    assert told(mine) == told(theirs)
    for entry, one, other in zip(mine.entries(), mine.files(), theirs.files(), strict=True):
        assert differences(entry.name, pq.read_table(one), pq.read_table(other), is_exact=False) == []
    assert not list(spread[0].root.glob("build-*"))


@pytest.fixture
def engine(place: EnginePlace, tmp_path: Path) -> Iterator[QueryEngine]:
    with open_at(place, tmp_path / ".scratch, 100% of it's é") as opened:
        yield opened
    assert list((tmp_path / ".scratch, 100% of it's é").iterdir()) == []


def test_rows_come_back_as_they_went_in_and_in_order(engine: QueryEngine, tmp_path: Path) -> None:
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(2999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC), None]
    rows = pa.table(
        {
            "n": pa.array([1, 2, None], pa.int64()),
            "at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "a word": ["é'\"`\\", "", None],
            "x": pa.array([-0.0, 5e-324, None], pa.float64()),
            "is": [True, False, None],
            "on": pa.array([moment and moment.date() for moment in moments], pa.date32()),
        }
    )
    engine.name_rows("rows", rows)
    ordered = engine.fetch("SELECT * FROM rows ORDER BY n DESC")
    assert ordered.schema.remove_metadata() == rows.schema
    assert ordered.to_pylist() == [rows.to_pylist()[place] for place in (1, 0, 2)]
    engine.keep("kept", 'SELECT n + 1 AS m, "a word" FROM rows')
    engine.name_query("named", "SELECT m, ROW_NUMBER() OVER (ORDER BY m) AS place FROM kept WHERE m IS NOT NULL")
    assert engine.columns("SELECT * FROM named") == {"m": "bigint", "place": "bigint"}
    assert engine.write("SELECT * FROM named", tmp_path / "out") == 2
    engine.name("again", [tmp_path / "out"])
    assert engine.fetch("SELECT * FROM again ORDER BY m").to_pylist() == [{"m": 2, "place": 1}, {"m": 3, "place": 2}]
    assert engine.fetch("SELECT * FROM again WHERE m > 9").num_rows == 0


def test_files_with_other_columns_are_one_table_or_refused(engine: QueryEngine, tmp_path: Path) -> None:
    files = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    pq.write_table(pa.table({"a": pa.array([1], pa.int32())}), files[0])
    pq.write_table(pa.table({"b": ["z"], "a": [2]}), files[1])
    engine.name("ab", files)
    assert engine.fetch("SELECT a, b FROM ab ORDER BY a").to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "z"}]
    engine.name("ab", files, same_columns=True)
    with pytest.raises(IntegrityError, match="without a column of the first"):
        engine.name("ba", files[::-1], same_columns=True)


def test_a_failure_tells_its_kind_and_no_value(
    engine: QueryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for query in ("SELECT CAST('canary-1' AS BIGINT) AS x", "SELECT 9223372036854775807 + CAST('1' AS BIGINT) AS x"):
        with pytest.raises(IntegrityError, match=r"CAST_INVALID_INPUT|ARITHMETIC_OVERFLOW") as failure:
            engine.fetch(query)
        assert failure.value.__suppress_context__
        assert "canary" not in str(failure.value)
    pq.write_table(pa.table({"a": ["canary-2"] * 9}), tmp_path / "x.parquet")
    engine.name("words", [tmp_path / "x.parquet"])
    with pytest.raises(IntegrityError):
        engine.fetch("SELECT CAST(a AS BIGINT) AS x FROM words")
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[:4] + b"x" * 40 + whole[44:])
    with pytest.raises(IntegrityError, match="could not read its input"):
        engine.fetch("SELECT a FROM words")
    (tmp_path / "x.parquet").write_bytes(b"x" * len(whole))
    with pytest.raises(IntegrityError, match="could not read its input"):
        engine.name("words", [tmp_path / "x.parquet"])
    assert "canary" not in "".join(capfd.readouterr())


def test_a_path_that_spark_takes_for_a_pattern_is_refused(place: EnginePlace, tmp_path: Path) -> None:
    # It would read each file twice, in silence.
    with open_at(place, tmp_path / "what?") as opened, pytest.raises(ConfigError, match="as a pattern"):
        opened.name_rows("rows", pa.table({"a": [1]}))


def test_rows_that_workers_wrote_to_disks_of_their_own_are_missed(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="found 0 rows"):
        require_all_rows(tmp_path, 0)
    for number in range(2):
        pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / f"part-0000{number}-x.parquet")
    require_all_rows(tmp_path, 6)
    (tmp_path / "part-00000-x.parquet").unlink()
    with pytest.raises(IntegrityError, match=r"expected 6 rows in a folder that every worker shares.*found 3 rows"):
        require_all_rows(tmp_path, 6)


def test_a_second_master_in_one_process_is_refused_by_the_command_too(place: EnginePlace, loaded: Home) -> None:
    with open_at(place, loaded.root / "scratch"):
        words = ["--from", "2022-05-30", "--to", "2022-06-01", "--engine", "spark", "--master", "yarn"]
        done = CliRunner().invoke(app, ["build", *words, "--home", str(loaded.root)])
    assert done.exit_code == 2
    assert "another Spark is running" in done.stderr
    assert "expected: the master yarn" in done.stderr


def drawn(random: Random) -> list[Snapshot]:
    """Snapshots of a few weeks, some known before their time, most at it, some weeks later; some known twice."""
    drawn = {
        (random.choice(NAMES), MONDAY + random.randrange(40) * HALF_DAY, random.choice((-1, 0, 0, 0, 1, 6, 40)))
        for _ in range(400)
    }
    return [
        Snapshot(name, as_of, as_of + delay * HALF_DAY, float(place))
        for place, (name, as_of, delay) in enumerate(sorted(drawn))
    ]


@pytest.mark.parametrize("ttl", [timedelta(days=8), None])
def test_the_as_of_join_answers_as_reading_every_snapshot_by_hand_would(
    engine: QueryEngine, tmp_path: Path, ttl: timedelta | None
) -> None:
    random = Random(3)  # noqa: S311 - no secret
    snapshots = drawn(random)
    store(tmp_path / "view", snapshots)
    asked = [
        Asked(random.choice([*NAMES, "nobody"]), MONDAY + random.randrange(70) * HALF_DAY + random.choice(TICKS))
        for _ in range(300)
    ]
    asked += random.choices(asked, k=60)
    expected = [oracle(snapshots, row, ttl) for row in asked]
    assert expected.count(None) < 200
    assert joined(engine, tmp_path / "view", asked, ttl) == expected


def test_both_stores_read_the_same_rows_in_the_same_order(place: EnginePlace, tmp_path: Path) -> None:
    home, accounts, dates = Home(root=tmp_path / "home").prepare(), account_ids(20), weeks(3)
    for as_of in dates:
        late = timedelta(days=3 if as_of == dates[1] else 0)
        store_snapshot(home, as_of, accounts, known_at=as_of + late)
    FeatureStore(home).apply()
    random = Random(5)  # noqa: S311 - no secret
    moments = [random.choice(dates) + timedelta(hours=random.choice((0, 0, 30, 71, 72, 190))) for _ in range(200)]
    names = [random.choice([*accounts, "nobody", ""]) for _ in moments]
    asked = pd.DataFrame({"account_id": names, "as_of": pd.to_datetime(moments, utc=True), "kept": range(200)})
    asked = pd.concat([asked, asked.iloc[:50]])
    one, other = FeatureStore(home).historical(asked), FeatureStore(home, offline=place).historical(asked)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert bits(one, [feature.name for feature in FEATURES]) == bits(other, [feature.name for feature in FEATURES])
    assert one["phase"].notna().sum() > 100


def test_the_latest_rows_and_the_rows_of_a_span_are_those_of_the_other_engine(
    engine: QueryEngine, tmp_path: Path
) -> None:
    store(tmp_path / "view", drawn(Random(4)))  # noqa: S311 - no secret
    view, first, last = view_in(tmp_path / "view"), MONDAY + timedelta(days=3), MONDAY + timedelta(days=11)
    with open_at(DUCKDB, tmp_path / "alone") as alone:
        for told in (
            lambda one: latest_known(one, view, after=first, until=last),
            lambda one: rows_between(one, view, first=first, last=last),
        ):
            rows = told(engine)
            assert rows.to_pydict() == told(alone).to_pydict()
            assert rows.num_rows > 15
