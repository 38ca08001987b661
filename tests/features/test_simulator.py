"""Does a simulation write exactly the declared tables, the same each time, and keep its truth apart?"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.errors import UsageError
from features.events import TABLES
from features.simulator import REGIMES, World, simulate
from features.simulator.writer import ARROW_TYPES, SOURCES
from tests.features.simulator_case import START, table

WEEKS = 60
SEED = 3
ENVELOPE_AS_DELIVERED = ["source_system", "event_at", "event_precision", "recorded_at", "available_at", "op"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sim")
    simulate(regime="campaign", accounts=40, seed=SEED, start=START, weeks=WEEKS, out=out)
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_in_every_file(written: Path, tmp_path: Path) -> None:
    simulate(regime="campaign", accounts=40, seed=SEED, start=START, weeks=WEEKS, out=tmp_path)
    assert hashes(tmp_path) == hashes(written)
    assert len(hashes(written)) == len(SOURCES) + 8


def test_another_seed_gives_another_company(written: Path, tmp_path: Path) -> None:
    simulate(regime="campaign", accounts=40, seed=SEED + 1, start=START, weeks=WEEKS, out=tmp_path)
    same = {name for name, digest in hashes(tmp_path).items() if hashes(written)[name] == digest}
    # The calendar is public: it is the same for everybody.
    assert same == {"campaigns.parquet", "campaign_instances_history.parquet"}


def test_the_report_counts_what_was_written(tmp_path: Path) -> None:
    report = simulate(regime="campaign", accounts=5, seed=1, start=START, weeks=20, out=tmp_path)
    assert report.rows == {name: pq.read_metadata(tmp_path / f"{name}.parquet").num_rows for name in SOURCES}
    assert report.truth_rows == {
        path.stem: pq.read_metadata(path).num_rows for path in (tmp_path / "truth").glob("*.parquet")
    }


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_table_has_its_declared_columns_types_choices_and_key(written: Path, name: str) -> None:
    declared, rows = TABLES[name], pq.read_table(written / f"{name}.parquet")
    assert rows.column_names == [*ENVELOPE_AS_DELIVERED, *(column.name for column in declared.columns)]
    for column in declared.columns:
        cells = rows.column(column.name)
        assert cells.type == ARROW_TYPES[column.kind], column.name
        assert column.nullable or cells.null_count == 0, column.name
        if column.choices:
            assert set(pc.unique(cells).to_pylist()) - {None} <= set(column.choices), column.name
        lowest, highest = pc.min_max(cells).as_py().values() if column.minimum is not None else (None, None)
        assert lowest is None or lowest >= column.minimum, column.name
        assert highest is None or column.maximum is None or highest <= column.maximum, column.name
    keys = rows.select(list(declared.key)).group_by(list(declared.key)).aggregate([])
    assert keys.num_rows == rows.num_rows
    assert rows.num_rows > 0


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nothing_is_known_before_it_happened_or_after_the_export(written: Path, name: str) -> None:
    rows = pq.read_table(written / f"{name}.parquet", columns=["event_at", "recorded_at", "available_at"])
    export = pa.scalar(datetime(2022, 2, 28, tzinfo=UTC), pa.timestamp("us", tz="UTC"))
    assert pc.all(pc.less_equal(rows["event_at"], rows["recorded_at"])).as_py()
    assert pc.all(pc.less_equal(rows["recorded_at"], rows["available_at"])).as_py()
    assert pc.all(pc.less_equal(rows["available_at"], export)).as_py()


def test_the_truth_is_in_no_canonical_table(written: Path) -> None:
    declared = {column.name for known in TABLES.values() for column in known.columns}
    truth = {column for path in (written / "truth").glob("*.parquet") for column in pq.read_schema(path).names}
    ids = {"account_id", "campaign_instance_id", "campaign_id", "segment", "effective_on"}
    other_meaning = {"kind", "value", "phase"}
    assert truth & declared == ids | other_meaning
    assert {"h", "f", "hazard", "p_90", "susceptible", "dropped"} <= truth


def test_no_module_of_the_service_reads_the_simulator() -> None:
    root = Path(__file__).parents[2]
    readers = [
        path.relative_to(root)
        for room in ("features", "training", "serving")
        for path in (root / room).rglob("*.py")
        if "features.simulator" in path.read_text() and "simulator" not in path.parts
    ]
    # The command asks for a company; it reads none.
    assert readers == [Path("features/commands/simulation.py")]


def test_the_manifest_says_how_to_make_the_company_again(written: Path) -> None:
    manifest = json.loads((written / "truth" / "manifest.json").read_text())
    parameters = manifest.pop("parameters")
    assert manifest == {
        "accounts": 40,
        "regime": "campaign",
        "seed": SEED,
        "simulator_version": "3",
        "start": "2021-01-04",
        "weeks": WEEKS,
    }
    assert World.model_validate(parameters) == REGIMES["campaign"].world == World()


def test_an_unknown_regime_is_refused_by_naming_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        simulate(regime="calm", accounts=5, seed=1, start=START, weeks=10, out=tmp_path)
    assert refusal.value.expected == f"one of {', '.join(REGIMES)}"
    assert refusal.value.found == "'calm'"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("accounts", "start", "weeks", "title"),
    [
        (5, date(2021, 1, 5), 10, "a simulation starts on a Monday"),
        (5, START, 0, "a simulation needs time"),
        (0, START, 10, "a company needs accounts"),
        (5, date(2019, 1, 7), 10, "the campaign calendar has no facts for this range"),
        (5, date(2027, 1, 4), 60, "the campaign calendar has no facts for this range"),
    ],
)
def test_a_company_that_cannot_be_is_refused(
    tmp_path: Path, accounts: int, start: date, weeks: int, title: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        simulate(regime="campaign", accounts=accounts, seed=1, start=start, weeks=weeks, out=tmp_path)
    assert refusal.value.title == title


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    simulate(
        regime="campaign",
        accounts=3,
        seed=1,
        start=START,
        weeks=5,
        out=tmp_path,
        progress=lambda stage, done, total: calls.append((stage, done, total)),
    )
    for stage in {stage for stage, _, _ in calls}:
        parts = [(done, total) for name, done, total in calls if name == stage]
        assert parts == sorted(parts)
        assert parts[-1][0] == parts[-1][1]


def test_a_tiny_company_over_a_short_time_has_every_table(tmp_path: Path) -> None:
    simulate(regime="campaign", accounts=1, seed=2, start=START, weeks=1, out=tmp_path)
    assert {path.stem for path in tmp_path.glob("*.parquet")} == set(SOURCES)
    assert len(table(tmp_path, "accounts_history")) <= 1
