"""Is the as-of join the rule it claims to be? A plain-Python oracle answers the same questions row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.as_of_join import SnapshotView, join_as_of, latest_known, name_rows, rows_between
from features.errors import IntegrityError, MissingStateError
from features.manifest import Dataset, stored_file
from features.warehouse import Engine, open_engine

START = datetime(2026, 3, 2, tzinfo=UTC)
TTL = timedelta(days=8)
TICK = timedelta(microseconds=1)
MOMENT = pa.timestamp("us", tz="UTC")


class Snapshot(NamedTuple):
    account: str
    as_of: datetime
    known_at: datetime
    value: float


class Asked(NamedTuple):
    account: str
    moment: datetime


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine(threads=1) as opened:
        yield opened


def view_in(folder: Path) -> SnapshotView:
    return SnapshotView(
        folder=folder,
        keys=("account_id",),
        as_of="as_of",
        known_at="known_at",
        features={"value": "DOUBLE", "word": "VARCHAR"},
    )


def store(folder: Path, snapshots: list[Snapshot], *, name: str = "one", facts: dict[str, str] | None = None) -> None:
    rows = pa.table(
        {
            "account_id": pa.array([row.account for row in snapshots], pa.string()),
            "as_of": pa.array([row.as_of for row in snapshots], MOMENT),
            "known_at": pa.array([row.known_at for row in snapshots], MOMENT),
            "value": pa.array([row.value for row in snapshots], pa.float64()),
            "word": pa.array([f"w{row.value:.0f}" for row in snapshots], pa.string()),
        }
    )
    dataset = Dataset(folder)
    path = dataset.staging(name)
    pq.write_table(rows, path)
    dataset.commit([(path, stored_file(path, name=name, rows=rows.num_rows, facts=facts))])


def joined(engine: Engine, folder: Path, asked: list[Asked], ttl: timedelta | None = TTL) -> list[float | None]:
    accounts = pa.array([row.account for row in asked], pa.string())
    name_rows(engine, {"account_id": accounts}, pa.array([row.moment for row in asked], MOMENT))
    values = join_as_of(engine, view_in(folder), ttl=ttl).to_pydict()
    assert values["word"] == [None if value is None else f"w{value:.0f}" for value in values["value"]]
    return list(values["value"])


def oracle(snapshots: list[Snapshot], asked: Asked, ttl: timedelta | None = TTL) -> float | None:
    known = [
        row
        for row in snapshots
        if row.account == asked.account
        and row.as_of <= asked.moment
        and row.known_at <= asked.moment
        and (ttl is None or row.as_of > asked.moment - ttl)
    ]
    return max(known, key=lambda row: (row.as_of, row.known_at)).value if known else None


offsets = st.integers(0, 40).map(lambda half_days: half_days * timedelta(hours=12))
delays = st.sampled_from([-12, 0, 0, 12, 72, 480]).map(lambda hours: timedelta(hours=hours))
accounts = st.sampled_from(["a", "b", "nobody"])
edges = st.sampled_from([timedelta(0), TICK, -TICK, TTL, TTL - TICK, TTL + TICK])


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    drawn = draw(st.lists(st.tuples(st.sampled_from("ab"), offsets, delays), max_size=25, unique=True))
    return [
        Snapshot(account, START + offset, START + offset + delay, float(number))
        for number, (account, offset, delay) in enumerate(drawn)
    ]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), snapshots=histories(), said=st.booleans(), ttl=st.sampled_from([TTL, TTL, None]))
def test_the_join_answers_as_reading_every_snapshot_by_hand_would(
    engine: Engine, data: st.DataObject, snapshots: list[Snapshot], said: bool, ttl: timedelta | None
) -> None:
    corners = [START, *(moment for row in snapshots for moment in (row.as_of, row.known_at))]
    moments = st.tuples(st.sampled_from(corners), edges).map(sum_of)
    asked = data.draw(st.lists(st.tuples(accounts, moments).map(lambda pair: Asked(*pair)), max_size=30))
    with TemporaryDirectory() as place:
        folder = Path(place)
        if said:
            for as_of in sorted({row.as_of for row in snapshots}):
                rows = [row for row in snapshots if row.as_of == as_of]
                store(folder, rows, name=as_of.strftime("%Y%m%dT%H"), facts={"as_of": as_of.isoformat()})
        if not said or not snapshots:
            store(folder, snapshots)
        assert joined(engine, folder, asked, ttl) == [oracle(snapshots, row, ttl) for row in asked]


def sum_of(pair: tuple[datetime, timedelta]) -> datetime:
    return pair[0] + pair[1]


@settings(max_examples=60, deadline=None)
@given(snapshots=histories(), offset=offsets, edge=edges)
def test_the_latest_known_rows_are_what_the_join_answers_at_that_moment(
    engine: Engine, snapshots: list[Snapshot], offset: timedelta, edge: timedelta
) -> None:
    # Online values come from one, training values from the other: they must be one rule.
    until = START + offset + edge
    with TemporaryDirectory() as place:
        store(Path(place), snapshots)
        latest = latest_known(engine, view_in(Path(place)), after=until - TTL, until=until).to_pylist()
        found = {row["account_id"]: row["value"] for row in latest}
        assert [found.get(account) for account in "ab"] == joined(
            engine, Path(place), [Asked(account, until) for account in "ab"]
        )
    assert list(found) == sorted(found)


def test_a_late_old_snapshot_never_hides_a_newer_one(engine: Engine, tmp_path: Path) -> None:
    older = Snapshot("a", START, START + timedelta(days=9), 1.0)
    newer = Snapshot("a", START + timedelta(days=7), START + timedelta(days=7), 2.0)
    store(tmp_path, [older, newer])
    assert joined(engine, tmp_path, [Asked("a", START + timedelta(days=9))], ttl=None) == [2.0]


def test_a_correction_counts_from_the_moment_it_was_known(engine: Engine, tmp_path: Path) -> None:
    first = Snapshot("a", START, START, 1.0)
    corrected = Snapshot("a", START, START + timedelta(days=2), 2.0)
    store(tmp_path, [corrected, first])
    known = START + timedelta(days=2)
    assert joined(engine, tmp_path, [Asked("a", known - TICK), Asked("a", known)]) == [1.0, 2.0]


def test_a_snapshot_is_no_value_from_the_eighth_day_on(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0)])
    assert joined(engine, tmp_path, [Asked("a", START + TTL - TICK), Asked("a", START + TTL)]) == [1.0, None]
    window = [
        latest_known(engine, view_in(tmp_path), after=end - TTL, until=end) for end in (START + TTL - TICK, START + TTL)
    ]
    assert [rows.num_rows for rows in window] == [1, 0]


def test_rows_keep_their_order_and_their_duplicates(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0), Snapshot("b", START, START, 2.0)])
    asked = [Asked(name, START) for name in ("b", "a", "nobody", "b", "b", "a")]
    assert joined(engine, tmp_path, asked) == [2.0, 1.0, None, 2.0, 2.0, 1.0]


def test_an_account_twice_in_a_snapshot_is_refused_not_multiplied(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0), Snapshot("a", START, START, 2.0)])
    with pytest.raises(IntegrityError, match="changed the number of rows"):
        joined(engine, tmp_path, [Asked("a", START)])
    with pytest.raises(IntegrityError, match="holds an account twice"):
        latest_known(engine, view_in(tmp_path), after=START - TTL, until=START)


def test_a_file_that_no_manifest_names_is_not_read(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0)])
    stray = tmp_path / "stray.parquet"
    pq.write_table(pq.read_table(next(tmp_path.glob("one*.parquet"))), stray)
    assert joined(engine, tmp_path, [Asked("a", START)]) == [1.0]


def test_only_files_that_can_matter_are_opened(tmp_path: Path) -> None:
    for number in range(5):
        as_of = START + number * timedelta(days=7)
        row = Snapshot("a", as_of, as_of, float(number))
        store(tmp_path, [row], name=f"w{number}", facts={"as_of": as_of.isoformat()})
    store(tmp_path, [Snapshot("a", START, START, 9.0)], name="unsaid")
    opened = view_in(tmp_path).files(START + timedelta(days=7), START + timedelta(days=14))
    assert [path.name.split(".")[0] for path in opened] == ["unsaid", "w1", "w2"]


def test_a_view_that_was_never_built_is_said_to_be_missing(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="pulse build"):
        joined(engine, tmp_path / "engagement", [Asked("a", START)])


def test_snapshots_built_before_a_feature_existed_are_refused(engine: Engine, tmp_path: Path) -> None:
    # A column that is missing in some files only must not be read as "no value".
    store(tmp_path, [Snapshot("a", START, START, 1.0)], name="new")
    dataset = Dataset(tmp_path)
    old = dataset.staging("old")
    pq.write_table(pq.read_table(dataset.files()[0]).drop_columns(["value"]), old)
    dataset.commit([(old, stored_file(old, name="old", rows=1))])
    with pytest.raises(IntegrityError):
        joined(engine, tmp_path, [Asked("a", START)])
    dataset.commit([], replacing=["new"])
    with pytest.raises(IntegrityError, match="value"):
        joined(engine, tmp_path, [Asked("a", START)])


def test_a_damaged_snapshot_file_is_refused(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0)])
    path = next(tmp_path.glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="not the one that was written"):
        joined(engine, tmp_path, [Asked("a", START)])
    path.write_bytes(b"\0" * Dataset(tmp_path).entries()[0].size)
    with pytest.raises(IntegrityError):
        joined(engine, tmp_path, [Asked("a", START)])


def test_no_row_asked_is_no_row_answered(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0)])
    assert joined(engine, tmp_path, []) == []


def test_every_row_between_two_dates_is_read_in_order(engine: Engine, tmp_path: Path) -> None:
    snapshots = [Snapshot(name, START + n * timedelta(days=7), START, float(n)) for n in range(4) for name in "ba"]
    store(tmp_path, snapshots)
    rows = rows_between(engine, view_in(tmp_path), first=START + timedelta(days=7), last=START + timedelta(days=14))
    assert [(row["account_id"], row["value"]) for row in rows.to_pylist()] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert rows_between(engine, view_in(tmp_path), first=None, last=None).num_rows == len(snapshots)


def test_a_window_without_files_has_no_rows_but_every_column(engine: Engine, tmp_path: Path) -> None:
    store(tmp_path, [Snapshot("a", START, START, 1.0)], facts={"as_of": START.isoformat()})
    later = START + timedelta(days=100)
    with_rows = rows_between(engine, view_in(tmp_path), first=None, last=None)
    assert latest_known(engine, view_in(tmp_path), after=later, until=later + TTL).schema == with_rows.schema
    assert rows_between(engine, view_in(tmp_path), first=later, last=None).schema == with_rows.schema
