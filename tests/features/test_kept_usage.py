"""Does a build that goes on from kept answers write, bit for bit, what a build of everything writes?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest

from features.audit import audit
from features.build import build_at, late_as_ofs
from features.errors import IntegrityError
from features.manifest import Dataset, StoredFile
from features.settings import Home
from features.settled import STEPS_SETTLED, Settled
from features.settled_rows import SETTLED_ROWS
from features.steps import STEPS, step_sql
from features.usage_layer import reading
from features.warehouse import Warehouse, open_engine
from tests.features.built_case import company, export, snapshots, take_in, torn
from tests.features.made_up_rows import FIRST, Row
from tests.features.source_case import home_in
from tests.features.test_point_in_time import Tables, parted

MONDAYS = tuple(FIRST + timedelta(weeks=week) for week in (50, 51, 52, 53))
SEED = 11
WEEK = timedelta(weeks=1)
SEGMENT = "broadcaster"

pytestmark = pytest.mark.usefixtures("everything_kept")


def tie(account: str, user: str, day: datetime, known: datetime) -> Row:
    """A day's use; four users of these weigh the same."""
    cells = {"account_id": account, "user_key": user, "product_sku": "suite", "feature_code": "core", "events": 1000}
    return {**cells, "usage_date": day.date(), "event_at": day, "available_at": known, "op": "upsert"}


def told() -> Tables:
    tables = company(SEED)
    last = MONDAYS[-1] - timedelta(days=3)
    # Four equal key users: the three that count must be the same, whoever was seen first.
    for number, user in enumerate(("zz", "yy", "xx", "aa")):
        day = FIRST + (26 + number) * WEEK
        tables["usage_daily"].append(tie("a1", user, day, last if user == "aa" else day + timedelta(days=1)))
    return tables


def in_weekly_loads(home: Home, folder: Path, tables: Tables) -> None:
    """Each load holds what became known by a Monday, and is followed by a build of this Monday alone."""
    for number, monday in enumerate(MONDAYS):
        known, tables = parted(tables, monday)
        take_in(home, export(folder / f"load-{number}", known), days=number)
        build_at(home, MONDAYS[:1] if number == 0 else [monday])
    take_in(home, export(folder / "rest", tables), days=len(MONDAYS))


@pytest.fixture(scope="module")
def whole() -> Iterator[Home]:
    """A home into which everything came at once, built without anything kept."""
    with TemporaryDirectory() as folder:
        home = home_in(Path(folder))
        take_in(home, export(Path(folder) / "in", told()))
        build_at(home, MONDAYS)
        yield home


@pytest.fixture(scope="module")
def weekly() -> Iterator[Home]:
    """A home that was loaded and built week by week."""
    with TemporaryDirectory() as folder:
        home = home_in(Path(folder))
        in_weekly_loads(home, Path(folder), told())
        yield home


