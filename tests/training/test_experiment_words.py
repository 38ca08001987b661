"""In which sentences is a comparison told?"""

from __future__ import annotations

import pytest

from training.contrasts import words_for
from training.evaluation_parts import Estimate
from training.experiment import ArmFacts, ArmFigures, Contrast, Metric, Slice, SliceComparison
from training.experiment_words import findings, gain_told, power_told, signed

ARMS = {
    "full": ArmFacts(title="phase-aware hazard", about="every feature", settings={}),
    "phase_blind": ArmFacts(title="phase-blind hazard", about="no phases", settings={}),
}
TRADITIONAL = {"full": ARMS["full"], "traditional": ArmFacts(title="traditional hazard", about="logins", settings={})}


def estimate(value: float | None, low: float | None, high: float | None) -> Estimate:
    reason = "" if value is not None else "no rows"
    return Estimate(value=value, low=low, high=high, rows=900, positives=90, outcomes=50, base_rate=0.1, reason=reason)


def contrast(value: float | None, low: float | None, high: float | None, *, effect: float = 0.1) -> Contrast:
    gain = estimate(value, low, high)
    known = low is not None
    return Contrast(
        gain=gain,
        effect=effect,
        least_detectable=0.2 if known else None,
        leavers_needed=200 if known else None,
        words=words_for(gain, effect),
    )


def slices(ap: Contrast, other: str = "phase_blind") -> dict[Slice, SliceComparison]:
    figures = ArmFigures(ap=estimate(0.2, 0.1, 0.3), auc=estimate(0.7, 0.6, 0.8), log_loss=estimate(0.3, 0.2, 0.4))
    by_metric: dict[Metric, Contrast] = {"ap": ap, "auc": ap, "log_loss": ap}
    part = SliceComparison(
        rows=900, leavers=50, base_rate=0.1, arms={"full": figures, other: figures}, contrasts={other: by_metric}
    )
    return {"window": part}


def told(ap: Contrast, truth: Contrast | None = None) -> tuple[str, ...]:
    return findings("full", ARMS, slices(ap), None if truth is None else slices(truth))


def test_an_interval_that_covers_0_says_that_no_campaign_effect_was_found() -> None:
    (sentence,) = told(contrast(0.01, -0.03, 0.05))
    assert sentence == (
        "No campaign effect found: knowing campaign phases changes risk ranking by +1 % (-3 % to +5 %) in average "
        "precision among accounts whose decision is due, an interval that covers 0. A true gain of +20 % or more is "
        "found in four of five such samples; +10 % was asked for."
    )


def test_an_interval_wider_than_the_effect_asked_for_says_that_the_test_was_underpowered() -> None:
    (sentence,) = told(contrast(0.17, -0.08, 0.42))
    assert sentence == (
        "No campaign effect found: knowing campaign phases changes risk ranking by +17 % (-8 % to +42 %) in average "
        "precision among accounts whose decision is due, an interval that covers 0. Underpowered: the interval is 50 % "
        "wide, the effect asked for is +10 %. A true gain of +20 % or more is found in four of five such samples; the "
        "effect asked for needs about 200 leavers, there are 50."
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "opening"),
    [
        (0.05, 0.02, 0.08, "Knowing campaign phases helps: +5 % (+2 % to +8 %)"),
        (-0.05, -0.08, -0.02, "Knowing campaign phases hurts: -5 % (-8 % to -2 %)"),
    ],
)
def test_an_interval_beside_0_says_in_which_direction(value: float, low: float, high: float, opening: str) -> None:
    (sentence,) = told(contrast(value, low, high))
    assert sentence.startswith(opening)
    assert "an interval that leaves 0 out" in sentence
    assert "No campaign effect" not in sentence


def test_the_grade_with_true_chances_stands_beside_the_one_by_outcomes() -> None:
    by_outcomes, by_truth = told(contrast(0.17, 0.02, 0.32), contrast(0.008, -0.01, 0.026))
    assert by_outcomes.startswith("Knowing campaign phases helps: +17 %")
    assert by_truth == (
        "Graded with true chances, phase-aware hazard over phase-blind hazard: +1 % (-1 % to +3 %); the interval "
        "covers 0: no campaign effect found here either."
    )


def test_a_true_gain_is_told_as_one() -> None:
    _, by_truth = told(contrast(0.01, -0.1, 0.12), contrast(0.05, 0.03, 0.07))
    assert by_truth.endswith("+5 % (+3 % to +7 %); the interval leaves 0 out.")


def test_where_there_is_no_number_the_reason_stands_in_its_place() -> None:
    nothing = contrast(None, None, None)
    assert told(nothing, nothing) == (
        "phase-aware hazard against phase-blind hazard: not known: no rows.",
        "Graded with true chances, phase-aware hazard over phase-blind hazard: not known: no rows.",
    )


def test_other_arms_are_never_told_as_a_campaign_effect() -> None:
    for ap in (contrast(0.01, -0.03, 0.05), contrast(0.3, 0.1, 0.5)):
        (sentence,) = findings("full", TRADITIONAL, slices(ap, "traditional"), None)
        assert "ampaign" not in sentence
        assert "traditional hazard" in sentence


def test_the_same_arm_twice_is_told_as_a_check() -> None:
    twice = {
        "full": ARMS["full"],
        "full_2": ArmFacts(title="phase-aware hazard, seed 2", about="every feature", settings={}),
    }
    (sentence,) = findings("full", twice, slices(contrast(0.0, -0.02, 0.02), "full_2"), None)
    assert sentence.startswith("A/A check, the same arm twice: it differs from itself by +0 % (-2 % to +2 %)")


@pytest.mark.parametrize(("metric", "text"), [("ap", "+1 %"), ("auc", "+0.012"), ("log_loss", "+0.0123")])
def test_a_gain_has_its_sign_and_as_many_digits_as_it_can_bear(metric: Metric, text: str) -> None:
    assert signed(0.0123, metric) == text
    assert signed(-0.00001, "auc") == "+0.000"


def test_a_gain_without_an_interval_says_why() -> None:
    alone = Estimate(value=0.05, low=None, high=None, rows=9, positives=1, outcomes=1, base_rate=0.1, reason="too few")
    known = Contrast(gain=alone, effect=0.1, least_detectable=None, leavers_needed=None, words=("undefined",))
    assert gain_told(known, "ap") == "+5 % (no interval: too few)"
    assert power_told(known, slices(known)["window"], "ap") == "What these rows could have shown is not known."
