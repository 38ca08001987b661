"""Do refused rows wait where a person finds them, with all that a replay needs, and where nobody else looks?"""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from features.sources.quarantine import SHOWN, quarantine_file
from tests.features.source_case import (
    NOW,
    USAGE_HEADER,
    USAGE_ROWS,
    home_in,
    only,
    quarantined,
    stored,
    take_in,
    write_parquet,
    write_text,
    write_usage,
)


def test_a_refused_row_lies_in_quarantine_with_its_reason_and_its_cells(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    bad = 'a2,"u, 😀",studio,core,2024-01-01,-1,'
    report = take_in(home, write_usage(tmp_path / "in", USAGE_ROWS[0], bad).parent)
    path = quarantine_file(home, "usage_daily", report.load_id)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "table": "usage_daily",
            "file": "usage_daily.csv",
            "row": 2,
            "column": "sessions",
            "rule": "minimum",
            "reason": "below 0",
            "entry": 1,
            "cells": {
                "account_id": "a2",
                "user_key": "u, 😀",
                "product_sku": "studio",
                "feature_code": "core",
                "usage_date": "2024-01-01",
                "sessions": "-1",
                "active_minutes": None,
            },
        }
    ]


def test_quarantine_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    report = take_in(home, write_usage(tmp_path / "in", "a,u,s,core,2024-01-01,-1,").parent)
    path = quarantine_file(home, "usage_daily", report.load_id)
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent, home.quarantine, home.root)]
    assert modes == [0o600, 0o700, 0o700, 0o700]


def test_unknown_columns_are_kept_with_a_refused_row(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in", f"{USAGE_ROWS[0]}x,happy", header=f"{USAGE_HEADER},mood").parent)
    (row,) = quarantined(home, "usage_daily")
    assert row["cells"]["mood"] == "happy"


def test_a_record_that_is_none_is_kept_as_its_line(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in", "only,three,cells", USAGE_ROWS[0]).parent)
    (row,) = quarantined(home, "usage_daily")
    assert (row["row"], row["rule"], row["reason"]) == (1, "malformed", "missing columns")
    assert row["cells"] == {"line": "only,three,cells"}


def test_cells_of_typed_files_are_kept_as_text(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    columns = {
        "text_id": pa.array([None], pa.string()),
        "written_at": pa.array([1_700_000_000_000_000], pa.timestamp("us", tz="UTC")),
        "sentiment": [0.1],
        "redacted": [True],
    }
    write_parquet(folder, "texts", columns)
    take_in(home, folder)
    (row,) = quarantined(home, "texts")
    assert row["cells"] == {
        "text_id": None,
        "written_at": "2023-11-14 22:13:20+00",
        "sentiment": "0.1",
        "redacted": "true",
    }


def test_a_corrected_row_is_taken_from_its_cells(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in", *USAGE_ROWS, "a9,u9,studio,core,2024-01-01,-1,1").parent)
    (row,) = quarantined(home, "usage_daily")
    corrected = {**row["cells"], "sessions": "1"}
    write_text(tmp_path / "replay", "usage_daily.jsonl", json.dumps(corrected))
    assert only(take_in(home, tmp_path / "replay", now=NOW + timedelta(days=1))).new == 1
    assert len(stored(home, "usage_daily")) == 4


def test_each_load_has_its_own_file_and_a_clean_load_has_none(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    bad = "a9,u9,studio,core,2024-01-01,-1,1"
    take_in(home, write_usage(folder, bad).parent)
    take_in(home, write_usage(folder, bad, USAGE_ROWS[0]).parent, now=NOW + timedelta(days=1))
    take_in(home, write_usage(folder, *USAGE_ROWS).parent, now=NOW + timedelta(days=2))
    assert [row["row"] for row in quarantined(home, "usage_daily")] == [1, 1]
    assert len(list((home.quarantine / "usage_daily").iterdir())) == 2


def test_a_report_names_the_first_few_and_counts_them_all(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = [f"a{number},u,s,{'core' if number % 2 else 'none'},2024-01-01,-1,1" for number in range(20)]
    report = take_in(home, write_usage(tmp_path / "in", *rows).parent)
    assert [refusal.row for refusal in report.worst] == list(range(1, SHOWN + 1))
    assert only(report).quarantined == {"choices": 10, "minimum": 10}
