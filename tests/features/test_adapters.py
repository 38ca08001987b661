"""Do the exports that we know become exactly the rows that a person has checked, traps and all?"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.calendars.ics_file import read_ics
from features.calendars.record import record
from features.errors import DataContractError
from features.settings import Home
from features.sources.mapping import load_mapping
from tests.features.adapter_case import (
    EXPORTS,
    NOW,
    copy_of_export,
    expected,
    export_of,
    require_same,
    take_export,
    told,
)
from tests.features.source_case import everything_in, refusals, stored

NAMES = (
    "shotgrid",
    "ftrack",
    "frameio_v4",
    "workfront",
    "autodesk_usage",
    "adobe_users",
    "segment",
    "amplitude",
    "campaign_calendar",
)


def lines_of(name: str, file: str) -> Iterator[dict[str, Any]]:
    """The objects of a fixture's JSONL file; what is no JSON is passed over."""
    for line in (export_of(name) / file).read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """Every fixture in a home of its own; beside it, what its ingest told."""
    root = tmp_path_factory.mktemp("adapters")
    made = {name: Home(root=root / name) for name in NAMES}
    for name, home in made.items():
        (root / f"{name}.json").write_text(json.dumps(told(home, take_export(home, name))))
    return made


@pytest.mark.parametrize("name", NAMES)
def test_an_export_becomes_the_rows_that_a_person_has_checked(homes: dict[str, Home], name: str) -> None:
    require_same(json.loads(homes[name].root.with_suffix(".json").read_text()), name)
    # Traps of the export were met: something is refused, most is taken, and the second time nothing is new.
    again = take_export(homes[name], name)
    assert (again.new, {table.skipped for table in again.tables}) == (0, {True})
    counts = list(csv.DictReader(expected(name)["counts.csv"].splitlines()))
    assert sum(int(row["refused"]) for row in counts) > 0
    assert sum(int(row["new"]) for row in counts) > 5 * sum(int(row["refused"]) for row in counts)


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_says_what_it_is_and_who_keeps_it(name: str) -> None:
    mapping = load_mapping(name)
    assert all((mapping.title, mapping.product, mapping.steward, mapping.about, mapping.notes))
    assert not [note for note in mapping.notes if not note.endswith(".")]


@pytest.mark.parametrize(
    "renamed",
    [
        ("shotgrid", "event_log.jsonl", '"new_value": "vwd"', '"new_value": "seen"', "type"),
        ("ftrack", "statuses.jsonl", '"Revise"', '"Rework"', "type"),
        ("frameio_v4", "webhooks.jsonl", '"In Review"', '"Wird geprüft"', "type"),
        ("workfront", "events.jsonl", '"status": "CPA"', '"status": "PAP"', "status_canonical"),
        ("autodesk_usage", "token_flex_aurora.csv", "CLOUD_SERVICE", "CLOUD", "feature_code"),
        ("adobe_users", "users_2026-04-03.jsonl", '"federatedID"', '"ssoID"', "identity_type"),
        ("segment", "events.jsonl", "Layer Edited", "Layer Changed", "feature_family"),
        ("amplitude", "events_2024-03.jsonl", '"layer_edited"', '"layer_changed"', "feature_family"),
        ("campaign_calendar", "campaigns_local.csv", ",virtual,", ",hybrid,", "status"),
    ],
)
def test_a_renamed_word_of_a_source_fails_its_adapter_by_name(
    tmp_path: Path, renamed: tuple[str, str, str, str, str]
) -> None:
    name, file, old, new, column = renamed
    text = (export_of(name) / file).read_text()
    assert old in text
    folder = copy_of_export(name, tmp_path / "in", **{file.split(".", maxsplit=1)[0]: text.replace(old, new)})
    home = Home(root=tmp_path / "home")
    with pytest.raises(DataContractError, match=f"values of {column} have no entry in the mapping") as refusal:
        take_export(home, name, folder=folder)
    assert str(refusal.value).startswith(f"{load_mapping(name).source_system}, ")
    assert new.strip('",') not in str(refusal.value)
    assert set(everything_in(home)) <= {"people.salt"}


