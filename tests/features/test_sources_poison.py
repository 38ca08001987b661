"""Does every poisoned row go to quarantine with its rule and its number, and every good one beside it in?"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.features.source_case import (
    USAGE_HEADER,
    home_in,
    only,
    quarantined,
    refusals,
    stored,
    take_in,
    write_accounts,
    write_text,
    write_usage,
)

USAGE_POISON: tuple[tuple[str, str, str], ...] = (
    # account_id, user_key, product_sku, feature_code, usage_date, sessions, active_minutes
    (",u,s,core,2024-01-01,1,1", "account_id", "required"),
    ('"",u,s,core,2024-01-01,1,1', "account_id", "required"),
    ("a,u,,core,2024-01-01,1,1", "product_sku", "required"),
    ("a,u,s,core,,1,1", "usage_date", "required"),
    ("a,u,s,Core,2024-01-01,1,1", "feature_code", "choices"),
    ("a,u,s,core,2024-02-30,1,1", "usage_date", "type"),
    ("a,u,s,core,2024-1-1,1,1", "usage_date", "type"),
    ("a,u,s,core,01/02/2024,1,1", "usage_date", "type"),
    ("a,u,s,core,2024-01-01T00:00:00Z,1,1", "usage_date", "type"),
    ("a,u,s,core,infinity,1,1", "usage_date", "type"),
    ("a,u,s,core,9999-12-31,1,1", "usage_date", "range"),
    ("a,u,s,core,1899-12-31,1,1", "usage_date", "range"),
    ("a,u,s,core,2024-06-05,1,1", "event_at", "future"),
    ("a,u,s,core,2024-01-01,-1,1", "sessions", "minimum"),
    ("a,u,s,core,2024-01-01,1.5,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1e3,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1_000,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,0x10,1", "sessions", "type"),
    ('a,u,s,core,2024-01-01,"1,000",1', "sessions", "type"),
    ("a,u,s,core,2024-01-01,9223372036854775808,1", "sessions", "type"),
    (f"a,u,s,core,2024-01-01,{'9' * 400},1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,NaN,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,١٢,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1,-0.5", "active_minutes", "minimum"),
    ("a,u,s,core,2024-01-01,1,NaN", "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,inf", "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,1e999", "active_minutes", "finite"),
    (f"a,u,s,core,2024-01-01,1,{'9' * 400}", "active_minutes", "finite"),
    ('a,u,s,core,2024-01-01,1,"1,5"', "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,1 min", "active_minutes", "type"),
    ("a\0b,u,s,core,2024-01-01,1,1", "account_id", "text"),
    ("a\x1fb,u,s,core,2024-01-01,1,1", "account_id", "text"),
    (f"{'a' * 65_537},u,s,core,2024-01-01,1,1", "account_id", "text"),
    (f"{'a' * 1_000_000},u,s,core,2024-01-01,1,1", "account_id", "text"),
    ("a,u,s,core,2024-01-01,1", "", "malformed"),
    ("a,u,s,core,2024-01-01,1,1,1", "", "malformed"),
    ('a,"u"x,s,core,2024-01-01,1,1', "", "malformed"),
    ("a,\udcff,s,core,2024-01-01,1,1", "", "malformed"),
)


USAGE_FINE = (
    "a1,u1,s,core,2024-06-04,1,1",  # tomorrow: a zone's day
    "a1,u2,s,core,2024-01-01,+12.0,1e2",
    "a1,u3,s,core,2024-01-01, 7 ,.5",
    "a1,u4,s,core,2024-01-01,9223372036854775807,-0.0",
    'a1,"u, ""5""\nsecond line",s,core,2024-01-01,,',
    "\u202eabc,😀,s,core,2024-01-01,1,1",
    "=1+1,u7,s,core,2024-01-01,1,1",
)


def test_poisoned_rows_go_to_quarantine_each_with_its_rule_and_the_others_are_taken(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    rows = [(row, "", "") for row in USAGE_FINE] + list(USAGE_POISON)
    random.Random(7).shuffle(rows)  # noqa: S311 - an order, not a secret
    text = "\n".join([USAGE_HEADER, *(row for row, _, _ in rows)]) + "\n"
    (folder / "usage_daily.csv").write_bytes(text.encode("utf-8", errors="surrogateescape"))
    report = only(take_in(home, folder))
    assert refusals(home, "usage_daily") == [
        (number, column, rule) for number, (_, column, rule) in enumerate(rows, start=1) if rule
    ]
    assert (report.read, report.new, report.known) == (len(rows), len(USAGE_FINE), 0)
    assert len(stored(home, "usage_daily")) == len(USAGE_FINE)


ACCOUNT_POISON: tuple[tuple[str, str, str], ...] = (
    # account_id, valid_from, name, segment, hq_tz
    ("a,2023-01-01T00:00:00,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01 00:00:00.5,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01T00:00:00.0000001Z,n,studio,UTC", "valid_from", "precision"),
    ("a,2023-01-01T00:00:00.123456789+02:00,n,studio,UTC", "valid_from", "precision"),
    ("a,2023-01-01T25:00:00Z,n,studio,UTC", "valid_from", "type"),
    ("a,2023-01-01T00:00:60Z,n,studio,UTC", "valid_from", "type"),
    ("a,1672531200,n,studio,UTC", "valid_from", "type"),
    ("a,yesterday,n,studio,UTC", "valid_from", "type"),
    ("a,9999-01-01T00:00:00Z,n,studio,UTC", "valid_from", "range"),
    ("a,0001-01-01T00:00:00Z,n,studio,UTC", "valid_from", "range"),
    ("a,2024-06-04T12:00:01Z,n,studio,UTC", "event_at", "future"),
    ("a,2023-01-01T00:00:00Z,n,film,UTC", "segment", "choices"),
    ("a,2023-01-01T00:00:00Z,n,studio,Mars/Olympus", "hq_tz", "zone"),
    ("a,2023-01-01T00:00:00Z,n,studio,+02:00", "hq_tz", "zone"),
    ("a,2023-01-01T00:00:00Z,n,studio,", "hq_tz", "required"),
    ("a,2023-01-01T00:00:00Z,n\0,studio,UTC", "name", "text"),
)


ACCOUNT_FINE = (
    "f1,2023-01-01T00:00:00Z,n,studio,UTC",
    "f2,2023-01-01T00:00:00.123456000+02:00,n,studio,Asia/Kolkata",
    "f3,2023-01-01 00:00:00 UTC,n,studio,UTC",
    "f4,2023-01-01T00:00:00-0800,n,studio,UTC",
    "f5,2024-06-04T12:00:00Z,n,studio,UTC",
)


def test_moments_and_zones_that_cannot_be_placed_go_to_quarantine(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = (*((row, "", "") for row in ACCOUNT_FINE), *ACCOUNT_POISON)
    take_in(home, write_accounts(tmp_path / "in", *(row for row, _, _ in rows)).parent)
    assert refusals(home, "accounts_history") == [
        (number, column, rule) for number, (_, column, rule) in enumerate(rows, start=1) if rule
    ]
    assert [row["valid_from"] for row in stored(home, "accounts_history", "account_id", "valid_from")] == [
        datetime(2023, 1, 1, tzinfo=UTC),
        datetime(2022, 12, 31, 22, 0, 0, 123_456, tzinfo=UTC),
        datetime(2023, 1, 1, tzinfo=UTC),
        datetime(2023, 1, 1, 8, tzinfo=UTC),
        datetime(2024, 6, 4, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("recorded", "available", "expected"),
    [
        ("2024-01-01T09:00:00Z", "", ()),  # within an hour: clocks differ
        ("2024-01-01T08:59:59Z", "", ("recorded_at", "order")),
        ("2024-06-03T12:00:01Z", "", ("recorded_at", "future")),
        ("", "2024-01-01T10:00:00Z", ()),
        ("", "2024-01-01T09:59:59Z", ("available_at", "order")),
        ("2024-01-05T00:00:00Z", "2024-01-04T22:59:59Z", ("available_at", "order")),
        ("", "2024-06-04T12:00:01Z", ("available_at", "future")),
    ],
)
def test_times_that_contradict_each_other_go_to_quarantine(
    tmp_path: Path, recorded: str, available: str, expected: tuple[str, str]
) -> None:
    home = home_in(tmp_path)
    header = "text_id,written_at,recorded_at,available_at"
    row = f"t,2024-01-01T10:00:00Z,{recorded},{available}"
    take_in(home, write_text(tmp_path / "in", "texts.csv", header, row).parent)
    assert [(column, rule) for _, column, rule in refusals(home, "texts")] == ([expected] if expected else [])


def test_holidays_may_lie_as_far_ahead_as_they_are_known(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = ("us,2025-06-04", "us,2025-06-05", "us,2025-06-06")
    take_in(home, write_text(tmp_path / "in", "holidays.csv", "region,holiday_on", *rows).parent)
    assert refusals(home, "holidays") == [(3, "event_at", "future")]


def test_lines_that_are_no_json_object_go_to_quarantine_with_their_line(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    good = b'{"account_id":"a%d","product_sku":"s","usage_date":"2024-01-01","sessions":%d,"extra":{"n":1}}'
    lines = [
        good % (1, 1),
        b"",
        b"no json",
        good % (2, -1),
        b'{"a":"\xff"}',
        b"[1]",
        b'{"a":',
        good % (3, 2**70),
        good % (4, 4),
    ]
    (folder / "usage_daily.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    report = only(take_in(home, folder))
    assert refusals(home, "usage_daily") == [
        (3, "", "malformed"),
        (4, "sessions", "minimum"),
        (5, "", "malformed"),
        (6, "", "malformed"),
        (7, "", "malformed"),
        (8, "sessions", "type"),
    ]
    assert (report.read, report.new, report.unknown_columns) == (8, 2, ("extra",))


def test_an_error_about_a_file_repeats_none_of_its_cells(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    secret = "canary-7f3a"  # noqa: S105 - planted to be looked for
    rows = [f"a1,{secret},s,core,2024-01-01,{secret},1", f"a1,{secret}", f"{secret},u,s,{secret},{secret},1,1"]
    report = take_in(home, write_usage(tmp_path / "in", *rows).parent)
    assert report.refused == 3
    assert secret not in str(report.quarantined_error()) + "\n".join(report.lines()) + str(report.document())
    assert secret in str(quarantined(home, "usage_daily"))


def test_the_largest_table_keeps_its_numbers_across_row_groups(tmp_path: Path) -> None:
    # Row numbers in quarantine are those of the file, however many row groups and broken records lie before.
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    total, bad = 150_000, {1, 70_000, 122_881, 149_999}
    broken = {2, 3, 60_000, 122_880}
    lines = [USAGE_HEADER]
    for number in range(1, total + 1):
        sessions = "-1" if number in bad else "1"
        lines.append("short" if number in broken else f"a1,u{number},s,core,2024-01-01,{sessions},1")
    (folder / "usage_daily.csv").write_text("\n".join(lines) + "\n")
    report = only(take_in(home, folder))
    assert {row: rule for row, _, rule in refusals(home, "usage_daily")} == {
        **dict.fromkeys(bad, "minimum"),
        **dict.fromkeys(broken, "malformed"),
    }
    assert report.new == total - len(bad) - len(broken)
