"""Rows that arrive after the snapshots of their time were built: are these found, and built as if nothing were late?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from features.build import COHORT, build_at, built_as_ofs, late_as_ofs, snapshot_dataset
from features.inputs import inputs_of
from features.settings import Home
from features.standing import standing_of
from features.warehouse import FIRST_AVAILABLE_AT, Warehouse
from tests.features.built_case import AS_OFS, company, export, snapshots, take_in, torn
from tests.features.made_up_rows import FIRST
from tests.features.replay_case import edit, file_of, play
from tests.features.source_case import home_in, write_text

SEED = 4
TORN_AT = AS_OFS[1]
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("everything_kept")


@pytest.fixture(scope="module")
def whole() -> Iterator[Home]:
    """A home into which everything came at once."""
    with TemporaryDirectory() as folder:
        home = home_in(Path(folder))
        take_in(home, export(Path(folder) / "in", company(SEED)))
        build_at(home, AS_OFS)
        yield home


@pytest.fixture(scope="module")
def before_and_later() -> Iterator[tuple[Home, Path]]:
    """A home that was built while a third of the rows since the second snapshot had not come, and these rows."""
    with TemporaryDirectory() as folder:
        home = home_in(Path(folder))
        early, late = torn(company(SEED), Random(1), 1 / 3, since=AS_OFS[0] + DAY)  # noqa: S311 - no secret
        take_in(home, export(Path(folder) / "early", early))
        build_at(home, AS_OFS)
        yield home, export(Path(folder) / "late", late)


@pytest.fixture
def home(before_and_later: tuple[Home, Path], tmp_path: Path) -> Home:
    """A copy of that home into which the late rows have come."""
    built, later = before_and_later
    shutil.copytree(built.root, tmp_path / "home")
    own = Home(root=tmp_path / "home")
    assert take_in(own, later, days=7).new > 50
    return own


def test_a_look_back_build_makes_every_changed_snapshot_what_a_full_build_makes_it(home: Home, whole: Home) -> None:
    before = snapshots(home)
    assert late_as_ofs(home) == AS_OFS[1:]
    build_at(home, late_as_ofs(home))
    assert late_as_ofs(home) == ()
    after = snapshots(home)
    # Late or in time: what is stored depends on the rows alone.
    assert after == snapshots(whole)
    assert before != after
    build_at(home, AS_OFS)
    assert snapshots(home) == after


def test_a_snapshot_before_the_late_rows_is_not_touched(home: Home) -> None:
    entries = {entry.name: entry for entry in snapshot_dataset(home, COHORT).entries()}
    build_at(home, late_as_ofs(home))
    first = f"{AS_OFS[0].date()}"
    assert {entry.name: entry for entry in snapshot_dataset(home, COHORT).entries()}[first] == entries[first]
    # And it would not have changed.
    old = snapshots(home, AS_OFS[:1])
    build_at(home, AS_OFS[:1])
    assert snapshots(home, AS_OFS[:1]) == old


def test_a_build_of_some_weeks_leaves_the_others_late(home: Home) -> None:
    build_at(home, AS_OFS[2:3])
    assert late_as_ofs(home) == (AS_OFS[1], AS_OFS[3])
    standing = standing_of(home)
    assert standing.late == (AS_OFS[1], AS_OFS[3])
    assert f"rows that came late change 2 from {AS_OFS[1].date()} on: `pulse build --late`" in standing.lines()[0]


def test_a_build_that_stopped_between_two_views_is_late(home: Home) -> None:
    build_at(home, AS_OFS)
    assert late_as_ofs(home) == ()
    market = snapshot_dataset(home, "market")
    market.commit([], replacing=[f"{AS_OFS[2].date()}"])
    assert late_as_ofs(home) == (AS_OFS[2],)


def test_nothing_built_and_nothing_loaded_is_nothing_late(tmp_path: Path) -> None:
    assert late_as_ofs(home_in(tmp_path)) == ()


def test_a_snapshot_rests_on_the_files_with_a_row_known_by_then(whole: Home) -> None:
    early = FIRST - timedelta(weeks=520)
    digests = inputs_of(whole, [early, *AS_OFS, FIRST + timedelta(weeks=520)])
    # Every table began before these weeks, so that all of them rest on the same files; nothing was known ten years ago.
    assert len(set(digests.values())) == 2
    assert digests[early] == inputs_of(home_in(whole.root / "empty"), [early])[early]


def test_a_file_that_does_not_tell_its_time_counts_for_every_snapshot(whole: Home, tmp_path: Path) -> None:
    shutil.copytree(whole.root, tmp_path / "home")
    own = Home(root=tmp_path / "home")
    dataset = Warehouse(own).dataset("tickets_history")
    (entry,) = dataset.entries()
    (file,) = dataset.files()
    staged = shutil.copy(file, dataset.staging("x"))
    facts = {name: value for name, value in entry.facts.items() if name != FIRST_AVAILABLE_AT}
    dataset.commit([(Path(staged), type(entry)("x", entry.sha256, entry.rows, entry.size, facts))])
    assert late_as_ofs(own) == built_as_ofs(own)


def test_a_row_that_comes_out_of_quarantine_changes_the_snapshots_since_it_was_known(
    before_and_later: tuple[Home, Path], tmp_path: Path
) -> None:
    built, _ = before_and_later
    shutil.copytree(built.root, tmp_path / "home")
    own = Home(root=tmp_path / "home")
    known = AS_OFS[2] - DAY
    header = "account_id,user_key,product_sku,feature_code,usage_date,events,available_at"
    row = f"a1,nobody,suite,core,{known.date() - 2 * DAY},many,{known.isoformat()}"
    take_in(own, write_text(tmp_path / "in", "usage_daily.csv", header, row).parent, days=8)
    assert late_as_ofs(own) == ()
    edit(file_of(own, "usage_daily"), lambda cells: {**cells, "events": "500"})
    play(own, now=datetime.fromisoformat("2026-07-01T00:00:00+00:00"))
    assert late_as_ofs(own) == AS_OFS[2:]
    before = snapshots(own)
    build_at(own, late_as_ofs(own))
    changed = [
        row["as_of"]
        for old, row in zip(before["engagement"], snapshots(own)["engagement"], strict=True)
        if old != row and row["account_id"] == "a1"
    ]
    assert changed[0] == AS_OFS[2]
