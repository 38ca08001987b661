"""The model card: one page that says made from what, how good, for whom not, and who agreed."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import MissingStateError
from features.settings import Home
from training import governance, promotions
from training.card import model_card
from training.evaluation import EvaluationPlan
from training.gate_rules import Checks
from training.gates import verdict
from training.governance import Approval, Governance
from training.judging import Judgement
from training.report import ModelFacts
from training.roles import Decision, Role
from training.telling import store_report

from .judged_case import evaluated
from .test_promotions import NOON, PASSED

VERSION = evaluated().model_version
FACTS = ModelFacts(
    summary="A model.",
    data_cut=NOON,
    trained_first_as_of=NOON,
    trained_last_as_of=NOON,
    training_rows=12_345,
    training_outcomes=678,
    features=90,
    decisions=("12 months: 40 | 3 seen",),
    currency="EUR",
    made_at=NOON,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place, evaluation = Home(root=tmp_path / "home"), evaluated()
    judged = Judgement(evaluation, verdict(evaluation, Checks()), (), "EUR")
    store_report(place, judged, FACTS)
    return place


def test_the_card_answers_first_whether_it_can_be_trusted(home: Home) -> None:
    card = model_card(home, VERSION)
    first, second = [line for line in card.markdown.splitlines() if line][:2]
    assert first == f"# Model card: version {VERSION}"
    assert second.startswith("**Can I trust it?** No.")


def test_every_gate_arm_and_horizon_stands_in_the_card(home: Home) -> None:
    text, evaluation = model_card(home, VERSION).markdown, evaluated()
    for gate in verdict(evaluation, Checks()).gates:
        assert f"| {gate.title}" in text.replace("\\", "")
    assert text.count(" days | ") == len(evaluation.horizons)
    assert "| this model | " in text
    assert "12,345" in text
    assert EvaluationPlan().headline_days == 90
    assert "At 90 days" in text


def test_the_page_says_the_same_as_the_markdown_with_tables_as_tables(home: Home) -> None:
    card = model_card(home, VERSION)
    assert card.html.count("<table>") == card.html.count("</table>") >= 4
    assert card.html.count("<h2>") == card.markdown.count("\n## ")
    assert "|---" not in card.html
    # A bar inside of a cell is no border.
    assert "40 | 3 seen" in card.html


def test_what_data_say_is_text_and_never_markup(home: Home) -> None:
    governance.record(
        home, Approval(NOON, "<b>ada</b>", Role.FINANCE, VERSION, None, Decision.APPROVE, "a|b <i>*so*"), Governance()
    )
    card = model_card(home, VERSION)
    assert "&lt;b&gt;ada&lt;/b&gt; as finance: approve against no live model (a|b &lt;i&gt;*so*)" in card.html
    assert "<b>ada" not in card.html


def test_it_says_whether_the_version_is_live_and_who_put_it_there(home: Home) -> None:
    assert "- It is not live." in model_card(home, VERSION).markdown
    promotions.promote(home, VERSION, who="ada", why="better", verdict=PASSED, at=NOON)
    lines = model_card(home, VERSION).markdown.splitlines()
    assert f"- 2024-06-03 12:00 ada: promote to version {VERSION} (better)" in lines
    assert "- It is live." in lines


def test_both_forms_are_written_side_by_side(home: Home, tmp_path: Path) -> None:
    card = model_card(home, VERSION)
    markdown, page = card.write(tmp_path / "cards")
    assert (markdown.name, page.name) == ("model-card.md", "model-card.html")
    assert (markdown.read_text(), page.read_text()) == (card.markdown, card.html)


def test_a_version_that_was_never_judged_has_no_card(home: Home) -> None:
    with pytest.raises(MissingStateError, match="no judgement") as refusal:
        model_card(home, "99")
    assert refusal.value.found == "evaluation.json, verdict.json, facts.json missing"