@pytest.fixture
def own(weekly: Home, tmp_path: Path) -> Home:
    shutil.copytree(weekly.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def kept_files(home: Home, what: str) -> tuple[StoredFile, ...]:
    return Dataset(home.root / "kept" / what).entries()


def weeks_of(files: Sequence[StoredFile]) -> set[str]:
    return {file.facts["week"] for file in files if "week" in file.facts}


def kept_answers(home: Home) -> dict[str, list[str]]:
    """Every kept row of each step that goes on by snapshot, in one order."""
    dataset = Dataset(home.root / "kept" / "windows")
    rows: dict[str, list[str]] = {step: [] for step in STEPS_SETTLED}
    for entry, path in zip(dataset.entries(), dataset.files(), strict=True):
        rows[entry.facts["step"]] += map(repr, pq.read_table(path).to_pylist())
    return {step: sorted(told) for step, told in rows.items()}


def differing(home: Home, as_ofs: Sequence[datetime]) -> tuple[dict[str, int], int]:
    found = audit(home, as_ofs)
    return found.cells(), found.rows()


def test_week_by_week_is_what_all_at_once_is(weekly: Home, whole: Home) -> None:
    assert snapshots(weekly) == snapshots(whole)
    # The audit reads rows, and nothing that is kept.
    assert differing(weekly, [MONDAYS[-1]]) == ({}, 0)


def test_what_is_kept_week_by_week_is_what_one_build_keeps(weekly: Home, whole: Home) -> None:
    kept = kept_answers(weekly)
    assert kept == kept_answers(whole)
    assert all(kept.values())
    # So that each build went on from the one before it, and did not begin anew.
    firsts = {file.facts["first"] for file in kept_files(weekly, "windows")}
    assert {monday.isoformat() for monday in MONDAYS[1:]} <= firsts


def test_a_snapshot_built_with_one_long_before_is_the_one_built_without(own: Home, whole: Home) -> None:
    # A step leaves out what the first snapshot no longer looks back on; after so early a one it leaves out nothing.
    shutil.rmtree(own.root / "kept")
    build_at(own, (FIRST + 4 * WEEK, MONDAYS[-1]))
    assert snapshots(own, MONDAYS[-1:]) == snapshots(whole, MONDAYS[-1:])


def test_answers_in_files_are_those_in_memory(own: Home, whole: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.warehouse.ANSWERS_IN_MEMORY", 0)
    build_at(own, MONDAYS[-1:])
    assert snapshots(own) == snapshots(whole)


def test_a_build_of_what_is_there_already_works_nothing_up(own: Home) -> None:
    before = snapshots(own)
    build_at(own, MONDAYS[-1:])
    usage, windows = kept_files(own, "usage"), kept_files(own, "windows")
    build_at(own, MONDAYS[1:3])
    build_at(own, MONDAYS[-1:])
    assert (kept_files(own, "usage"), kept_files(own, "windows")) == (usage, windows)
    assert snapshots(own) == before


def test_only_weeks_of_new_rows_are_worked_up_again(own: Home, tmp_path: Path) -> None:
    build_at(own, MONDAYS[-1:])
    before = {file.name: file for file in kept_files(own, "usage")}
    day = MONDAYS[-1] - timedelta(days=30)
    row = tie("a2", "newcomer", day, MONDAYS[-1] + timedelta(days=2))
    take_in(own, export(tmp_path / "more", {"usage_daily": [row]}), days=9)
    build_at(own, [MONDAYS[-1] + WEEK])
    after = {file.name: file for file in kept_files(own, "usage")}
    changed = [file for name, file in after.items() if before.get(name) != file]
    assert weeks_of(changed) == {(day - timedelta(days=day.weekday())).date().isoformat()}
    # The snapshots of before are not touched by what was known later, so their sums are gone on from.
    newest = [file for file in kept_files(own, "windows") if file.facts["first"] > MONDAYS[-1].isoformat()]
    assert {file.facts["last"] for file in newest} == {(MONDAYS[-1] + WEEK).isoformat()}
    assert differing(own, [MONDAYS[-1] + WEEK]) == ({}, 0)


def test_late_rows_unsettle_what_they_change_and_nothing_before(tmp_path: Path, whole: Home) -> None:
    home = home_in(tmp_path)
    since = MONDAYS[2] - timedelta(days=2)
    early, late = torn(told(), Random(1), 1 / 2, since=since)  # noqa: S311 - no secret
    take_in(home, export(tmp_path / "early", early))
    build_at(home, MONDAYS)
    settled = {file.name: file for file in kept_files(home, "windows")}
    take_in(home, export(tmp_path / "late", late), days=7)
    assert late_as_ofs(home) == MONDAYS[2:]
    build_at(home, late_as_ofs(home))
    assert snapshots(home) == snapshots(whole)
    again = {file.name: file for file in kept_files(home, "windows")}
    before = {name for name, file in settled.items() if file.facts["last"] <= MONDAYS[1].isoformat()}
    assert {name: again[name] for name in before} == {name: settled[name] for name in before}
    windows = f"usage_windows.{MONDAYS[2].date()}"
    assert again[windows] != settled[windows]
    assert kept_answers(home) == kept_answers(whole)


@pytest.mark.parametrize("weeks", [9, 40])
def test_use_before_an_accounts_first_week_unsettles_all(own: Home, tmp_path: Path, weeks: int) -> None:
    # Known after the last build, so nothing is late; but windows of so many rows now begin earlier.
    monday = MONDAYS[-1] + WEEK
    rows = [tie("a3", "early", FIRST - number * WEEK, MONDAYS[-1] + timedelta(days=1)) for number in (1, weeks)]
    take_in(own, export(tmp_path / "more", {"usage_daily": rows}), days=9)
    assert late_as_ofs(own) == ()
    build_at(own, [monday])
    begun = min(file.facts["first"] for file in kept_files(own, "windows"))
    # The contracts of this company begin thirty weeks before its usage; the company's first week is that of all rows.
    assert begun == (FIRST - max(weeks, 30) * WEEK).isoformat()
    assert differing(own, [monday]) == ({}, 0)


def test_a_segment_that_nobody_was_in_before_unsettles_all(own: Home, tmp_path: Path) -> None:
    # A segment has a level at every snapshot, so that a newcomer has one to be set against in its first week.
    monday, known = MONDAYS[-1] + WEEK, MONDAYS[-1] + timedelta(days=1)
    state: Row = {"account_id": "a1", "segment": SEGMENT, "hq_tz": "UTC", "op": "upsert"}
    state |= {"valid_from": known, "event_at": known, "available_at": known}
    take_in(own, export(tmp_path / "more", {"accounts_history": [state]}), days=9)
    build_at(own, [monday])
    levels = kept_answers(own)["segment_levels"]
    assert 0 < len([row for row in levels if SEGMENT in row]) == len([row for row in levels if "studio" in row])
    assert differing(own, [monday]) == ({}, 0)


@pytest.mark.parametrize("short", [0, 1])
def test_a_home_keeps_answers_as_soon_as_it_has_rows_enough(
    own: Home, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(own.root / "kept")
    rows = sum(Warehouse(own).loaded_tables().values())
    monkeypatch.setattr("features.kept.KEPT_FROM", rows + short)
    build_at(own, MONDAYS[-1:])
    assert (own.root / "kept").exists() == (short == 0)


def test_what_is_kept_may_be_deleted(own: Home, whole: Home) -> None:
    shutil.rmtree(own.root / "kept" / "windows")
    build_at(own, MONDAYS[2:])
    assert snapshots(own) == snapshots(whole)


@pytest.mark.parametrize("what", ["usage", "windows"])
def test_a_kept_file_that_is_not_the_one_that_was_written_is_refused(own: Home, what: str) -> None:
    file = Dataset(own.root / "kept" / what).files()[-1]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="not the one that was written"):
        build_at(own, MONDAYS[-1:])


def test_other_sql_makes_what_is_kept_again(own: Home) -> None:
    other = Settled(own, MONDAYS[-1], "another text")
    assert [other.files(step) for step in STEPS_SETTLED] == [[]] * len(STEPS_SETTLED)


@pytest.mark.parametrize("step", SETTLED_ROWS)
def test_the_rows_to_go_on_from_have_the_columns_of_their_step(weekly: Home, step: str) -> None:
    dataset = Dataset(weekly.root / "kept" / "windows")
    told = zip(dataset.entries(), dataset.files(), strict=True)
    files = [path for entry, path in told if entry.facts["step"] == step]
    with open_engine(threads=1) as engine:
        engine.name("stored", files)
        assert engine.fetch("SELECT * FROM stored LIMIT 0").schema.equals(SETTLED_ROWS[step][1])


def test_the_steps_that_look_at_what_is_settled_are_kept_or_read_by_one_that_is() -> None:
    looking = {step for step in STEPS if ".settled_at" in step_sql(step)}
    assert looking == {*STEPS_SETTLED, "usage_reach", "usage_moves"}
    for part in ("usage_reach", "usage_moves"):
        readers = {step for step in STEPS if reading(step_sql(step), {part: "x"}) != step_sql(step)}
        assert readers <= {"usage_moves", "usage_windows"}


def test_a_text_reads_other_relations_where_it_names_them_whole() -> None:
    sql = "SELECT usage_daily FROM usage_daily AS u INNER JOIN\n    usage_daily_more ON u.a = usage_daily.b"
    assert reading(sql, {"usage_daily": "x"}) == sql.replace("FROM usage_daily AS", "FROM x AS")
