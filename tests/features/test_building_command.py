"""What does `pulse build` do with ranges, look-backs and late rows, and is what it puts online what it stored?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from features.build import build_at, built_as_ofs
from features.errors import UsageError
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import WEEK
from pulse import app
from tests.features.built_case import AS_OFS, company, export, snapshots, take_in, torn
from tests.features.source_case import home_in

LAST = AS_OFS[-1]


def build(home: Home, *words: str) -> tuple[int, str, dict[str, Any]]:
    document = home.root.parent / "told.json"
    done = CliRunner().invoke(app, ["build", *words, "--home", str(home.root), "--json", str(document)])
    return done.exit_code, done.stdout + done.stderr, json.loads(document.read_text())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--from", "2024-01-01"),
        ("--to", "2024-01-01"),
        ("--look-back", "7"),
        ("--late", "--from", "2024-01-01"),
        ("--to", "2024-01-01", "--from", "2023-01-01", "--look-back", "7"),
    ],
)
def test_dates_that_name_no_range_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, said, document = build(home_in(tmp_path), *words)
    assert (code, document["failure"]["error"]) == (2, "UsageError")
    assert "--look-back" in said


@pytest.mark.parametrize(
    ("as_ofs", "found"),
    [
        ((LAST, LAST + 2 * WEEK / 7), "Wed "),
        ((LAST + WEEK / 14,), "12:00 UTC"),
        ((LAST, LAST - WEEK), f"{LAST - WEEK:%Y-%m-%d}"),
        ((LAST, LAST), f"{LAST:%Y-%m-%d}"),
        ((), "none"),
    ],
)
def test_snapshots_are_built_at_mondays_alone(tmp_path: Path, as_ofs: tuple[datetime, ...], found: str) -> None:
    home = home_in(tmp_path)
    with pytest.raises(UsageError, match="Monday 00:00 UTC") as refused:
        build_at(home, as_ofs)
    assert found in str(refused.value)
    assert built_as_ofs(home) == ()


def test_without_any_snapshot_none_is_late(tmp_path: Path) -> None:
    code, said, document = build(home_in(tmp_path), "--late")
    assert (code, said, document) == (0, "no snapshot is changed by late rows\n", {"late": None})


def test_a_weekly_look_back_takes_late_rows_in_and_the_rest_is_found_by_late(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    early, late = torn(company(4), Random(1), 1 / 3, since=AS_OFS[0])  # noqa: S311 - no secret
    take_in(home, export(tmp_path / "early", early))
    span = ("--from", f"{AS_OFS[2].date()}", "--to", f"{LAST.date()}")
    assert build(home, "--from", span[1], "--to", f"{LAST - 3 * WEEK:%Y-%m-%d}")[2]["changed_by_late_rows"] == []

    # The last date alone: what is missing since the newest snapshot, and nothing once nothing is.
    code, said, document = build(home, "--to", f"{LAST + WEEK / 7:%Y-%m-%d}")
    assert (code, document["snapshots"], built_as_ofs(home)[-1]) == (0, 3, LAST)
    for day in (LAST, LAST - WEEK):
        code, said, document = build(home, "--to", f"{day:%Y-%m-%d}")
        assert (code, document) == (0, {"snapshots": 0, "changed_by_late_rows": []})
        assert said == f"every snapshot up to {LAST.date()} is built\n"
    take_in(home, export(tmp_path / "late", late), days=7)

    code, said, document = build(home, "--to", f"{LAST.date()}", "--look-back", "21")
    assert (code, document["snapshots"]) == (0, 4)
    left = [f"{as_of.date()}" for as_of in built_as_ofs(home)[:5]]
    assert document["changed_by_late_rows"] == left
    assert f"change 5 other snapshots, {left[0]} to {left[-1]}: run `pulse build --late`" in said

    # A range and the late ones in one go; the newest one online is the stored one.
    code, said, document = build(home, "--late", *span[2:], "--look-back", "1")
    assert (code, document["snapshots"], document["late"]["snapshots"]) == (0, 1, 5)
    assert build(home, "--late")[1] == "no snapshot is changed by late rows\n"
    online = FeatureStore(home).online(["a1", "a2", "a3"])
    (newest,) = (row for row in snapshots(home, [LAST])["engagement"] if row["account_id"] == "a1")
    numbers = {name: value for name, value in newest.items() if isinstance(value, float)}
    assert numbers
    assert {name: online.loc[0, name] for name in numbers} == numbers
