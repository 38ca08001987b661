"""Is one account, computed anew by itself, what a build of the whole company says of it?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from features.build import COHORT, VIEWS, build_at
from features.catalogue import FEATURES
from features.company_levels import NORMS, ONLY_FOR_NORMS, norms_dataset
from features.definitions import AS_OF, KNOWN_AT
from features.errors import IntegrityError, MissingStateError, UnknownAccount
from features.push import account_rows, day_end, push_account, push_accounts, rows_of_accounts, weeks_from
from features.settings import Home
from features.shelf import Shelf
from features.steps import STEPS, step_sql
from features.store import FeatureStore
from features.vocabulary import Subcategory
from features.warehouse import Engine, open_engine
from tests.features.made_up_rows import ACCOUNTS, FIRST, Row
from tests.features.push_case import (
    Views,
    built_home,
    by_account,
    company_at,
    features_only,
    load,
    snapshot_of,
    stored_tables,
)
from tests.walk_case import pulse

SEED = 4
MONDAY = FIRST + timedelta(weeks=44)
WEDNESDAY = MONDAY + timedelta(days=2, hours=14, minutes=3)
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Built once and online at the Monday; tests that change something copy it."""
    home = built_home(tmp_path_factory.mktemp("push") / "home", SEED, MONDAY)
    store = FeatureStore(home)
    store.apply()
    store.materialize(MONDAY)
    Shelf(home).catch_up()
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def alone(home: Home, moment: datetime) -> Views:
    """Each account computed by itself."""
    each = [by_account(account_rows(home, account, moment)) for account in ACCOUNTS]
    return {view: {name: row for rows in each for name, row in rows[view].items()} for view in VIEWS}


def assert_same(found: Views, expected: Views) -> None:
    assert {view: sorted(rows) for view, rows in found.items()} == {
        view: sorted(rows) for view, rows in expected.items()
    }
    for view, rows in expected.items():
        for account, row in rows.items():
            assert features_only(found[view][account]) == features_only(row), (view, account)


def ticket(account: str, at: datetime, **cells: Any) -> Row:
    return {
        "ticket_id": f"new-{account}-{at.isoformat()}",
        "valid_from": at,
        "account_id": account,
        "created_at": at,
        "channel": "portal",
        "type": "incident",
        "priority": "urgent",
        "status": "open",
        "available_at": at,
        "op": "upsert",
        **cells,
    }


@pytest.mark.parametrize("seed", [SEED, pytest.param(19, marks=pytest.mark.full)])
def test_at_a_built_monday_an_account_alone_is_the_row_of_the_build(made: Home, tmp_path: Path, seed: int) -> None:
    home = made if seed == SEED else built_home(tmp_path / "home", seed, MONDAY)
    expected = snapshot_of(home, MONDAY)
    assert expected[COHORT]
    assert_same(alone(home, MONDAY), expected)


@pytest.mark.parametrize("hours", [pytest.param(1, marks=pytest.mark.full), 167.9])
def test_between_mondays_an_account_alone_is_its_row_of_the_whole_company(made: Home, hours: float) -> None:
    # The whole company over all its rows, nothing left out: what one account does not see must not matter to it.
    moment = MONDAY + timedelta(hours=hours)
    expected = company_at(made, moment)
    assert expected[COHORT]
    assert_same(alone(made, moment), expected)


@pytest.mark.parametrize("moment", [MONDAY, WEDNESDAY])
def test_some_accounts_together_are_what_each_is_alone(made: Home, moment: datetime) -> None:
    # Half of the company, so that others are missing; one of them asked for twice, and one that is nobody.
    asked = ACCOUNTS[::2]
    together = by_account(rows_of_accounts(made, [*asked, asked[0], "nobody"], moment))
    each = [by_account(account_rows(made, account, moment)) for account in asked]
    assert together[COHORT]
    assert_same(together, {view: {name: row for rows in each for name, row in rows[view].items()} for view in VIEWS})


def test_a_push_of_some_puts_all_of_them_online_and_tells_who_has_something_to_compute(home: Home) -> None:
    store = FeatureStore(home)
    one, two, other = sorted(snapshot_of(home, MONDAY)[COHORT])[:3]
    before = store.online([other])
    load(home, "tickets_history", [ticket(one, WEDNESDAY), ticket(two, WEDNESDAY)], "second")
    push_account(store, two, WEDNESDAY + timedelta(minutes=1))
    assert push_accounts(store, ["nobody"], WEDNESDAY) == frozenset()
    assert push_accounts(store, [one, two, "nobody"], WEDNESDAY) == {one, two}
    newest = [pd.Timestamp(WEDNESDAY), pd.Timestamp(WEDNESDAY + timedelta(minutes=1))]
    assert store.online([one, two])[AS_OF].tolist() == newest
    pd.testing.assert_frame_equal(store.online([other]), before)


