"""How far is a thin account drawn to its segment, and to what of it?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import log_loss

from training.calibrate import Calibration
from training.config import TrainingConfig
from training.shrinkage import (
    TIMINGS,
    Ahead,
    UsualLevels,
    choose_half_weight_weeks,
    full_data_weeks,
    own_weight,
    pull,
    segment_level,
    timing_codes,
)

from .bundle_case import trained

QUIET, DUE, EVERGREEN = range(len(TIMINGS))


def amounts(*told: tuple[float | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(told, columns=["usable_weeks", "sources_present"], dtype=float)


def test_weeks_count_by_the_share_of_sources_that_are_there() -> None:
    assert full_data_weeks(amounts((52, 3), (52, 6), (0, 6), (None, 6), (52, None))).tolist() == [26, 52, 0, 0, 0]


@pytest.mark.parametrize(("weeks", "half", "weight"), [(0, 0, 1.0), (0, 4, 0.0), (4, 4, 0.5), (12, 4, 0.75)])
def test_the_own_estimate_weighs_one_half_at_that_many_weeks(weeks: float, half: float, weight: float) -> None:
    assert own_weight(np.array([float(weeks)]), half).tolist() == [weight]


def test_the_pull_is_the_missing_weight_times_the_way_to_the_usual_level() -> None:
    moved = pull(np.array([-1.0, -1.0, -1.0]), np.array([-3.0, -3.0, -3.0]), np.array([0.0, 0.5, 1.0]))
    assert moved.tolist() == [-2.0, -1.0, 0.0]


def test_nothing_is_pulled_to_a_level_that_is_not_known() -> None:
    moved = pull(np.array([[-1.0, -2.0]]), np.array([[np.nan, -4.0]]), np.array([0.5]))
    assert moved.tolist() == [[0.0, -1.0]]


@given(
    better=st.floats(-8, 4),
    by=st.floats(0, 5),
    usual=st.floats(-8, 4),
    weight=st.floats(0, 1),
)
def test_a_better_own_estimate_is_never_a_worse_drawn_one(
    better: float, by: float, usual: float, weight: float
) -> None:
    # The law that one shift for all intervals broke: bettering a feature raised stated risks of thin accounts.
    own = np.array([better, better + by])
    drawn = own + pull(own, np.full(2, usual), np.full(2, weight))
    assert drawn[0] <= drawn[1] + 1e-12
    assert min(better, usual) - 1e-12 <= drawn[0] <= max(better, usual) + 1e-12


def test_an_interval_is_quiet_or_due_or_of_a_contract_without_end() -> None:
    rows = np.array([[0, 15, 40.0, 0, 0], [30, 30, 5.0, 1, 0], [0, 15, 3.0, 2, 0], [0, 15, np.nan, 0, 1]], dtype=float)
    assert timing_codes(rows).tolist() == [QUIET, DUE, DUE, EVERGREEN]


def levels() -> UsualLevels:
    """Two segments, two intervals; agencies have nothing due in the first."""
    spots = [
        ("studio", 0, QUIET, -6.0, 1.0),
        ("studio", 0, QUIET, -5.0, 3.0),
        ("studio", 0, DUE, -1.0, 1.0),
        ("agency", 0, QUIET, -4.0, 4.0),
        ("agency", 1, QUIET, -3.0, 1.0),
        (None, 1, DUE, -2.0, 1.0),
    ]
    segments, interval, timing, logits, weight = zip(*spots, strict=True)
    ahead = Ahead(np.array(interval), np.array(timing))
    return UsualLevels.of(segments, ahead, np.array(logits), weight=np.array(weight))


@pytest.mark.parametrize(
    ("segment", "interval", "timing", "level"),
    [
        ("studio", 0, QUIET, (-6.0 * 1 - 5.0 * 3) / 4),
        ("agency", 0, DUE, -1.0),  # none of its own: everybody's
        ("agency", 1, DUE, -2.0),  # a row of no segment counts for everybody
        ("studio", 1, QUIET, -3.0),
        ("other", 0, QUIET, (-6.0 - 15.0 - 16.0) / 8),
        (None, 0, DUE, -1.0),
        ("studio", 0, EVERGREEN, None),
    ],
)
def test_what_is_usual_is_the_mean_of_the_segment_then_of_everybody(
    segment: str | None, interval: int, timing: int, level: float | None
) -> None:
    found = levels().at(pd.Series([segment], dtype=object), Ahead(np.array([interval]), np.array([timing])))[0]
    assert np.isnan(found) if level is None else found == pytest.approx(level)


def test_an_interval_nobody_stood_in_so_takes_everybodys_mean_over_the_others() -> None:
    ahead = Ahead(np.array([0, 1, 2]), np.array([DUE, DUE, QUIET]))
    found = UsualLevels.of(["studio"] * 3, ahead, np.array([-1.0, -2.0, -5.0]), weight=np.ones(3))
    asked = Ahead(np.array([2, 0, 2]), np.array([DUE, QUIET, QUIET]))
    assert found.at(pd.Series(["studio"] * 3), asked).tolist() == [-1.5, -5.0, -5.0]


def test_a_segment_the_portfolio_did_not_hold_stands_at_the_overall_level() -> None:
    segments = pd.Series(["studio", "other", None], dtype=object)
    assert segment_level({"studio": -2.0, "agency": -1.0}, -1.5, segments).tolist() == [-2.0, -1.5, -1.5]


def out_of_fold(noise_of_thin: float, count: int = 20_000) -> pd.DataFrame:
    """Held-out periods; the margins of accounts with 2 full weeks carry noise, those with 60 weeks do not."""
    draw = np.random.default_rng(11)
    thin = draw.random(count) < 0.5
    truth = draw.normal(-2, 0.5, count)
    return pd.DataFrame(
        {
            "margin": truth + np.where(thin, noise_of_thin, 0.0) * draw.normal(size=count),
            "interval": 0,
            "timing": DUE,
            "fold": draw.integers(0, 3, count),
            "segment": "studio",
            "phase": "off",
            "usable_weeks": np.where(thin, 2.0, 60.0),
            "sources_present": 6.0,
            "y": (draw.random(count) < expit(truth)).astype(float),
            "weight": 1.0,
        }
    )


PLAIN = Calibration(1.0, (0.0,), 1)


@pytest.mark.parametrize(("noise", "weeks"), [(0.0, 0.0), (3.0, 16.0)])
def test_the_more_noise_thin_accounts_carry_the_more_they_are_drawn(noise: float, weeks: float) -> None:
    assert choose_half_weight_weeks(out_of_fold(noise), PLAIN, TrainingConfig()) == weeks


def test_the_choice_is_the_one_with_the_least_log_loss() -> None:
    # Outside oracle: scikit-learn's log-loss over drawn chances, computed per candidate in the open.
    made = trained()
    held_out, config = made.found.out_of_fold, made.bundle.config
    calibration = made.calibration
    own = calibration.slope * held_out["margin"] + np.array(calibration.intercepts)[held_out["interval"]]
    own += held_out["segment"].map(calibration.segments) + held_out["phase"].map(calibration.phases)
    places = [held_out[name] for name in ("fold", "segment", "interval", "timing")]
    weighed = pd.DataFrame({"total": own * held_out["weight"], "weight": held_out["weight"]})
    sums = weighed.groupby(places).transform("sum")
    usual = sums["total"] / sums["weight"]
    weeks_of = held_out["usable_weeks"] * held_out["sources_present"] / 6
    losses = {}
    for weeks in config.shrinkage_candidates_weeks:
        weight = weeks_of / (weeks_of + weeks) if weeks else 1.0
        chance = expit(weight * own + (1 - weight) * usual)
        losses[weeks] = log_loss(held_out["y"], chance, sample_weight=held_out["weight"])
    assert choose_half_weight_weeks(held_out, calibration, config) == min(losses, key=losses.__getitem__)