def test_shotgrid_reads_reviews_from_the_log_and_never_from_today_s_status(
    tmp_path: Path, homes: dict[str, Home]
) -> None:
    # In the fixture every version is renamed to one status; the reviews must stay what the log says.
    versions = [{**version, "sg_status_list": "apr"} for version in lines_of("shotgrid", "versions.jsonl")]
    text = "".join(f"{json.dumps(version)}\n" for version in versions)
    home = Home(root=tmp_path / "home")
    take_export(home, "shotgrid", folder=copy_of_export("shotgrid", tmp_path / "in", versions=text))
    assert stored(home, "review_events", "review_event_id", "type") == stored(
        homes["shotgrid"], "review_events", "review_event_id", "type"
    )


def test_a_milestone_s_baseline_is_its_first_day_and_no_earlier_row_looks_ahead(homes: dict[str, Home]) -> None:
    for name in ("shotgrid", "workfront"):
        first: dict[str, date] = {}
        rows = stored(homes[name], "milestones_history", "milestone_id", "valid_from", "planned_on", "baseline_on")
        for row in sorted(rows, key=lambda row: row["valid_from"]):
            assert row["baseline_on"] == first.setdefault(row["milestone_id"], row["planned_on"])
        assert any(row["planned_on"] != row["baseline_on"] for row in rows)
    done = stored(homes["shotgrid"], "tasks_history", "valid_from", "done_at", "status_canonical")
    assert all(row["done_at"] is None or row["done_at"] <= row["valid_from"] for row in done)
    assert {row["status_canonical"] for row in done if row["done_at"]} == {"done"}


def test_versions_of_a_stack_without_numbers_are_numbered_by_their_age(homes: dict[str, Home]) -> None:
    stacks: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for row in stored(homes["frameio_v4"], "asset_versions", "asset_id", "version_no", "created_at"):
        stacks[row["asset_id"]].append((row["version_no"], row["created_at"]))
    for versions in stacks.values():
        ages = [created for _, created in sorted(versions)]
        assert [number for number, _ in sorted(versions)] == list(range(1, len(versions) + 1))
        assert ages == sorted(ages)
    assert max(map(len, stacks.values())) == 3


def test_workfront_s_own_times_keep_their_microseconds_and_planned_days_their_zone(homes: dict[str, Home]) -> None:
    rows = stored(homes["workfront"], "projects_history", "project_id", "valid_from", "planned_end_on")
    second = datetime.fromtimestamp(1770026400, UTC)
    assert second + timedelta(microseconds=123_456) in [row["valid_from"] for row in rows]
    # 23:30 in Los Angeles is the next day in UTC, but nobody there plans in UTC.
    locks = stored(homes["workfront"], "milestones_history", "milestone_id", "planned_on")
    assert locks[0] == {"milestone_id": "m1", "planned_on": date(2026, 1, 30)}


def test_seats_are_the_differences_between_pulls(homes: dict[str, Home]) -> None:
    pulls: dict[str, dict[str, str]] = {}
    for path in sorted(export_of("adobe_users").glob("users_*.jsonl")):
        for user in lines_of("adobe_users", path.name):
            if user["status"] == "active" and user["type"] != "robotID" and "elm" in user["domain"]:
                pulls.setdefault(user["pulled_on"], {})[user["email"]] = user["type"]
    wanted: set[tuple[str, str, int]] = set()
    before: set[str] = set()
    for day in sorted(pulls):
        now = set(pulls[day])
        wanted |= {(day, "assigned", len(now - before)), (day, "revoked", len(before - now))}
        before = now
    rows = stored(homes["adobe_users"], "seat_assignments_history", "account_id", "valid_from", "revoked_at")
    elm = [row for row in rows if row["account_id"] == "acc-elm"]
    found = {
        (day, word, sum(row["valid_from"].date().isoformat() == day and bool(row["revoked_at"]) == gone for row in elm))
        for day in pulls
        for word, gone in (("assigned", False), ("revoked", True))
    }
    assert found == wanted


@pytest.mark.parametrize(
    ("name", "file", "key", "moment"),
    [
        ("segment", "events.jsonl", ("messageId",), "receivedAt"),
        ("amplitude", "events_2024-03.jsonl", ("device_id", "insert_id"), "server_upload_time"),
    ],
)
def test_an_event_that_is_delivered_twice_counts_once_and_is_known_from_the_first_time(
    homes: dict[str, Home], name: str, file: str, key: tuple[str, ...], moment: str
) -> None:
    arrivals: dict[str, list[str]] = defaultdict(list)
    for line in lines_of(name, file):
        arrivals[":".join(str(line[part]) for part in key)].append(line[moment])
    twice = {event: min(moments) for event, moments in arrivals.items() if len(moments) > 1}
    rows = stored(homes[name], "usage_events", "event_id", "recorded_at")
    assert twice
    for event, first in twice.items():
        (row,) = [row for row in rows if row["event_id"] == event]
        assert row["recorded_at"] == datetime.fromisoformat(first.replace("Z", "")).replace(tzinfo=UTC)


