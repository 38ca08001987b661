"""Which arm ranks and states better, and could these rows have shown it?"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from training.contrasts import compared, words_for
from training.evaluation_parts import Estimate
from training.experiment import SLICES, ComparisonPlan, Slice, SliceComparison
from training.metrics import Floats

from .judged_case import Portfolio, portfolio

PLAN = ComparisonPlan(replicates=300, repeats=1)


@cache
def world() -> Portfolio:
    return portfolio(500, skill=0.9, seed=5)


def rows() -> pd.DataFrame:
    return world().judged


def label() -> Floats:
    return rows()["y_90"].to_numpy(np.float64)


def stated(*, noise: float = 0.0, seed: int = 1, repeats: int = 1) -> Floats:
    """The made-up model's risk, blurred: the more noise, the worse it ranks."""
    risk = rows()["risk_90"].to_numpy(np.float64)
    log_odds = np.log(risk / (1 - risk))
    blur = np.random.default_rng(seed).normal(size=(repeats, len(risk)))
    return 1 / (1 + np.exp(-(log_odds + noise * blur)))


@cache
def sharp_and_blunt() -> dict[Slice, SliceComparison]:
    return compared(rows(), label(), {"sharp": stated(), "blunt": stated(noise=2.5)}, PLAN)


def masks() -> dict[str, np.ndarray]:
    judged = rows()
    due = (judged["is_evergreen"] == 0) & judged["days_to_decision"].between(0, 90)
    return {
        "window": due.to_numpy(),
        "campaign": judged["phase"].isin(["active", "post"]).to_numpy(),
        "pooled": np.ones(len(judged), dtype=bool),
    }


@pytest.mark.parametrize("name", SLICES)
def test_the_figures_are_those_of_scikit_learn(name: Slice) -> None:
    mask, told = masks()[name], sharp_and_blunt()[name]
    for arm, risk in (("sharp", stated()[0]), ("blunt", stated(noise=2.5)[0])):
        figures = told.arms[arm]
        assert figures.auc.value == pytest.approx(roc_auc_score(label()[mask], risk[mask]), rel=1e-9)
        assert figures.ap.value == pytest.approx(average_precision_score(label()[mask], risk[mask]), rel=1e-9)
        assert figures.log_loss.value == pytest.approx(log_loss(label()[mask], risk[mask]), rel=1e-9)
    assert told.rows == mask.sum()
    assert told.leavers == rows()["account_id"][mask & (label() > 0)].nunique()
    assert told.base_rate == pytest.approx(label()[mask].mean())


def test_gains_are_the_first_arms_and_above_0_is_better() -> None:
    part = sharp_and_blunt()["window"]
    sharp, blunt, gains = part.arms["sharp"], part.arms["blunt"], part.contrasts["blunt"]
    assert None not in (sharp.ap.value, blunt.ap.value, sharp.log_loss.value, blunt.log_loss.value)
    assert gains["ap"].gain.value == pytest.approx(sharp.ap.value / blunt.ap.value - 1)  # type: ignore[operator]
    assert gains["auc"].gain.value == pytest.approx(sharp.auc.value - blunt.auc.value)  # type: ignore[operator]
    assert gains["log_loss"].gain.value == pytest.approx(blunt.log_loss.value - sharp.log_loss.value)  # type: ignore[operator]
    assert {metric: contrast.words[0] for metric, contrast in gains.items()} == dict.fromkeys(gains, "better")


def test_the_two_sides_may_be_swapped() -> None:
    swapped = compared(rows(), label(), {"blunt": stated(noise=2.5), "sharp": stated()}, PLAN)["window"]
    there, back = sharp_and_blunt()["window"].contrasts["blunt"], swapped.contrasts["sharp"]
    for metric in ("auc", "log_loss"):
        gain, loss = there[metric].gain, back[metric].gain  # type: ignore[index]
        assert (gain.value, gain.low, gain.high) == pytest.approx((-loss.value, -loss.high, -loss.low))
    assert back["ap"].words[0] == "worse"


def test_an_arm_does_not_differ_from_itself_at_all() -> None:
    gains = compared(rows(), label(), {"a": stated(), "b": stated()}, PLAN)["window"].contrasts["b"]
    for contrast in gains.values():
        assert (contrast.gain.value, contrast.gain.low, contrast.gain.high) == (0.0, 0.0, 0.0)
        assert contrast.words == ("no difference shown",)


def test_a_paired_interval_is_narrower_than_the_arms_own() -> None:
    # Both arms meet the same redrawn accounts, so what they share is no uncertainty of the difference.
    other = stated(noise=0.2)
    part = compared(rows(), label(), {"a": stated(), "b": other}, PLAN)["window"]
    own, paired = part.arms["a"].auc.width, part.contrasts["b"]["auc"].gain.width
    assert own is not None
    assert paired is not None
    assert paired < own / 2


