"""Does an account that goes by two ids have the features it would have under one, and only from when that was known?"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.audit import audit
from features.build import COHORT, build_at, late_as_ofs
from features.errors import UnknownAccount
from features.events import TABLES
from features.identity import families_of, resolve
from features.push import account_rows, push_account, rows_of_accounts
from features.settings import Home
from features.shelf import Shelf
from features.store import FeatureStore
from features.warehouse import open_engine
from tests.features.built_case import export, take_in
from tests.features.identity_case import LONG_AGO, MERGED_AT, alias, named, resolved_rows, torn_apart, views_of
from tests.features.made_up_rows import FIRST, Row
from tests.features.push_case import by_account, features_only, load, snapshot_of
from tests.features.test_point_in_time import Tables, everything

SEED = 4
AS_OFS = tuple(FIRST + timedelta(weeks=week) for week in (30, 44))
Views = dict[str, list[dict[str, Any]]]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def company() -> Tables:
    return everything(SEED)


@pytest.fixture(scope="module")
def clean(company: Tables) -> Views:
    """The views of the company as it is."""
    return views_of(company, AS_OFS)


@pytest.fixture(scope="module")
def merged(company: Tables) -> Tables:
    """Half of what was known of a1 before the merger bears an old id."""
    apart = torn_apart(company, "a1", "old-a1", until=MERGED_AT)
    return {**apart, "account_aliases": [alias("old-a1", "a1", MERGED_AT, "merge")]}


@pytest.fixture(scope="module")
def found(merged: Tables) -> Views:
    """The views of the merged company."""
    return views_of(merged, AS_OFS)


def test_rows_under_two_ids_known_from_the_start_give_the_features_of_one(company: Tables, clean: Views) -> None:
    # Every table, accounts too; two links to go; in the rows of this one source, and of every source.
    apart = torn_apart(company, "a1", "crm-17", spared=())
    apart = torn_apart(apart, "a1", "older", spared=())
    aliases = [alias("crm-17", "a1", LONG_AGO, "explicit", source_system="test"), alias("older", "old", LONG_AGO)]
    assert views_of({**apart, "account_aliases": [*aliases, alias("old", "a1", LONG_AGO)]}, AS_OFS) == clean


def test_an_alias_that_becomes_known_later_changes_no_cell(merged: Tables, found: Views) -> None:
    # Law 1. The rows are torn apart for good; only the merger is learnt after the snapshot.
    before = AS_OFS[0]
    known = {view: [row for row in rows if row["as_of"] == before] for view, rows in found.items()}
    assert known == views_of({**merged, "account_aliases": []}, [before])


def test_from_the_merger_on_the_account_has_one_history(found: Views, clean: Views) -> None:
    one = {row["as_of"]: row for row in clean["financial"] if row["account_id"] == "a1"}
    two = {row["as_of"]: row for row in found["financial"] if row["account_id"] == "a1"}
    # Nothing of the company as a whole goes into these, so the whole row must be that of the clean world.
    for as_of in AS_OFS[1:]:
        assert two[as_of] == one[as_of]
    assert two[AS_OFS[0]] != one[AS_OFS[0]]
    # The old id is nobody any more.
    assert {row["account_id"] for row in found[COHORT]} == {"a1", "a2", "a3"}


def test_resolving_again_changes_nothing(merged: Tables) -> None:
    with open_engine(threads=1) as engine:
        resolved = named(engine, merged)
        tables = {name: engine.fetch(f'SELECT * FROM "{name}" ORDER BY ALL') for name in TABLES}
        again = resolve(engine, resolved.name_again)
        assert again.late == resolved.late == {("old-a1", MERGED_AT)}
        for name, rows in tables.items():
            assert engine.fetch(f'SELECT * FROM "{name}" ORDER BY ALL').equals(rows), name


def test_a_row_counts_to_each_account_from_when_that_was_known_and_only_its_last_version_moves() -> None:
    at = FIRST + 10 * DAY
    first: Row = {"ticket_id": "t", "valid_from": FIRST, "account_id": "a", "created_at": FIRST, "status": "open"}
    versions = [{**first, "available_at": FIRST + n * DAY, "status": status} for n, status in ((1, "new"), (2, "open"))]
    rows = {
        "tickets_history": [*versions, {**first, "ticket_id": "u", "available_at": at + DAY}],
        "account_aliases": [alias("a", "b", at), alias("b", "c", at + 5 * DAY)],
    }
    assert resolved_rows(rows, "tickets_history", "ticket_id, account_id, available_at, status") == [
        ("t", "a", FIRST + DAY, "new"),
        ("t", "a", FIRST + 2 * DAY, "open"),
        ("t", "b", at, "open"),
        ("t", "c", at + 5 * DAY, "open"),
        ("u", "b", at + DAY, "open"),
        ("u", "c", at + 5 * DAY, "open"),
    ]


def test_a_row_that_its_source_has_moved_already_is_not_overruled() -> None:
    at = FIRST + 10 * DAY
    row: Row = {"ticket_id": "t", "valid_from": FIRST, "created_at": FIRST, "available_at": FIRST, "status": "open"}
    rows = {
        "tickets_history": [
            {**row, "account_id": "a"},
            {**row, "account_id": "b", "status": "solved", "available_at": FIRST + DAY},
        ],
        "account_aliases": [alias("a", "b", at)],
    }
    found = resolved_rows(rows, "tickets_history", "account_id, status, available_at")
    assert found == [("a", "open", FIRST), ("b", "solved", FIRST + DAY)]


def state(account: str, **cells: Any) -> Row:
    told = {"valid_from": LONG_AGO, "available_at": LONG_AGO, "segment": "studio", "hq_tz": "UTC", "op": "upsert"}
    return {"account_id": account, **told, **cells}


def use(account: str, events: int, user: str | None = None) -> Row:
    told = {"product_sku": "suite", "usage_date": FIRST.date(), "available_at": FIRST + DAY, "op": "upsert"}
    return {"account_id": account, "user_key": user, "events": events, **told}


def test_totals_of_two_accounts_that_became_one_add_up_and_what_one_user_did_does_not() -> None:
    rows = {
        "accounts_history": [state("b")],
        "usage_daily": [use("a", 5), use("b", 7), use("a", 1, "u"), use("b", 2, "u")],
        "account_aliases": [alias("a", "b", LONG_AGO, "merge")],
    }
    keys = resolved_rows(rows, "usage_daily", "account_id, user_key, product_sku, events")
    # Records are told apart by their key: two totals, and one user told of twice.
    assert len({key[:3] for key in keys}) == 3
    assert {key[0] for key in keys} == {"b"}
    assert sum(events for _, user, _, events in keys if user is None) == 12


def test_an_old_day_total_ends_where_it_moves() -> None:
    at = FIRST + 10 * DAY
    rows = {"usage_daily": [use("a", 5, "u")], "account_aliases": [alias("a", "b", at)]}
    assert resolved_rows(rows, "usage_daily", "account_id, op, available_at") == [
        ("a", "delete", at),
        ("a", "upsert", FIRST + DAY),
        ("b", "upsert", at),
    ]


def test_what_a_merged_account_was_called_says_nothing_of_the_survivor_but_another_source_may() -> None:
    rows = {
        "accounts_history": [state("a", segment="agency"), state("k")],
        "account_aliases": [
            alias("a", "b", FIRST, "merge"),
            alias("k", "b", LONG_AGO, "explicit", source_system="test"),
        ],
    }
    assert resolved_rows(rows, "accounts_history", "account_id, segment, op") == [
        ("a", "agency", "delete"),
        ("a", "agency", "upsert"),
        ("b", "studio", "upsert"),
    ]


def test_no_row_moves_to_an_account_that_nobody_told_of_until_somebody_does() -> None:
    moved = {"usage_daily": [use("a", 5, "u")], "account_aliases": [alias("a", "b", LONG_AGO, "merge")]}
    assert resolved_rows(moved, "usage_daily", "account_id") == [("a",)]
    heard = {**moved, "accounts_history": [state("b", available_at=FIRST + 10 * DAY)]}
    assert resolved_rows(heard, "usage_daily", "account_id, op, available_at") == [
        ("a", "delete", FIRST + 10 * DAY),
        ("a", "upsert", FIRST + DAY),
        ("b", "upsert", FIRST + 10 * DAY),
    ]


def test_the_alias_of_a_parent_leads_to_the_parent() -> None:
    rows = {
        "accounts_history": [state("a", parent_account_id="p-old"), state("p")],
        "account_aliases": [alias("p-old", "p", FIRST + DAY, "merge")],
    }
    assert resolved_rows(rows, "accounts_history", "account_id, parent_account_id, available_at") == [
        ("a", "p", FIRST + DAY),
        ("a", "p-old", LONG_AGO),
        ("p", None, LONG_AGO),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, merged: Tables) -> Home:
    """The merged company loaded, and built for a snapshot before the merger and one after it."""
    home = Home(root=tmp_path_factory.mktemp("identity") / "home").prepare()
    for name, rows in merged.items():
        load(home, name, rows, "first")
    build_at(home, AS_OFS)
    store = FeatureStore(home)
    store.apply()
    store.materialize(AS_OFS[1])
    return home


def test_an_account_alone_is_the_row_of_the_build_by_each_of_its_ids(home: Home) -> None:
    built = snapshot_of(home, AS_OFS[1])
    for name in ("a1", "old-a1"):
        alone = by_account(account_rows(home, name, AS_OFS[1]))
        assert set(alone[COHORT]) == {"a1"}
        for view, rows in alone.items():
            assert features_only(rows["a1"]) == features_only(built[view]["a1"]), view
    together = by_account(rows_of_accounts(home, ["a1", "old-a1", "a2"], AS_OFS[1]))
    for view, rows in together.items():
        assert {name: features_only(row) for name, row in rows.items()} == {
            name: features_only(built[view][name]) for name in ("a1", "a2")
        }, view
    assert push_account(FeatureStore(home), "old-a1", AS_OFS[1]).account_id == "a1"
    with pytest.raises(UnknownAccount):
        push_account(FeatureStore(home), "nobody", AS_OFS[1])


def test_an_audit_of_one_snapshot_finds_what_a_build_of_several_stored(home: Home) -> None:
    assert not audit(home, AS_OFS[1:]).snapshots[0].differs


def test_a_late_alias_makes_the_snapshots_late_that_could_have_known_it(home: Home, tmp_path: Path) -> None:
    assert late_as_ofs(home) == ()
    own = _copy(home, tmp_path)
    # Loaded as an ingest loads it, with the moment from which the file reaches back.
    take_in(own, export(tmp_path / "in", {"account_aliases": [alias("a3", "a2", AS_OFS[1] - DAY, "merge")]}))
    assert late_as_ofs(own) == AS_OFS[1:2]
    build_at(own, late_as_ofs(own))
    assert late_as_ofs(own) == ()
    assert set(snapshot_of(own, AS_OFS[1])[COHORT]) == {"a1", "a2"}
    assert set(snapshot_of(own, AS_OFS[0])[COHORT]) == {"a1", "a2", "a3"}


def test_the_shelf_has_the_rows_of_every_id_that_was_ever_tied_to_the_account(home: Home) -> None:
    shelf = Shelf(home)
    shelf.catch_up()
    ids = {row["account_id"] for row in shelf.rows_of("a1", AS_OFS[1])["usage_daily"].to_pylist()}
    assert ids == {"a1", "old-a1"}
    assert shelf.tied_to(["a1"], MERGED_AT - DAY) == {"a1"}
    assert shelf.tied_to(["a1", "a2"], AS_OFS[1]) == {"a1", "old-a1", "a2"}


def test_a_family_has_one_head_whatever_its_depth_and_through_aliases(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home").prepare()
    owners = {"leaf": "mid-old", "mid": "top", "top": None, "x": "y", "y": "x", "lone": None}
    told = [state(name, parent_account_id=owner) for name, owner in owners.items()]
    load(home, "accounts_history", told, "first")
    load(home, "account_aliases", [alias("mid-old", "mid", FIRST + DAY, "merge")], "first")
    heads = families_of(home, FIRST + 2 * DAY)
    assert heads == {"leaf": "top", "mid": "top", "mid-old": "top", "top": "top", "x": "x", "y": "x", "lone": "lone"}
    # Before the merger was known nobody could tell who the owner of the leaf is.
    assert families_of(home, FIRST)["leaf"] == "mid-old"


def _copy(home: Home, folder: Path) -> Home:
    shutil.copytree(home.root, folder / "home")
    return Home(root=folder / "home")