@pytest.mark.parametrize("days", [1, 4])
def test_it_does_not_matter_on_which_weekday_weeks_begin(made: Home, days: int) -> None:
    # The whole world lives so many days later, the build is moved along: only what follows the calendar may change.
    later = timedelta(days=days)
    moved = {name: _moved(rows, later) for name, rows in stored_tables(made).items()}
    found, expected = company_at(made, MONDAY + later, moved), snapshot_of(made, MONDAY)
    for view in ("engagement", "campaign", "output_quality", "financial", "sentiment"):
        told = {account: features_only(row) for account, row in found[view].items()}
        assert told == {account: features_only(row) for account, row in expected[view].items()}, view


def test_new_rows_of_any_hour_count_at_once_and_only_for_their_account(home: Home) -> None:
    before = company_at(home, WEDNESDAY)
    account, other = sorted(before[COHORT])[:2]
    minute = timedelta(minutes=1)
    load(home, "tickets_history", [ticket(account, WEDNESDAY), ticket(account, WEDNESDAY + minute)], "second")
    after = {name: by_account(account_rows(home, name, WEDNESDAY)) for name in (account, other)}
    name = "tickets_per_100_seats_w13"
    gain = after[account]["sentiment"][account][name] - before["sentiment"][account][name]
    assert gain == pytest.approx(100 / before[COHORT][account]["seats"])
    assert after[other] == {view: {other: rows[other]} for view, rows in before.items()}
    for view in ("market", "financial", "engagement", COHORT):
        assert after[account][view][account] == before[view][account], view
    expected = company_at(home, WEDNESDAY)
    assert after[account] == {view: {account: rows[account]} for view, rows in expected.items()}


def test_a_push_puts_the_new_row_online_with_its_moment_and_only_for_this_account(home: Home) -> None:
    store = FeatureStore(home)
    account, *others = sorted(snapshot_of(home, MONDAY)[COHORT])
    before = store.online(others)
    load(home, "tickets_history", [ticket(account, WEDNESDAY)], "second")
    pushed = push_account(store, account, WEDNESDAY)
    assert (pushed.as_of, pushed.norms_as_of, pushed.is_newest) == (WEDNESDAY, MONDAY, True)
    row = store.online([account]).iloc[0]
    assert row["as_of"] == pd.Timestamp(WEDNESDAY)
    expected = company_at(home, WEDNESDAY)
    told = {name: value for part in Subcategory for name, value in features_only(expected[part][account]).items()}
    assert features_only({name: None if pd.isna(row[name]) else row[name] for name in NAMES}) == told
    pd.testing.assert_frame_equal(store.online(others), before)


def test_an_older_push_never_replaces_a_newer_one_and_the_next_build_replaces_both(home: Home) -> None:
    store = FeatureStore(home)
    account = min(snapshot_of(home, MONDAY)[COHORT])
    push_account(store, account, WEDNESDAY)
    newest = store.online([account])
    older = push_account(store, account, WEDNESDAY - timedelta(minutes=1))
    assert not older.is_newest
    assert "not put online" in older.lines()[0]
    store.materialize(MONDAY)
    pd.testing.assert_frame_equal(store.online([account]), newest)
    assert push_account(store, account, WEDNESDAY).is_newest
    pd.testing.assert_frame_equal(store.online([account]), newest)


def test_an_unknown_account_and_one_without_a_contract_are_told_and_change_nothing(home: Home) -> None:
    store = FeatureStore(home)
    known = sorted(snapshot_of(home, MONDAY)[COHORT])
    before = store.online(known)
    for account in ("nobody", "", "a1' OR '1' = '1"):
        with pytest.raises(UnknownAccount):
            push_account(store, account, WEDNESDAY)
    pd.testing.assert_frame_equal(store.online(known), before)


@pytest.mark.parametrize("away", [timedelta(seconds=-1), timedelta(days=8, seconds=1), timedelta(days=400)])
def test_without_a_build_of_the_last_days_a_push_is_refused(home: Home, away: timedelta) -> None:
    with pytest.raises(MissingStateError, match="run `pulse build`"):
        push_account(FeatureStore(home), "a1", MONDAY + away)


def test_without_any_build_a_push_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="found none"):
        account_rows(Home(root=tmp_path / "none"), "a1", WEDNESDAY)


def test_views_that_do_not_belong_together_are_refused(home: Home) -> None:
    store = FeatureStore(home)
    account = min(snapshot_of(home, MONDAY)[COHORT])
    rows = {part: rows.to_pandas() for part, rows in account_rows(home, account, WEDNESDAY).items() if part != COHORT}
    rows["market"] = rows["market"].assign(as_of=pd.Timestamp(MONDAY))
    with pytest.raises(IntegrityError, match="others in market"):
        store.push(rows)
    assert store.online([account])[AS_OF].tolist() == [pd.Timestamp(MONDAY)]


