"""What an ablation says: no more than its intervals do, on a page that needs nothing else."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from features.settings import Home
from training import ablation_report
from training.ablation_parts import Ablation, ArmWithout, SeasonLeftOut
from training.ablation_plot import ablation_picture
from training.ablation_words import brief, season_told, turned, without_told
from training.evaluation_parts import ArmEvaluation, DeltaEvaluation, Estimate
from training.reading import lead_in_words

from .judged_case import evaluated


def estimate(value: float | None, low: float | None = None, high: float | None = None, outcomes: int = 80) -> Estimate:
    reason = "" if value is not None else "no leaver among 40 rows"
    return Estimate(
        value=value, low=low, high=high, rows=900, positives=120.0, outcomes=outcomes, base_rate=0.13, reason=reason
    )


def arm(lead: Estimate, features: int = 70) -> ArmWithout:
    ranking: ArmEvaluation = evaluated().arms["champion"]
    delta = DeltaEvaluation(auc_pooled=lead, auc_window=lead, ap_pooled=lead, ap_window=lead)
    words = lead_in_words("auc_window", lead, lead.outcomes or 0)
    return ArmWithout(features=features, ranking=ranking, lead=delta, words=words)


HELPS, NOTHING = estimate(0.05, 0.02, 0.08), estimate(0.001, -0.004, 0.006)
HARMS, WIDE, UNKNOWN = estimate(-0.03, -0.05, -0.01), estimate(0.02, -0.15, 0.2), estimate(None)


@cache
def ablation() -> Ablation:
    champion = evaluated().arms["champion"]
    season = SeasonLeftOut(
        rows=700,
        auc_window=estimate(0.66, 0.58, 0.74),
        auc_pooled=estimate(0.8, 0.7, 0.9),
        ap_window=estimate(0.3, 0.2, 0.4),
        words=("skill",),
    )
    return Ablation(
        version="7",
        headline_days=90,
        rows=2_400,
        outcomes=80,
        fits=14,
        whole=champion,
        without={
            "engagement": arm(HELPS),
            "market": arm(NOTHING),
            "output_quality": arm(HARMS),
            "sentiment": arm(WIDE),
        },
        alone={"engagement": arm(HELPS, 24), "market": arm(NOTHING, 8)},
        seasons={"2022/23": season},
        too_thin={"2021/22": 12},
    )


@pytest.mark.parametrize(
    ("name", "lead", "told"),
    [
        ("engagement", HELPS, "Losing engagement signals costs: AUC falls by 0.050 (0.020 to 0.080)."),
        (
            "market",
            NOTHING,
            "Losing market signals costs nothing that can be measured; AUC falls by 0.006 at most.",
        ),
        (
            "output_quality",
            HARMS,
            "The model ranks better without output quality signals: AUC rises by 0.030 (0.010 to 0.050).",
        ),
        ("market", WIDE, "Whether losing market signals costs anything cannot be told from these data."),
        ("market", UNKNOWN, "What losing market signals costs is not known: no leaver among 40 rows."),
        (
            "market",
            estimate(0.05, 0.02, 0.08, outcomes=12),
            "Losing market signals costs: AUC falls by 0.050 (0.020 to 0.080), though few accounts left.",
        ),
        (
            "market",
            estimate(0.001, -0.004, 0.006, outcomes=12),
            "Whether losing market signals costs anything cannot be told from these data.",
        ),
    ],
)
def test_a_part_is_told_as_its_interval_allows(name: str, lead: Estimate, told: str) -> None:
    assert without_told(name, arm(lead)) == told


def test_a_difference_turned_round_keeps_its_ends_in_order() -> None:
    other = turned(HARMS)
    assert (other.value, other.low, other.high) == (0.03, 0.01, 0.05)
    assert turned(turned(HARMS)) == HARMS
    assert turned(UNKNOWN) == UNKNOWN


def test_the_brief_names_every_part_once_under_what_is_known_of_it() -> None:
    assert brief(ablation()) == [
        "The model needs these signals, ranking is worse without them: engagement.",
        "The model ranks better without: output quality.",
        "Losing one of these costs nothing that can be measured: market. Others may stand in for it.",
        "Whether losing one of these costs anything cannot be told from these data: sentiment.",
        "Skill is shown in 1 of 1 campaign years by a model that saw nothing of them.",
    ]
    assert season_told("2022/23", ablation().seasons["2022/23"]) == (
        "In 2022/23 a model that saw nothing of that year scores AUC 0.66 (0.58 to 0.74): skill."
    )


class _Seen(HTMLParser):
    """The rows of tables, the pictures, and every address that the page would ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._inside = True
        if tag == "img":
            self.images.append(given)
        self.addresses += [str(given[name]) for name in ("src", "href") if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def test_the_page_holds_the_picture_every_table_and_nothing_from_outside(tmp_path: Path) -> None:
    stored = ablation_report.store(Home(root=tmp_path), ablation())
    seen = _Seen(stored.page.read_text())
    first = {row[0]: row for row in seen.rows if row}
    assert first["sentiment"][-1] == "Whether losing sentiment signals costs anything cannot be told from these data."
    assert first["2022/23"][:4] == ["2022/23", "700", "120", "0.660 (0.580 to 0.740)"]
    assert first["2021/22"][3].startswith("not judged: 12 accounts left in the other years")
    assert sum(row[0] == "engagement" for row in seen.rows) == 2
    (image,) = seen.images
    assert str(image["alt"]).startswith("Points with intervals. AUC lost without it: engagement 0.050 (0.020 to 0.080)")
    assert all(address.startswith("data:image/png") for address in seen.addresses)
    assert "PICTURE" not in stored.page.read_text()
    assert Ablation.model_validate_json(stored.document.read_text()) == ablation()


def test_the_markdown_says_the_same_without_the_picture(tmp_path: Path) -> None:
    text = ablation_report.store(Home(root=tmp_path), ablation()).markdown.read_text()
    assert text.startswith("# What does version 7 owe to each part of its inputs?")
    assert "| market | 70 | 0.001 (-0.004 to 0.006) |" in text
    assert all(sentence in text for sentence in brief(ablation()))
    assert "![" not in text
    assert "<" not in text.replace("\\<", "")


def test_what_was_not_asked_has_no_section_and_no_panel() -> None:
    less = ablation().model_copy(update={"alone": {}, "seasons": {}, "too_thin": {}})
    text = ablation_report.markdown_of(less, picture="")
    assert "nothing else but timing" not in text
    assert "campaign year that" not in text
    assert "nothing else" not in ablation_picture(less).alt
    assert ablation_picture(less).title == brief(less)[0]
