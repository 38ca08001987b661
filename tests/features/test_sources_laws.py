"""Laws of ingest over made-up exports: nothing is lost, nothing comes twice, the order of loads does not matter."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.events import TABLES
from features.settings import Home
from tests.features.source_case import (
    NOW,
    USAGE_HEADER,
    everything_in,
    home_in,
    only,
    quarantined,
    refusals,
    stored,
    take_in,
    write_usage,
)

# An example is a whole ingest, so there are few, and a failure is shown as it was found instead of shrunk for minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FEW = settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
FAMILIES = TABLES["usage_daily"].column("feature_code").choices

good_day = st.dates(date(2020, 1, 1), date(2024, 6, 1)).map(str)
good_row = st.tuples(
    st.sampled_from(["a1", "a2", "a3"]),
    st.sampled_from(["", "u1", "u2"]),
    st.sampled_from(["studio", "review"]),
    st.sampled_from(["", *FAMILIES[:3]]),
    good_day,
    st.integers(0, 3).map(str),
    st.sampled_from(["", "0", "1.5", "2e1"]),
)
any_row = st.tuples(
    st.sampled_from(["a1", "a2", ""]),
    st.text(st.characters(codec="utf-8", exclude_characters='\r\n",'), max_size=4),
    st.sampled_from(["studio", ""]),
    st.sampled_from(["", "core", "CORE"]),
    st.one_of(good_day, st.sampled_from(["", "2024-02-30", "2024-06-04", "2024-06-05", "9999-01-01", "soon"])),
    st.one_of(st.integers(-(2**64), 2**64).map(str), st.sampled_from(["", "1.0", "1.5", "x", "-0"])),
    st.one_of(st.floats().map(repr), st.sampled_from(["", ".5", "5.", "1e999", "-1"])),
)
Row = tuple[str, ...]


def number_of(text: str, pattern: str) -> float | None:
    return float(text) if re.fullmatch(pattern, text, re.ASCII) else None


def keeps_the_contract(row: Row) -> bool:
    """The contract of usage_daily in plain Python: the oracle for the SQL."""
    account, user, sku, family, day, sessions, minutes = row
    if not account or not sku or family not in {"", *FAMILIES} or {"\0", "\x1f"} & set(user):
        return False
    try:
        early_enough = date(1900, 1, 1) <= date.fromisoformat(day) <= date(2024, 6, 4)
    except ValueError:
        return False
    whole = number_of(sessions, r"[+-]?\d+(\.0*)?") if sessions else 0
    measure = number_of(minutes, r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?") if minutes else 0
    fits = whole is not None and 0 <= int(sessions.split(".")[0] or 0 if sessions else 0) < 2**63
    return early_enough and fits and measure is not None and 0 <= measure < float("inf")


def load(home: Home, folder: Path, rows: list[Row]) -> None:
    write_usage(folder, *(",".join(row) for row in rows))
    take_in(home, folder)


def key_of(row: Row) -> Row:
    return row[:5]


@FEW
@given(st.lists(any_row, min_size=1, max_size=40))
def test_every_row_is_new_known_or_refused_as_plain_python_says(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as place:
        home, folder = home_in(Path(place)), Path(place) / "in"
        report = only(take_in(home, write_usage(folder, *(",".join(row) for row in rows)).parent))
        assert report.read == len(rows) == report.new + report.known + report.refused
        broken = {row for row, _, rule in refusals(home, "usage_daily") if rule != "conflict"}
        assert broken == {number for number, row in enumerate(rows, start=1) if not keeps_the_contract(row)}
        assert len(quarantined(home, "usage_daily")) == report.refused
        assert len(stored(home, "usage_daily")) == report.new


@FEW
@given(st.lists(any_row, min_size=1, max_size=20))
def test_loading_the_same_twice_adds_nothing(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as place:
        home, folder = home_in(Path(place)), Path(place) / "in"
        load(home, folder, rows)
        before = everything_in(home)
        assert take_in(home, folder).new == 0
        assert everything_in(home) == before
        # Other bytes, same rows: the rows themselves are recognised, not only the file.
        (folder / "usage_daily.csv").write_text(
            "".join(f"{','.join(row)}\r\n" for row in [USAGE_HEADER.split(","), *rows])
        )
        assert only(take_in(home, folder)).new == 0


@FEW
@given(st.lists(good_row, min_size=1, max_size=30, unique_by=key_of), st.data())
def test_exports_that_overlap_give_the_same_table_in_any_order(rows: list[Row], data: st.DataObject) -> None:
    first = data.draw(st.lists(st.sampled_from(rows), min_size=1))
    second = data.draw(st.lists(st.sampled_from(rows), min_size=1))
    with tempfile.TemporaryDirectory() as place:
        contents = []
        for name, loads in {"one": [first, second], "two": [second, first], "both": [first + second]}.items():
            home = home_in(Path(place) / name)
            for rows_of_load in loads:
                load(home, Path(place) / name / "in", rows_of_load)
            contents.append(stored(home, "usage_daily", "row_hash", "available_at", "account_id", "usage_date"))
        assert contents[0] == contents[1] == contents[2]
        assert len(contents[0]) == len(set(first + second))


@FEW
@given(st.lists(any_row, min_size=1, max_size=20))
def test_a_refused_row_can_be_replayed_from_its_cells(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as place:
        home, folder = home_in(Path(place)), Path(place) / "in"
        load(home, folder, rows)
        for refused in quarantined(home, "usage_daily"):
            names = USAGE_HEADER.split(",")
            assert refused["cells"] == dict(
                zip(names, (cell or None for cell in rows[refused["row"] - 1]), strict=True)
            )
            assert set(refused) == {"table", "file", "row", "column", "rule", "reason", "entry", "cells"}
            json.dumps(refused)


def test_the_oracle_knows_good_from_bad() -> None:
    assert keeps_the_contract(("a1", "", "studio", "", "2024-01-01", "", ""))
    assert not keeps_the_contract(("a1", "", "studio", "", "2024-01-01", "-1", ""))
    assert not keeps_the_contract(("a1", "", "studio", "", str(NOW.date().replace(day=6)), "1", ""))
