"""Recalibration: a line on the log-odds, worth something on accounts that it was not fitted on, additive as before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from training.recalibration import Counted, Line, assess, chance_of, fit_line, folds_of, lines_without, moved
from training.scorecard import points_per_log_odd
from training.watch_parts import Step

from .bundle_case import trained

POINTS = [f"points_{part}" for part in dict.fromkeys(trained().bundle.subcategories)]


def counted(slope: float = 1.0, shift: float = 0.0, count: int = 6000, seed: int = 2) -> Counted:
    """Rows whose true log-odds lie on a line through the stated ones; two rows per cluster."""
    random = np.random.default_rng(seed)
    stated = -4.0 + random.normal(size=count)
    left = (random.random(count) < expit(slope * stated + shift)).astype(float)
    return Counted(stated[:, None], left, np.arange(count) // 2)


def test_the_line_is_the_maximum_of_its_likelihood() -> None:
    rows = counted(0.7, 0.3)
    oracle = LogisticRegression(C=1e12, tol=1e-12, max_iter=1000).fit(rows.logits, rows.left)
    line = fit_line(rows, Step.PLATT)
    np.testing.assert_allclose([line.slope, line.shift], [oracle.coef_[0, 0], oracle.intercept_[0]], atol=1e-4)


def test_the_intercept_alone_makes_as_many_stated_as_left() -> None:
    rows = counted(1.0, 0.6)
    line = fit_line(rows, Step.INTERCEPT)
    assert line.slope == 1.0
    assert expit(line.on(rows.logits)).sum() == pytest.approx(rows.left.sum(), rel=1e-5)


def test_over_several_intervals_the_line_is_found_that_made_the_outcomes() -> None:
    random = np.random.default_rng(5)
    stated = -5.0 + random.normal(size=(60_000, 3))
    staying = np.prod(1 - expit(0.8 * stated + 0.5), axis=1)
    np.testing.assert_allclose(chance_of(0.8 * stated + 0.5), 1 - staying, atol=1e-12)
    left = (random.random(60_000) > staying).astype(float)
    line = fit_line(Counted(stated, left, np.arange(60_000)), Step.PLATT)
    assert (line.slope, line.shift) == pytest.approx((0.8, 0.5), abs=0.15)


def test_no_account_is_judged_by_a_line_that_knows_it() -> None:
    rows = counted()
    fold = folds_of(rows.cluster, seed=1)
    assert all(len(set(fold[rows.cluster == one])) == 1 for one in range(0, 3000, 300))
    lines = lines_without(rows, Step.PLATT, fold)
    changed = Counted(rows.logits, np.where(fold == 0, 1 - rows.left, rows.left), rows.cluster)
    assert lines_without(changed, Step.PLATT, fold)[0] == lines[0]


@pytest.mark.parametrize("step", [Step.INTERCEPT, Step.PLATT])
def test_when_half_as_many_again_leave_the_change_is_accepted_and_restates_them(step: Step) -> None:
    found = assess(counted(1.0, 0.5), step, version="3", seed=1)
    assert found.accepted
    assert found.shift == pytest.approx(0.5, abs=0.35)
    assert found.leavers / found.restated == pytest.approx(1.0, abs=0.05)
    assert found.leavers / found.stated > 1.25
    assert found.gain_low > 0
    assert found.refused == ""


def test_a_model_that_is_right_gains_nothing_that_could_be_told_from_chance() -> None:
    gains = [assess(counted(seed=seed, count=2000), Step.PLATT, version="3", seed=1).gain for seed in range(8)]
    assert np.mean(gains) < 1e-4
    assert not all(
        assess(counted(seed=seed, count=2000), Step.PLATT, version="3", seed=1).accepted for seed in range(4)
    )


def test_a_line_that_is_refused_says_why() -> None:
    found = [assess(counted(seed=seed, count=2000), Step.PLATT, version="3", seed=1) for seed in range(4)]
    told = {one.refused for one in found if not one.accepted}
    assert told == {"it is not better on accounts that it was not fitted on, so the model stays as it is"}
    assert all(one.sentence.endswith(one.refused or "it may be registered") for one in found)


def test_a_moved_bundle_states_every_risk_on_the_line() -> None:
    made, line = trained(), Line(0.8, 0.4)
    rows = made.reference_rows.head(300).reset_index(drop=True)
    before, after = made.bundle.score(rows), moved(made.bundle, line, version="9", facts={}).score(rows)
    # Thin accounts and their pull to what is usual included.
    stated = made.bundle.interval_logits(rows)
    first = made.bundle.config.interval_bounds_days.index(30)
    np.testing.assert_allclose(before["risk_30"], chance_of(stated[:, :first]), atol=1e-12)
    np.testing.assert_allclose(after["risk_30"], chance_of(line.on(stated[:, :first])), atol=1e-12)
    for shorter, longer in ((30, 60), (60, 90), (90, 180)):
        assert (after[f"risk_{shorter}"] <= after[f"risk_{longer}"]).all()
    assert set(after["model_version"]) == {"9"}


def test_points_of_a_moved_bundle_still_add_up_and_keep_their_order() -> None:
    made, line = trained(), Line(0.8, 0.4)
    rows = made.reference_rows.head(300).reset_index(drop=True)
    before, after = made.bundle.score(rows), moved(made.bundle, line, version="9", facts={}).score(rows)
    total = after[["base_points", *POINTS, "clip_adjust", "shrink_adjust"]].sum(axis=1)
    assert (total - after["health"]).abs().max() < 1e-9
    np.testing.assert_allclose(after[POINTS], 0.8 * before[POINTS], atol=1e-9)
    # The whole shift stands in the base, beside what the slope does to it.
    scale = made.bundle.config.scale
    anchor = scale.anchor_health + points_per_log_odd(scale) * logit(scale.anchor_risk)
    expected = anchor - 0.8 * (anchor - before["base_points"]) - points_per_log_odd(scale) * 0.4
    np.testing.assert_allclose(after["base_points"], expected, atol=1e-9)


def test_a_line_that_changes_nothing_changes_no_bit() -> None:
    made = trained()
    rows = made.reference_rows.head(50).reset_index(drop=True)
    same = moved(made.bundle, Line(), version=made.bundle.version, facts={})
    pd.testing.assert_frame_equal(same.score(rows), made.bundle.score(rows), check_exact=True)
