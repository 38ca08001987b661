"""CSV and ICS files of campaigns: what they say, and which are refused with a reason."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendars.csv_file import read_csv
from features.calendars.entries import Entry, day_in, moment_cell, require_dates_in_order, title_of
from features.calendars.ics_file import read_ics
from features.errors import DataContractError


def csv_of(folder: Path, *lines: str) -> tuple[Entry, ...]:
    path = folder / "calendar.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return read_csv(path)


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:1@vendor", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"])


def ics_of(folder: Path, *events: str) -> tuple[Entry, ...]:
    path = folder / "calendar.ics"
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//vendor//campaigns//EN"]
    path.write_text("\r\n".join([*head, *events, "END:VCALENDAR", ""]), newline="")
    return read_ics(path)


def said(entry: Entry, *names: str) -> tuple[str | None, ...]:
    return tuple(entry.instance.get(name) for name in names)


def test_three_columns_are_enough_and_name_the_instance(tmp_path: Path) -> None:
    (entry,) = csv_of(tmp_path, "campaign_id,active_start_local,active_end_local", "fall_sale,2026-12-20,2027-01-05")
    assert entry == Entry(
        instance={
            "campaign_instance_id": "fall_sale_2027",
            "campaign_id": "fall_sale",
            "active_start_local": "2026-12-20",
            "active_end_local": "2027-01-05",
        },
        kind={"campaign_id": "fall_sale"},
        line=1,
    )


def test_every_column_of_the_contract_may_be_said_and_an_empty_cell_says_nothing(tmp_path: Path) -> None:
    (entry,) = csv_of(
        tmp_path,
        "campaign_instance_id,campaign_id,name,family,label,active_start_local,active_end_local,event_tz,pre_days,"
        "post_days,status,known_from,source,region,importance,default_pre_days,default_post_days,owner",
        "x1,x,The X,sports,X one,2026-05-01, 2026-05-02 ,Europe/Paris,14,,tentative,2026-01-05,press,EU,0.5,7,8,desk",
    )
    assert entry.instance == {
        "campaign_instance_id": "x1",
        "campaign_id": "x",
        "label": "X one",
        "active_start_local": "2026-05-01",
        "active_end_local": "2026-05-02",
        "event_tz": "Europe/Paris",
        "tz_policy": "event_tz",
        "pre_days": "14",
        "status": "tentative",
        "known_from": "2026-01-05T00:00:00Z",
        "source": "press",
    }
    kind = {"campaign_id": "x", "name": "The X", "family": "sports", "region": "EU", "importance": "0.5"}
    kind |= {"default_pre_days": "7", "default_post_days": "8", "owner": "desk", "known_from": "2026-01-05T00:00:00Z"}
    assert entry.kind == kind


def test_empty_lines_are_no_records_and_a_byte_order_mark_is_no_name(tmp_path: Path) -> None:
    entries = csv_of(
        tmp_path, "\ufeffcampaign_id,active_start_local,active_end_local", "", "a,2026-05-01,2026-05-02", ",,"
    )
    assert [(entry.line, entry.instance_id) for entry in entries] == [(2, "a_2026")]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param([], "no column campaign_id, active_start_local, active_end_local", id="an empty file"),
        pytest.param(["campaign_id,active_start_local"], "no column active_end_local", id="no end"),
        pytest.param(
            ["campaign_id,active_start_local,active_end_local,colour", "a,2026-01-01,2026-01-01,red"],
            "colour besides",
            id="an unknown column is never dropped",
        ),
        pytest.param(["campaign_id,campaign_id,active_start_local,active_end_local"], "named twice", id="twice"),
        pytest.param(
            ["campaign_id,active_start_local,active_end_local", "a,2026-01-01"], "record 1", id="a short record"
        ),
        pytest.param(
            ["campaign_id,active_start_local,active_end_local", '"a,2026-01-01,2026-01-01'], "Error", id="an open quote"
        ),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_refused_whole(tmp_path: Path, lines: list[str], found: str) -> None:
    with pytest.raises(DataContractError) as told:
        csv_of(tmp_path, *lines)
    assert found in told.value.found
    assert "nothing was taken" in told.value.todo


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("campaign_id,label\nfête,Fête\n".encode("latin-1"))
    with pytest.raises(DataContractError, match="UnicodeDecodeError"):
        read_csv(tmp_path / "latin.csv")


def test_a_campaign_that_ends_before_it_starts_spoils_the_file(tmp_path: Path) -> None:
    entries = csv_of(
        tmp_path,
        "campaign_id,active_start_local,active_end_local",
        "a,2026-05-01,2026-05-01",
        "b,2026-05-02,2026-05-01",
        "c,soon,2026-05-01",
    )
    with pytest.raises(DataContractError) as told:
        require_dates_in_order(entries, "calendar.csv")
    assert told.value.found == "1 of 3 entries, the first in 2"


DAYS = ("campaign_instance_id", "active_start_local", "active_end_local", "tz_policy", "event_tz")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["DTSTART;VALUE=DATE:20270315", "DTEND;VALUE=DATE:20270320"],
            ("upfront_week_2027", "2027-03-15", "2027-03-19", "account_local", None),
            id="whole days: the end is the day after",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20270315"],
            ("upfront_week_2027", "2027-03-15", "2027-03-15", "account_local", None),
            id="without an end: one day",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20270315", "DURATION:P3D"],
            ("upfront_week_2027", "2027-03-15", "2027-03-17", "account_local", None),
            id="by its length",
        ),
        pytest.param(
            ["DTSTART;TZID=America/New_York:20270315T200000", "DTEND;TZID=America/New_York:20270318T000000"],
            ("upfront_week_2027", "2027-03-15", "2027-03-17", "event_tz", "America/New_York"),
            id="until midnight: the day before",
        ),
        pytest.param(
            ["DTSTART;TZID=America/New_York:20270315T200000", "DTEND;TZID=Europe/Paris:20270316T030000"],
            ("upfront_week_2027", "2027-03-15", "2027-03-15", "event_tz", "America/New_York"),
            id="an end told in another zone",
        ),
        pytest.param(
            ["DTSTART:20270315T200000Z"],
            ("upfront_week_2027", "2027-03-15", "2027-03-15", "event_tz", "UTC"),
            id="a moment in UTC",
        ),
    ],
)
def test_the_days_of_an_event(tmp_path: Path, lines: list[str], expected: tuple[str, ...]) -> None:
    (entry,) = ics_of(tmp_path, event("SUMMARY:Upfront Week 2027", *lines))
    assert said(entry, *DAYS) == expected


def test_an_event_tells_its_campaign_status_family_and_since_when(tmp_path: Path) -> None:
    first, second = ics_of(
        tmp_path,
        event(
            "SUMMARY:2027 Mar\r\n ch Madness",  # a folded line
            "DTSTART;VALUE=DATE:20270309",
            "STATUS:CANCELLED",
            "CATEGORIES:Work,SPORTS",
            "LAST-MODIFIED:20260801T103000Z",
        ),
        event("SUMMARY:Gala", "DTSTART;VALUE=DATE:20270401"),
    )
    names = ("campaign_id", "label", "status", "known_from", "source")
    assert said(first, *names) == (
        "march_madness",
        "2027 March Madness",
        "cancelled",
        "2026-08-01T10:30:00+00:00",
        "ICS 1@vendor",
    )
    assert first.kind["family"] == "sports"
    assert first.kind["name"] == "March Madness"
    assert said(second, *names) == ("gala", "Gala", "confirmed", None, "ICS 1@vendor")
    assert "family" not in second.kind
    assert (first.line, second.line) == (1, 2)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param(["SUMMARY:X"], "none in event 1", id="no start"),
        pytest.param(["DTSTART;VALUE=DATE:20270101"], "none in event 1", id="no name"),
        pytest.param(["SUMMARY:2027", "DTSTART;VALUE=DATE:20270101"], "none in event 1", id="only a year"),
        pytest.param(["SUMMARY:X", "DTSTART:20270101T100000"], "a time without one", id="no zone"),
        pytest.param(
            ["SUMMARY:X", "DTSTART;VALUE=DATE:20270101", "DTEND:20270102T000000Z"], "a day and a moment", id="mixed"
        ),
        pytest.param(
            ["SUMMARY:X", "DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=YEARLY"], "repeats by a rule", id="a rule"
        ),
        pytest.param(
            ["SUMMARY:X", "DTSTART:20270101T100000Z", "DTEND:20270102T000000"],
            "a time without one",
            id="no zone at its end",
        ),
        pytest.param(
            ["SUMMARY:X", "DTSTART;VALUE=DATE:20270101", "STATUS:TENTATIVE", "STATUS:CONFIRMED"], "several", id="twice"
        ),
        pytest.param(["SUMMARY:X", "DTSTART;VALUE=TIME:100000"], "another one", id="a time of day"),
        pytest.param(["SUMMARY:X", "DTSTART;VALUE=DATE:2027ABCD"], "DTSTART", id="a broken date"),
    ],
)
def test_an_event_that_cannot_be_taken_refuses_the_file(tmp_path: Path, lines: list[str], found: str) -> None:
    with pytest.raises(DataContractError) as told:
        ics_of(tmp_path, event(*lines))
    assert found in told.value.found


@pytest.mark.parametrize("text", ["", "campaign_id,label", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR"])
def test_what_is_no_calendar_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.ics").write_text(text)
    with pytest.raises(DataContractError, match=r"x\.ics is no calendar"):
        read_ics(tmp_path / "x.ics")


WHOLE = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        event("SUMMARY:Gala 2027", "DTSTART;TZID=Europe/Paris:20270125T100000", "DURATION:P2D", "CATEGORIES:A,B"),
        event("SUMMARY:Fair", "DTSTART;VALUE=DATE,X:20270125", "LAST-MODIFIED:20260801T103000Z"),
        "END:VCALENDAR",
        "",
    ]
).encode()


@given(
    places=st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=4),
    put=st.binary(max_size=6) | st.sampled_from([b":", b";", b"TZID=America", b"\r\n", b"VALUE=DATE,X"]),
    cut=st.integers(0, 12),
)
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_and_never_a_defect_of_ours(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], put: bytes, cut: int
) -> None:
    damaged = bytearray(WHOLE)
    for place in sorted(places, reverse=True):
        damaged[place : place + cut] = put
    path = tmp_path_factory.getbasetemp() / "damaged.ics"
    path.write_bytes(damaged)
    with suppress(DataContractError):
        assert all(entry.instance_id for entry in read_ics(path))


def test_a_calendar_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataContractError, match="found none"):
        ics_of(tmp_path)


def test_a_plain_day_is_its_midnight_and_anything_else_goes_on_as_it_is() -> None:
    assert moment_cell("2026-01-05") == "2026-01-05T00:00:00Z"
    assert moment_cell("2026-13-05") == "2026-13-05"
    assert (day_in("2026-1-5"), day_in("20260105")) == (None, None)
    assert title_of("march_madness_2025") == "March madness 2025"
