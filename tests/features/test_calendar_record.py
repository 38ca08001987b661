"""New beliefs are new rows: what is written, what is left alone, and what no snapshot of the past may learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.build import VIEWS, snapshot_dataset
from features.calendars.believed import believed_instances
from features.calendars.entries import Entry, entry_of
from features.calendars.record import Recorded, record
from features.calendars.shift import shift
from features.errors import MissingStateError, UsageError
from features.settings import Home
from features.sources import ingest
from features.vocabulary import parse_moment
from tests.features.campaign_case import join, phases, stored_phases, vendor
from tests.features.source_case import quarantined, stored, write_text

NOW = "2026-02-02"


def gala(first: str = "2026-03-02", last: str = "2026-03-08", **cells: str) -> Entry:
    said = {"campaign_id": "gala", "active_start_local": first, "active_end_local": last}
    return entry_of(said | cells, line=1)


def write(home: Home, *entries: Entry, now: str = NOW, **options: Any) -> Recorded:
    return record(home, entries, now=parse_moment(now), **options)


def believed(home: Home, moment: str) -> list[tuple[str, str, str]]:
    rows = believed_instances(home, parse_moment(moment))
    return [(f"{each.first}", f"{each.last}", each.status) for each in rows]


def counts(done: Recorded) -> tuple[int, int, int, int]:
    return done.new, done.changed, done.unchanged, done.older


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


def test_a_belief_is_a_canonical_row_known_from_now_with_its_kind(home: Home) -> None:
    assert counts(write(home, gala(event_tz="Europe/Paris", source="press"))) == (1, 0, 0, 0)
    (row,) = stored(home, "campaign_instances_history")
    now = parse_moment(NOW)
    assert {row[name] for name in ("known_from", "available_at", "ingested_at")} == {now}
    names = ("campaign_instance_id", "label", "tz_policy", "event_tz", "pre_days", "status", "source", "source_system")
    assert tuple(row[name] for name in names) == (
        "gala_2026",
        "Gala 2026",
        "event_tz",
        "Europe/Paris",
        None,
        "confirmed",
        "press",
        "campaign_calendar",
    )
    (kind,) = stored(home, "campaigns", "campaign_id", "name", "family", "default_pre_days", "default_post_days")
    assert tuple(kind.values()) == ("gala", "Gala", "custom", 28, 42)


def test_what_is_believed_already_is_not_written_again(home: Home) -> None:
    write(home, gala())
    again = write(home, gala(), now="2026-02-03")
    assert (counts(again), again.report) == ((0, 0, 1, 0), None)
    assert len(stored(home, "campaign_instances_history", "known_from")) == 1


def test_a_change_is_a_new_row_and_what_it_leaves_unsaid_stays(home: Home) -> None:
    write(home, gala(event_tz="Asia/Tokyo", pre_days="14", label="The Gala"))
    assert counts(write(home, gala("2026-03-09", "2026-03-15"), now="2026-02-10")) == (0, 1, 0, 0)
    rows = stored(
        home, "campaign_instances_history", "known_from", "active_start_local", "event_tz", "pre_days", "label"
    )
    assert [tuple(map(str, row.values()))[1:] for row in rows] == [
        ("2026-03-02", "Asia/Tokyo", "14", "The Gala"),
        ("2026-03-09", "Asia/Tokyo", "14", "The Gala"),
    ]
    # A kind is told once.
    assert len(stored(home, "campaigns", "campaign_id")) == 1


def test_local_time_needs_no_zone_any_more(home: Home) -> None:
    write(home, gala(event_tz="Asia/Tokyo"))
    write(home, gala(tz_policy="account_local"), now="2026-02-03")
    (each,) = believed_instances(home, parse_moment("2026-02-03"))
    assert each.zone == ""


def test_each_date_is_asked_as_of_the_day_it_was_believed(home: Home) -> None:
    write(home, gala())
    write(home, gala("2026-03-09", "2026-03-15", status="moved"), now="2026-02-10")
    write(home, gala("2026-03-09", "2026-03-15", status="cancelled"), now="2026-02-20")
    assert believed(home, "2026-02-01") == []
    assert believed(home, "2026-02-09") == [("2026-03-02", "2026-03-08", "confirmed")]
    assert believed(home, "2026-02-10") == [("2026-03-09", "2026-03-15", "moved")]
    assert believed(home, "2026-02-20") == [("2026-03-09", "2026-03-15", "cancelled")]


def test_news_from_before_the_belief_in_force_does_not_touch_it(home: Home) -> None:
    write(home, gala())
    old = gala("2026-03-09", "2026-03-15", known_from="2026-01-15")
    assert counts(write(home, old, now="2026-02-03")) == (0, 0, 0, 1)
    assert believed(home, "2026-02-03") == [("2026-03-02", "2026-03-08", "confirmed")]


def test_a_bad_row_goes_to_quarantine_and_the_others_are_taken(home: Home) -> None:
    bad = gala("2026-13-02", "2026-03-08", campaign_instance_id="bad")
    zone = gala(event_tz="Mars/Olympus", campaign_instance_id="zone")
    done = write(home, gala(), bad, zone)
    assert done.report is not None
    assert done.report.refused == 2
    assert [(row["column"], row["rule"]) for row in quarantined(home, "campaign_instances_history")] == [
        ("active_start_local", "type"),
        ("event_tz", "zone"),
    ]
    assert believed(home, NOW) == [("2026-03-02", "2026-03-08", "confirmed")]


def test_two_entries_that_contradict_each_other_are_both_refused(home: Home) -> None:
    done = write(home, gala(), gala("2026-03-09", "2026-03-15"))
    assert done.report is not None
    assert [row["rule"] for row in quarantined(home, "campaign_instances_history")] == ["conflict", "conflict"]
    assert believed(home, NOW) == []


def test_a_backfill_counts_from_when_each_date_was_announced(home: Home) -> None:
    rows = (
        gala("2021-03-01", "2021-03-07", known_from="2020-01-31"),
        gala("2021-04-05", "2021-04-11", known_from="2020-06-15", status="moved"),
    )
    assert counts(write(home, *rows, backfill=True)) == (2, 0, 0, 0)
    assert believed(home, "2020-06-14") == [("2021-03-01", "2021-03-07", "confirmed")]
    assert believed(home, "2020-06-15") == [("2021-04-05", "2021-04-11", "moved")]
    (kind,) = stored(home, "campaigns", "known_from")
    assert kind["known_from"] == parse_moment("2020-01-31")
    again = write(home, *rows, backfill=True, now="2026-05-01")
    assert (counts(again), again.report) == ((0, 0, 2, 0), None)


def test_a_backfill_that_does_not_say_since_when_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="known_from") as told:
        write(home, gala(known_from="2020-01-31"), gala(), backfill=True)
    assert "1 of 2" in told.value.found
    assert not home.root.exists()


def test_a_backfill_cannot_correct_a_row_behind_the_back_of_old_snapshots(home: Home) -> None:
    write(home, gala("2021-03-01", "2021-03-07", known_from="2020-01-31"), backfill=True)
    write(home, gala("2021-04-05", "2021-04-11", known_from="2020-01-31"), backfill=True, now="2026-03-01")
    # The same announcement with another content: a correction, known from when it came.
    assert believed(home, "2026-02-28") == [("2021-03-01", "2021-03-07", "confirmed")]
    assert believed(home, "2026-03-01") == [("2021-04-05", "2021-04-11", "confirmed")]


def moved(
    home: Home, to: str | None, *, now: str = "2026-02-03", name: str = "gala_2026", why: str = "the mayor said so"
) -> Any:
    day = parse_moment(to).date() if to else None
    return shift(home, name, to=day, who="ada", why=why, now=parse_moment(now))


def test_a_shift_keeps_the_length_and_tells_who_and_why(home: Home) -> None:
    write(home, gala(event_tz="Europe/Paris", pre_days="14"))
    told = moved(home, "2026-03-23", now="2026-02-10")
    assert believed(home, "2026-02-10") == [("2026-03-23", "2026-03-29", "moved")]
    assert (told.after.source, told.after.zone, told.after.pre_days) == (
        "moved by ada: the mayor said so",
        "Europe/Paris",
        14,
    )
    assert "+21 days" in "\n".join(told.lines())
    assert told.document()["before"]["first"] == "2026-03-02"


def test_a_cancelled_campaign_may_be_taken_up_again(home: Home) -> None:
    write(home, gala())
    moved(home, None, now="2026-02-10")
    assert believed(home, "2026-02-10") == [("2026-03-02", "2026-03-08", "cancelled")]
    moved(home, "2026-03-02", now="2026-02-11")
    assert believed(home, "2026-02-11") == [("2026-03-02", "2026-03-08", "moved")]


def test_a_campaign_with_one_edition_to_come_may_be_named_by_itself(home: Home) -> None:
    write(home, gala(), gala("2025-03-02", "2025-03-08"))
    assert moved(home, "2026-03-23", name="gala").after.campaign_instance_id == "gala_2026"
    write(home, gala("2027-03-02", "2027-03-08"), now="2026-02-04")
    with pytest.raises(UsageError, match="gala_2026, gala_2027"):
        moved(home, "2026-03-24", name="gala", now="2026-02-05")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param({"name": "gala_2062"}, "alike are gala_2026", id="a name that is none"),
        pytest.param({"to": "2026-03-02"}, "starts on that day already", id="no change"),
        pytest.param({"why": " "}, "needs a reason", id="no reason"),
        pytest.param({"now": "2026-04-20"}, "is over", id="after its post phase"),
        pytest.param({"to": "2025-12-01"}, "into the past", id="to a time that is over"),
    ],
)
def test_a_shift_that_means_nothing_is_refused_and_writes_nothing(home: Home, words: dict[str, str], told: str) -> None:
    write(home, gala())
    with pytest.raises(UsageError, match=told):
        moved(home, **{"to": "2026-03-23", **words})
    assert len(stored(home, "campaign_instances_history", "known_from")) == 1


def test_cancelling_twice_is_refused(home: Home) -> None:
    write(home, gala())
    moved(home, None)
    with pytest.raises(UsageError, match="cancelled already"):
        moved(home, None, now="2026-02-04")


def test_without_a_calendar_there_is_nothing_to_move(home: Home) -> None:
    with pytest.raises(MissingStateError, match="pulse campaigns import"):
        moved(home, "2026-03-23")


def bytes_of(home: Home) -> dict[str, bytes]:
    return {f"{view}/{path.name}": path.read_bytes() for view in VIEWS for path in snapshot_dataset(home, view).files()}


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    """Snapshots before a shift on 2 March, the same built again after it, and the later ones."""
    folder = tmp_path_factory.mktemp("shift")
    home = vendor(folder)
    # Two weeks from 9 March, with two weeks of pre and of post.
    write(home, gala("2026-03-09", "2026-03-22", event_tz="UTC", pre_days="14", post_days="14"))
    join(home, folder, "gala_2026", "a1,declared,1", "a2,inferred,0.7", "a3,prior,0.4", now="2026-02-09")
    phases(home, "2026-02-02", "2026-03-02")
    before = bytes_of(home)
    moved(home, "2026-03-30", now="2026-03-04")
    phases(home, "2026-02-02", "2026-03-02")
    return before, bytes_of(home), phases(home, "2026-03-09", "2026-05-04")


def test_a_shift_leaves_every_earlier_snapshot_as_it_was_bit_for_bit(shifted: tuple[Any, Any, Any]) -> None:
    before, again, _ = shifted
    # A law: what was believed on a day is not changed by what is said later.
    assert len(before) == 5 * len(VIEWS)
    assert again == before


def test_a_shift_is_seen_by_every_later_snapshot(shifted: tuple[Any, Any, Any]) -> None:
    found = {day: rows["a1"] for day, rows in shifted[2].items()}
    assert found == {
        "2026-02-02": "none",
        "2026-02-09": "none",
        "2026-02-16": "none",
        "2026-02-23": "pre",
        "2026-03-02": "pre",
        # It would be active here by the first date.
        "2026-03-09": "none",
        "2026-03-16": "pre",
        "2026-03-23": "pre",
        "2026-03-30": "active",
        "2026-04-06": "active",
        "2026-04-13": "post",
        "2026-04-20": "post",
        "2026-04-27": "off",
        "2026-05-04": "off",
    }


def test_participation_counts_from_half_a_trust_on(shifted: tuple[Any, Any, Any]) -> None:
    assert shifted[2]["2026-03-30"] == {"a1": "active", "a2": "active", "a3": "none"}


def test_an_import_is_seen_by_no_earlier_snapshot_and_a_backfill_is(tmp_path: Path) -> None:
    home = vendor(tmp_path)
    write_text(
        tmp_path / "old",
        "account_campaigns_history.csv",
        "account_id,campaign_instance_id,known_from,participation,confidence",
        "a1,gala_2026,2025-12-01T00:00:00Z,declared,1",
    )
    ingest(home, tmp_path / "old", mapping=None, now=parse_moment("2026-01-02"))
    write(home, gala("2026-01-26", "2026-02-15", known_from="2025-12-01"))
    phases(home, "2026-01-19", "2026-02-02")
    assert [rows["a1"] for rows in stored_phases(home).values()] == ["none", "none", "active"]
    write(home, gala("2026-01-26", "2026-02-14", known_from="2025-12-02"), backfill=True)
    phases(home, "2026-01-19", "2026-02-02")
    assert [rows["a1"] for rows in stored_phases(home).values()] == ["pre", "pre", "active"]