def test_the_command_tells_what_it_did(home: Home) -> None:
    account = min(snapshot_of(home, MONDAY)[COHORT])
    done = pulse("push", account, "--as-of", WEDNESDAY.isoformat(), home=home.root)
    assert (done.code, done.stdout.strip()) == (
        0,
        f"{account} as of {WEDNESDAY.isoformat()}: online (norms of {MONDAY.date()})",
    )
    assert done.document == {
        "account": account,
        "as_of": WEDNESDAY.isoformat(),
        "norms_as_of": MONDAY.isoformat(),
        "is_newest": True,
    }
    assert pulse("push", "nobody", "--as-of", WEDNESDAY.isoformat(), home=home.root).code == 6


def test_norms_are_the_steps_that_sum_over_accounts_and_an_older_build_leaves_them(home: Home) -> None:
    kept = norms_dataset(home).entries()
    assert {entry.name for entry in kept} == {*NORMS, "other_accounts"}
    build_at(home, [MONDAY - timedelta(weeks=1)])
    assert norms_dataset(home).entries() == kept
    assert set(NORMS) | set(ONLY_FOR_NORMS) < set(STEPS)


def test_only_norms_read_what_only_norms_need() -> None:
    for step in STEPS:
        read = set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", step_sql(step)))
        assert step in NORMS or not read & set(ONLY_FOR_NORMS), step


def test_no_step_counts_wider_than_a_file_can_hold(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # Kept in memory a wider number would be read otherwise than after a build, which writes each step to a file.
    kinds: dict[str, dict[str, str]] = {}

    def kept(engine: Engine, name: str, query: str) -> None:
        keep(engine, name, query)
        kinds[name] = engine.columns(f'SELECT * FROM "{name}"')

    keep = Engine.keep
    monkeypatch.setattr(Engine, "keep", kept)
    account_rows(made, "a1", MONDAY)
    assert set(STEPS) - set(ONLY_FOR_NORMS) <= set(kinds)
    wide = {(name, column) for name, columns in kinds.items() for column, kind in columns.items() if "HUGE" in kind}
    assert wide == set()


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-03-02T00:00:00+00:00", "2026-03-02T00:00:00+00:00"),
        ("2026-03-02T00:00:00.000001+00:00", "2026-03-03T00:00:00+00:00"),
        ("2026-03-04T23:59:59+00:00", "2026-03-05T00:00:00+00:00"),
        ("2026-03-05T01:00:00+02:00", "2026-03-05T00:00:00+00:00"),
    ],
)
def test_a_day_ends_at_its_midnight(moment: str, end: str) -> None:
    assert day_end(datetime.fromisoformat(moment)) == datetime.fromisoformat(end)


def test_weeks_begin_on_the_weekday_asked_for() -> None:
    day, moment = "DATE_TRUNC('week', CAST(day_on AS DATE))", "DATE_TRUNC('week', LEAST(moment, moment))"
    sql = f"SELECT CAST({day} AS DATE) AS a, {moment} AS b FROM t"
    assert weeks_from(sql, 0) == sql
    days = [date(2026, 3, 2) + timedelta(days=number) for number in range(14)]
    moments = [datetime(one.year, one.month, one.day, 23, tzinfo=FIRST.tzinfo) for one in days]
    with open_engine(threads=1) as engine:
        engine.name_rows("t", pa.table({"day_on": days, "moment": pa.array(moments, pa.timestamp("us", tz="UTC"))}))
        for weekday in range(7):
            found = engine.fetch(weeks_from(sql, weekday)).to_pylist()
            assert [row["a"] for row in found] == [row["b"].date() for row in found]
            assert all(row["a"].weekday() == weekday for row in found)
            assert all(timedelta(0) <= day - row["a"] < timedelta(7) for day, row in zip(days, found, strict=True))


def _moved(rows: pa.Table, later: timedelta) -> pa.Table:
    def cell(value: Any) -> Any:
        return value + later if isinstance(value, date | datetime) else value

    moved = [{name: cell(value) for name, value in row.items()} for row in rows.to_pylist()]
    return pa.Table.from_pylist(moved, schema=rows.schema)


def _dates(row: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return row[AS_OF], row[KNOWN_AT]


def test_rows_stand_on_the_moment_asked_for(made: Home) -> None:
    for rows in alone(made, WEDNESDAY).values():
        assert {_dates(row) for row in rows.values()} == {(WEDNESDAY, WEDNESDAY)}
