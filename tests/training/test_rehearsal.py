"""What people would notice of another version: counted by hand on a small table."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import spearmanr

from features.errors import MissingStateError
from training.rehearsal import Rehearsal, rehearsal
from training.rehearsal_page import markdown, write_rehearsal

EVIL = "<script>alert(1)</script>|*x*"


def row(
    account: str, served: tuple[float, str, float], shadow: tuple[float, str, float], **more: Any
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "as_of": pd.Timestamp("2024-01-01", tz="UTC"),
        "served_version": "1",
        "shadow_version": "2",
        "features_hash": account,
        "annual_value": 1000.0,
        "currency": "EUR",
        "rows_at_once": 1,
        "served_ms": None,
        "shadow_ms": 4.0,
        "told_at": pd.Timestamp("2024-01-03", tz="UTC"),
    }
    sides = {
        f"{side}_{part}": value
        for side, told in (("served", served), ("shadow", shadow))
        for part, value in zip(("health", "band", "risk"), told, strict=True)
    }
    return {"account_id": account, **facts, **sides, **more}


@pytest.fixture
def rows() -> pd.DataFrame:
    later = pd.Timestamp("2024-01-04", tz="UTC")
    return pd.DataFrame(
        [
            row("a", (90.0, "green", 0.01), (10.0, "red", 0.9), told_at=pd.Timestamp("2024-01-02", tz="UTC")),
            row("a", (80.0, "green", 0.02), (78.0, "green", 0.03), told_at=later, shadow_ms=6.0, served_ms=3.0),
            row("b", (50.0, "amber", 0.10), (30.0, "red", 0.20), shadow_ms=8.0, served_ms=8.0),
            row("c", (20.0, "red", 0.40), (55.0, "amber", 0.10), annual_value=None, shadow_ms=5.0),
            row(EVIL, (20.0, "red", 0.50), (45.0, "amber", 0.15), annual_value=500.0, currency=None, shadow_ms=7.0),
        ]
    )


@pytest.fixture
def told(rows: pd.DataFrame) -> Rehearsal:
    return rehearsal(rows, "2")


def test_the_newest_row_of_each_account_is_compared(told: Rehearsal) -> None:
    assert (told.rows, told.accounts, told.same_band, told.changed) == (5, 4, 1, 3)
    assert [(one.band_from, one.band_to, one.accounts) for one in told.moves] == [
        ("green", "green", 1),
        ("amber", "red", 1),
        ("red", "amber", 2),
    ]
    assert (told.health_median_move, told.health_largest_move) == (22.5, 35.0)


def test_value_moves_by_currency_and_an_unknown_value_adds_nothing(told: Rehearsal) -> None:
    found = {one.currency: one for one in told.revenue}
    assert sorted(found) == ["EUR", "no currency"]
    euros, other = found["EUR"], found["no currency"]
    assert (euros.accounts, euros.annual_value, euros.into_red, euros.out_of_red) == (3, 2000.0, 1000.0, 0.0)
    assert (euros.at_risk_live, euros.at_risk_new) == pytest.approx((120.0, 230.0))
    assert (other.into_red, other.out_of_red, other.at_risk_live, other.at_risk_new) == (0.0, 500.0, 250.0, 75.0)


def test_the_order_of_risks_agrees_as_scipy_says(told: Rehearsal, rows: pd.DataFrame) -> None:
    newest = rows.iloc[1:]
    assert told.rank_agreement == pytest.approx(spearmanr(newest["served_risk"], newest["shadow_risk"]).statistic)
    assert rehearsal(rows.iloc[[2]], "2").rank_agreement is None


def test_movers_come_by_the_value_at_stake(told: Rehearsal) -> None:
    assert [one.account_id for one in told.movers] == [EVIL, "b", "c"]
    assert [one.annual_value for one in told.movers] == [500.0, 1000.0, None]


def test_time_is_compared_on_the_same_rows_only(told: Rehearsal) -> None:
    assert told.latency.model_dump() == {
        "calls": 5,
        "p50_ms": 6.0,
        "p95_ms": pytest.approx(7.8),
        "served_calls": 2,
        "ratio": pytest.approx(1.5),
    }


def test_another_served_version_is_another_comparison(rows: pd.DataFrame) -> None:
    both = pd.concat([rows, rows.assign(served_version="3", shadow_health=rows["served_health"])])
    assert rehearsal(both, "2").served == "3"
    assert rehearsal(both, "2", served="1").health_largest_move == 35.0
    with pytest.raises(MissingStateError, match="has scored nothing yet") as failure:
        rehearsal(both, "2", served="8")
    assert failure.value.found == "none beside version 8"
    with pytest.raises(MissingStateError):
        rehearsal(rows.iloc[:0], "2")


class Reader(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_draws_every_account_and_escapes_what_is_not_ours(
    told: Rehearsal, tmp_path: Path
) -> None:
    page = write_rehearsal(told, tmp_path / "new")
    reader = Reader()
    reader.feed(page.read_text())
    assert "script" not in reader.tags
    assert reader.tags.count("circle") == 4
    assert EVIL in reader.text
    assert "3 of 4 accounts" in reader.text
    assert json.loads((tmp_path / "new" / "shadow.json").read_text())["same_band"] == 1
    assert (tmp_path / "new" / "shadow.md").read_text() == markdown(told)


def test_the_markdown_holds_the_words_and_breaks_no_table(told: Rehearsal) -> None:
    text = markdown(told)
    assert text.startswith("# What version 2 would have said beside version 1\n")
    for line in told.lines()[1:3]:
        assert f"- {line}" in text
    assert "\\<script>alert(1)\\</script>\\|\\*x\\*" in text
    assert {line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")} == {4, 5}


def test_versions_that_agree_have_no_movers_and_say_so(rows: pd.DataFrame) -> None:
    same = rows.assign(shadow_health=rows["served_health"], shadow_band=rows["served_band"])
    told = rehearsal(same, "2")
    assert (told.changed, told.movers, told.health_largest_move) == (0, (), 0.0)
    assert "No account would be in another band." in markdown(told)