def test_a_client_s_wrong_clock_moves_no_event(homes: dict[str, Home]) -> None:
    for name in ("segment", "amplitude"):
        rows = stored(homes[name], "usage_events", "event_id", "event_at", "client_at", "recorded_at")
        assert any(abs(row["client_at"] - row["event_at"]) > timedelta(days=1) for row in rows)
        assert all(row["event_at"] <= row["recorded_at"] for row in rows)


def test_users_of_several_versions_of_a_product_have_one_row_a_day(homes: dict[str, Home]) -> None:
    rows = stored(homes["autodesk_usage"], "usage_daily", "user_key", "product_sku", "usage_date", "events", "tokens")
    assert len({(row["user_key"], row["product_sku"], row["usage_date"]) for row in rows}) == len(rows)
    assert [(row["events"], row["tokens"]) for row in rows if row["events"] == 2] == [(2, 6), (2, 3)]


def test_ids_of_people_do_not_come_in(homes: dict[str, Home]) -> None:
    said = {
        "shotgrid": ("Ana Ruiz", "HumanUser"),
        "adobe_users": ("@elm.example", "Ann@"),
        "segment": ('"u-1"', "an-7", "203.0.113.9"),
        "amplitude": ('"u-8"',),
        "autodesk_usage": ("UA1", "9f86d081884c7d65"),
    }
    for name, words in said.items():
        text = "".join(expected(name).values())
        raw = "".join(path.read_text() for path in export_of(name).iterdir())
        assert [word for word in words if word in raw] == list(words)
        assert [word for word in words if word.strip('"') in text.replace("d-", "")] == []


def test_an_ics_calendar_becomes_the_rows_that_a_person_has_checked(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home").prepare()
    recorded = record(home, read_ics(EXPORTS / "campaign_calendar_ics" / "in" / "calendar.ics"), now=NOW, backfill=True)
    assert recorded.report is not None
    assert told(home, recorded.report) == expected("campaign_calendar_ics")
    days = {row["campaign_id"]: row for row in stored(home, "campaign_instances_history", "campaign_id", *DAYS)}
    # DTEND is exclusive: the day after the last of an all-day event, or midnight after the last evening.
    assert days["march_madness"]["active_end_local"] == date(2026, 4, 6)
    assert days["award_night_the_gala"]["active_end_local"] == date(2026, 3, 15)
    assert days["black_friday"]["active_start_local"] == days["black_friday"]["active_end_local"]


def test_a_spreadsheet_and_an_ics_file_speak_of_the_same_campaign(homes: dict[str, Home]) -> None:
    of_csv = {row["campaign_id"] for row in stored(homes["campaign_calendar"], "campaigns", "campaign_id")}
    of_ics = {
        row["campaign_id"] for row in csv.DictReader(expected("campaign_calendar_ics")["campaigns.csv"].splitlines())
    }
    assert {"march_madness", "black_friday"} <= of_csv & of_ics


def test_a_moved_campaign_is_a_new_belief_and_the_old_one_stays(homes: dict[str, Home]) -> None:
    rows = stored(homes["campaign_calendar"], "campaign_instances_history", "campaign_instance_id", "known_from", *DAYS)
    oscars = [row for row in rows if row["campaign_instance_id"] == "academy_awards_2022"]
    assert [(row["known_from"].date(), row["active_start_local"]) for row in oscars] == [
        (date(2019, 6, 20), date(2022, 2, 27)),
        (date(2021, 5, 24), date(2022, 3, 27)),
    ]


def test_every_refused_row_is_told_under_its_line(homes: dict[str, Home]) -> None:
    assert (6, "", "malformed") in refusals(homes["adobe_users"], "seat_assignments_history")
    assert (17, "type", "unmapped") in refusals(homes["shotgrid"], "review_events")


DAYS = ("active_start_local", "active_end_local")
