"""Does an account with little data get a modest grade and a modest weight?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss

from training.calibrate import Calibration
from training.config import GradeRules, TrainingConfig
from training.reliability import (
    choose_half_weight_weeks,
    full_data_weeks,
    grades,
    own_weight,
    segment_level,
    shrinkage,
)

from .bundle_case import trained


def rows(*cells: tuple[Any, ...]) -> pd.DataFrame:
    names = ["usable_weeks", "sources_present", "campaign_count_w104", "cohort_status"]
    return pd.DataFrame([(*cell, "at_risk")[:4] for cell in cells], columns=names)


@pytest.mark.parametrize(
    ("weeks", "sources", "campaigns", "grade"),
    [
        (52, 4, 2, "A"),
        (51, 4, 2, "B"),  # not a full year
        (52, 3, 2, "B"),  # too few sources for A
        (52, 4, 1, "B"),  # one campaign cannot be compared with another
        (104, 6, 0, "A"),  # never joins campaigns, but two quiet years are a baseline
        (103, 6, 0, "B"),
        (39, 3, 0, "B"),
        (38, 6, 3, "C"),
        (26, 2, 0, "C"),
        (25, 6, 5, "D"),
        (300, 1, 9, "D"),
        (0, 0, 0, "D"),
        (None, 6, 5, "D"),
        (80, None, 5, "D"),
        (80, 6, None, "B"),
    ],
)
def test_a_grade_follows_from_the_amount_of_data(weeks: float, sources: float, campaigns: float, grade: str) -> None:
    frame = rows((weeks, sources, campaigns)).astype({"usable_weeks": float, "sources_present": float})
    assert grades(frame.astype({"campaign_count_w104": float}), GradeRules()).tolist() == [grade]


def test_an_account_in_onboarding_is_graded_d() -> None:
    frame = rows((80, 6, 4, "onboarding"), (80, 6, 4, "lost_pending"), (80, 6, 4, "at_risk"))
    assert grades(frame, GradeRules()).tolist() == ["D", "A", "A"]


def test_weeks_count_by_the_share_of_sources_that_are_there() -> None:
    frame = rows((52, 3, 0), (52, 6, 0), (0, 6, 0), (np.nan, 6, 0))
    assert full_data_weeks(frame).tolist() == [26, 52, 0, 0]


@pytest.mark.parametrize(("weeks", "half", "weight"), [(0, 0, 1.0), (0, 4, 0.0), (4, 4, 0.5), (12, 4, 0.75)])
def test_the_own_estimate_weighs_one_half_at_that_many_weeks(weeks: float, half: float, weight: float) -> None:
    assert own_weight(np.array([float(weeks)]), half).tolist() == [weight]


def test_shrinkage_moves_a_thin_account_toward_its_segment() -> None:
    frame = rows((0, 6, 0), (8, 6, 0), (10_000, 6, 0))
    moved = shrinkage(frame, np.array([-1.0, -1.0, -1.0]), np.array([-3.0, -3.0, -3.0]), 8.0)
    np.testing.assert_allclose(moved, [-2.0, -1.0, -2.0 * 8 / 10_008])


def test_with_no_shrinkage_chosen_nothing_moves() -> None:
    frame = rows((0, 0, 0), (100, 6, 0))
    assert shrinkage(frame, np.array([1.0, 2.0]), np.array([9.0, 9.0]), 0.0).tolist() == [0.0, 0.0]


def test_a_segment_the_portfolio_did_not_hold_stands_at_the_overall_level() -> None:
    segments = pd.Series(["studio", "other", None], dtype=object)
    assert segment_level({"studio": -2.0, "agency": -1.0}, -1.5, segments).tolist() == [-2.0, -1.5, -1.5]


def out_of_fold(noise_of_thin: float, count: int = 20_000) -> pd.DataFrame:
    """Held-out periods; the margins of accounts with 2 full weeks carry noise, those with 60 weeks do not."""
    draw = np.random.default_rng(11)
    thin = draw.random(count) < 0.5
    truth = draw.normal(-2, 0.5, count)
    margin = truth + np.where(thin, noise_of_thin, 0.0) * draw.normal(size=count)
    return pd.DataFrame(
        {
            "margin": margin,
            "margin_now": margin,
            "interval": 0,
            "fold": draw.integers(0, 3, count),
            "segment": "studio",
            "usable_weeks": np.where(thin, 2.0, 60.0),
            "sources_present": 6.0,
            "y": (draw.random(count) < expit(truth)).astype(float),
            "weight": 1.0,
        }
    )


PLAIN = Calibration(1.0, (0.0,), 1)


@pytest.mark.parametrize(("noise", "weeks"), [(0.0, 0.0), (3.0, 16.0)])
def test_the_more_noise_thin_accounts_carry_the_more_they_are_shrunk(noise: float, weeks: float) -> None:
    assert choose_half_weight_weeks(out_of_fold(noise), PLAIN, TrainingConfig()) == weeks


def test_the_choice_is_the_one_with_the_least_log_loss() -> None:
    # Outside oracle: scikit-learn's log-loss over shrunk chances, computed per candidate in the open.
    made = trained()
    held_out, calibration, config = made.found.out_of_fold, made.calibration, made.bundle.config
    now = pd.Series(calibration.logits(held_out["margin_now"].to_numpy(), 0))
    level = now.groupby([held_out["fold"], held_out["segment"]]).transform("mean").to_numpy()
    data = (held_out["usable_weeks"] * held_out["sources_present"] / 6).to_numpy()
    losses = {}
    for weeks in config.shrinkage_candidates_weeks:
        weight = data / (data + weeks) if weeks else np.ones(len(data))
        logits = calibration.logits(held_out["margin"].to_numpy(), held_out["interval"].to_numpy(np.int64))
        chance = expit(logits + (1 - weight) * (level - now.to_numpy()))
        losses[weeks] = log_loss(held_out["y"], chance, sample_weight=held_out["weight"])
    assert choose_half_weight_weeks(held_out, calibration, config) == min(losses, key=losses.__getitem__)
