from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from tests.training.judged_case import SMALL_PLAN, SOUND, evaluated, portfolio
from training.evaluate import evaluate
from training.evaluation import Evaluation
from training.figure import Picture
from training.gates import Checks, verdict
from training.report import ModelFacts, render
from training.verdict import GATE_CODES, Verdict

FACTS = ModelFacts(
    summary="A hazard model made of small trees.",
    data_cut=datetime(2024, 10, 1, tzinfo=UTC),
    trained_first_as_of=datetime(2021, 1, 4, tzinfo=UTC),
    trained_last_as_of=datetime(2023, 6, 5, tzinfo=UTC),
    training_rows=31_000,
    training_outcomes=412,
    features=102,
    decisions=("12-month terms: 400 decisions, 60 left (15%), 210 still run",),
    currency="EUR",
    made_at=datetime(2024, 11, 1, tzinfo=UTC),
)
PICTURES = tuple(
    Picture(name=name, title=f"Title of {name}", caption=f"Caption of {name}.", alt=f"Alt of {name}", png=name.encode())
    for name in ("auc", "gains", "reliability", "phases", "subcategories", "beeswarm", "dependence")
)
_VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """What stands on a page: tags with attributes, and text under the nearest tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "every tag must be closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1], " ".join(data.split())))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, *tags: str) -> str:
        return " ".join(text for tag, text in self.texts if not tags or tag in tags)


def html_of(evaluation: Evaluation | None = None, judgement: Verdict | None = None) -> str:
    graded = evaluation or evaluated()
    return render(graded, judgement or verdict(graded, SOUND), FACTS, PICTURES)


def test_the_brief_tells_a_lead_what_counts_in_whole_sentences() -> None:
    found = evaluated()
    due, timing, lead = found.headline.auc_window, found.arms["timing_only"], found.deltas["timing_only"].auc_window
    text = Page(html_of()).text()
    for told in (
        "A hazard model made of small trees. It was trained on 31,000 account snapshots from 2021-01-04 to 2023-06-05",
        f"{found.block.base_rate:.1%} of account snapshots saw the account leave within 90 days",
        f"better than chance: AUC {due.value:.2f} ({due.low:.2f} to {due.high:.2f})",
        f"Pooled AUC flatters: timing alone scores {timing.auc_pooled.value:.2f}.",
        f"is {lead.value:.2f} ({lead.low:.2f} to {lead.high:.2f}).",
        "runs from 0 to 100, and 100 is healthy",
    ):
        assert told in text


def test_a_passed_verdict_shows_every_gate_with_its_reason() -> None:
    text = Page(html_of()).text()
    assert "Passed: this model may go live." in text
    for gate in verdict(evaluated(), SOUND).gates:
        assert gate.title in text
        assert gate.reason in text


def test_a_refused_verdict_says_so_first_and_names_the_gates() -> None:
    page = Page(html_of(judgement=verdict(evaluated(), Checks())))
    text = page.text()
    assert "Refused: this model may not go live." in text
    assert (
        f"4 of {len(GATE_CODES)} gates refused: no column knows the outcome before it happened (not measured)" in text
    )
    assert "Passed" not in text
    assert {"class": "verdict refused"} in page.all("div")


def test_the_page_needs_nothing_from_outside() -> None:
    html = html_of()
    assert "http" not in html
    assert "@import" not in html
    assert not re.search(r"url\(", html)
    page = Page(html)
    assert not page.all("script")
    assert not page.all("link")
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img"))


def test_every_picture_is_inside_with_its_words() -> None:
    page = Page(html_of())
    shown = {image["alt"]: (image["src"] or "").split(",")[1] for image in page.all("img")}
    assert {alt: base64.b64decode(png) for alt, png in shown.items()} == {one.alt: one.png for one in PICTURES}
    assert all(one.caption in page.text("figcaption") for one in PICTURES)


def test_the_page_can_be_read_by_a_screen_reader() -> None:
    page = Page(html_of())
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) > 8
    assert all(cell.get("scope") in {"col", "row"} for cell in page.all("th"))
    named = {heading["id"] for heading in page.all("h2")}
    assert {section["aria-labelledby"] for section in page.all("section")} == named


def test_colours_have_enough_contrast() -> None:
    html = html_of()
    for ink, paper in (
        ("#1c1c1c", "#fff"),
        ("#4a4a4a", "#fff"),
        ("#00593f", "#fff"),
        ("#8f2f00", "#fff"),
        ("#1c1c1c", "#fbeee6"),
    ):
        assert ink in html
        assert contrast(ink, paper) > 7


def contrast(ink: str, paper: str) -> float:
    """Ratio of relative luminances, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#") if len(colour) > 4 else "".join(2 * digit for digit in colour.lstrip("#"))
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_tables_hold_every_arm_horizon_and_group() -> None:
    text = Page(html_of()).text("th")
    for name in ("this model", "timing alone", "logistic regression", "health score", "30 days", "180 days"):
        assert name in text
    for name in ("pre", "active", "post", "studio", "evergreen", "dated"):
        assert name in text


def test_text_from_elsewhere_cannot_become_markup() -> None:
    spoiled = evaluated().model_copy(update={"model_version": "<script>alert(1)</script>"})
    html = html_of(spoiled)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_without_truth_there_is_no_section_about_it() -> None:
    bare = evaluated().model_copy(update={"truth": None})
    assert "true probabilities" in html_of()
    assert "true probabilities" not in html_of(bare)


def test_without_pictures_the_page_still_stands() -> None:
    html = render(evaluated(), verdict(evaluated(), SOUND), FACTS)
    assert Page(html).all("img") == []


def test_without_a_timing_model_no_skill_is_claimed_over_it() -> None:
    rows = portfolio(150, seed=6).judged.drop(columns="risk_90_timing_only")
    graded = evaluate(rows, model_version="v1", plan=SMALL_PLAN)
    assert "There is no timing-only model to compare with" in Page(html_of(graded)).text()


@pytest.mark.parametrize("spoiled", ["y_90", "risk_90"])
def test_numbers_that_do_not_exist_are_told_with_their_reason_and_never_as_nan(spoiled: str) -> None:
    rows = portfolio(150, seed=6).judged.assign(**{spoiled: np.nan})
    graded = evaluate(rows, model_version="v1", plan=SMALL_PLAN)
    text = Page(html_of(graded)).text()
    assert not re.search(r"\bnan\b|\bNone\b", text)
    assert "Ranking skill where decisions are due is not known" in text
    assert "Refused: this model may not go live." in text


def test_the_same_documents_give_the_same_page() -> None:
    again = Evaluation.model_validate_json(evaluated().model_dump_json())
    assert html_of(again) == html_of()