def test_the_luck_of_fitting_widens_the_interval() -> None:
    # Each fit errs on its own, in either direction: with one fit per arm the interval knows nothing of it.
    plan = ComparisonPlan(replicates=300, repeats=3)
    lucky = stated(noise=1.5, repeats=3)
    alone = {"a": np.tile(lucky[0], (3, 1)), "b": np.tile(stated(noise=1.5, seed=9)[0], (3, 1))}
    many = {"a": lucky, "b": stated(noise=1.5, seed=9, repeats=3)}
    one, three = (compared(rows(), label(), risks, plan)["pooled"].contrasts["b"]["auc"] for risks in (alone, many))
    assert three.least_detectable is not None
    assert one.least_detectable is not None
    assert three.least_detectable > one.least_detectable


def test_what_stands_for_a_repeat_is_the_mean_over_repeats() -> None:
    plan = ComparisonPlan(replicates=300, repeats=3)
    three = stated(noise=1.0, repeats=3)
    part = compared(rows(), label(), {"a": three, "b": three}, plan)["pooled"]
    assert part.arms["a"].auc.value == pytest.approx(np.mean([roc_auc_score(label(), risk) for risk in three]))


def test_accounts_are_drawn_whole_so_repeating_their_rows_adds_no_certainty() -> None:
    twice = pd.concat([rows(), rows()], ignore_index=True)
    risks = {name: np.hstack([risk, risk]) for name, risk in (("a", stated()), ("b", stated(noise=2.5)))}
    doubled = compared(twice, np.tile(label(), 2), risks, PLAN)["pooled"].contrasts["b"]["auc"]
    plain = sharp_and_blunt()["pooled"].contrasts["blunt"]["auc"]
    assert doubled.gain.width == pytest.approx(plain.gain.width, rel=1e-6)


def test_rows_without_a_final_label_are_left_out() -> None:
    known = label().copy()
    known[::3] = np.nan
    part = compared(rows(), known, {"a": stated(), "b": stated(noise=1.0)}, PLAN)["pooled"]
    assert part.rows == np.isfinite(known).sum()
    assert part.arms["a"].auc.value == pytest.approx(
        roc_auc_score(known[np.isfinite(known)], stated()[0][np.isfinite(known)])
    )


def test_graded_with_true_chances_the_oracle_beats_every_blur_and_no_luck_is_left() -> None:
    chance = world().truth["p_90"].to_numpy(np.float64)
    risks = {"oracle": chance[np.newaxis], "model": stated(), "blunt": stated(noise=2.5)}
    part = compared(rows(), chance, risks, PLAN, graded_by_truth=True)["window"]
    assert [part.contrasts[arm]["ap"].words[0] for arm in ("model", "blunt")] == ["better", "better"]
    assert part.contrasts["blunt"]["auc"].gain.value > part.contrasts["model"]["auc"].gain.value  # type: ignore[operator]
    assert (part.leavers, part.contrasts["blunt"]["ap"].leavers_needed) == (None, None)
    # Without the luck of who left, the same accounts show a smaller difference.
    by_label = compared(rows(), label(), risks, PLAN)["window"].contrasts["model"]["auc"].least_detectable
    assert part.contrasts["model"]["auc"].least_detectable < by_label  # type: ignore[operator]


def test_where_nobody_left_nothing_is_compared() -> None:
    part = compared(rows(), np.zeros(len(rows())), {"a": stated(), "b": stated(noise=1.0)}, PLAN)["window"]
    contrast = part.contrasts["b"]["ap"]
    assert contrast.words == ("undefined",)
    assert contrast.gain.reason.startswith("no leaver among")
    assert (contrast.least_detectable, contrast.leavers_needed) == (None, None)


def test_more_leavers_are_needed_than_there_are_exactly_where_the_effect_is_too_small_to_show() -> None:
    for part in sharp_and_blunt().values():
        for contrast in part.contrasts["blunt"].values():
            assert contrast.least_detectable is not None
            assert contrast.leavers_needed is not None
            assert part.leavers is not None
            assert (contrast.leavers_needed > part.leavers) == (contrast.least_detectable > contrast.effect)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.05, ("better",)),
        (-0.05, -0.01, ("worse",)),
        (-0.01, 0.05, ("no difference shown",)),
        (0.0, 0.05, ("no difference shown",)),
        (-0.05, 0.06, ("no difference shown", "underpowered")),
        (0.01, 0.20, ("better", "underpowered")),
        (None, None, ("undefined",)),
    ],
)
def test_words_follow_from_the_interval_alone(low: float | None, high: float | None, words: tuple[str, ...]) -> None:
    value = None if low is None or high is None else (low + high) / 2
    gain = Estimate(value=value, low=low, high=high, rows=9, positives=3, outcomes=3, base_rate=0.3)
    assert words_for(gain, effect=0.1) == words
