"""Do calibrated chances come true, and is the calibration the one that maximum likelihood gives?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from features.errors import NoUsableSignal
from training.calibrate import Calibration, Grouped, Prior, calibrate, fit_platt
from training.config import TrainingConfig
from training.periods import Floats

from .bundle_case import SMALL, trained

PLANTED = np.array([-0.5, 0.3, 0.0])


def planted(rows: int = 60_000, slope: float = 0.7, seed: int = 5) -> tuple[Floats, np.ndarray, Floats]:
    """Margins, intervals and outcomes whose log-odds are ``slope * margin + PLANTED[interval]``."""
    draw = np.random.default_rng(seed)
    margin, interval = draw.normal(-2, 1.5, rows), draw.integers(0, 3, rows)
    y = (draw.random(rows) < expit(slope * margin + PLANTED[interval])).astype(np.float64)
    return margin, interval, y


def fitted(
    margin: Floats, interval: np.ndarray, y: Floats, *, weight: Floats | None = None, prior: float = 0.0
) -> Calibration:
    ones = np.ones(len(y)) if weight is None else weight
    return fit_platt(margin, interval, y, weight=ones, prior=Prior(3, prior))


def test_planted_slope_and_intercepts_are_recovered() -> None:
    found = fitted(*planted())
    assert found.slope == pytest.approx(0.7, abs=0.03)
    np.testing.assert_allclose(found.intercepts, PLANTED, atol=0.06)
    assert found.events == planted()[2].sum()


def test_without_a_prior_it_is_logistic_regression() -> None:
    # Outside oracle: scikit-learn, unpenalised, on the margin and one indicator per interval.
    margin, interval, y = planted(rows=5000)
    weight = np.where(y > 0, 1.0, 4.0)
    design = np.column_stack([margin, np.eye(3)[interval]])
    oracle = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=5000)
    oracle.fit(design, y, sample_weight=weight)
    found = fitted(margin, interval, y, weight=weight)
    np.testing.assert_allclose([found.slope, *found.intercepts], oracle.coef_[0], atol=2e-5)


def test_one_interval_is_plain_platt_scaling() -> None:
    margin, _, y = planted(rows=4000)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(margin[:, None], y)
    found = fit_platt(margin, np.zeros(len(y), dtype=np.int64), y, weight=np.ones(len(y)), prior=Prior(1, 20.0))
    expected = [oracle.coef_[0, 0], oracle.intercept_[0]]
    np.testing.assert_allclose([found.slope, found.intercepts[0]], expected, atol=1e-5)


def test_a_heavy_prior_gives_every_interval_the_same_intercept() -> None:
    found = fitted(*planted(rows=5000), prior=1e9)
    assert np.ptp(found.intercepts) < 1e-4


def test_the_prior_weighs_as_much_as_that_many_events() -> None:
    # One interval with n events of its own and a prior of n events: its intercept goes about half way to the others'.
    draw = np.random.default_rng(2)
    interval = np.repeat([0, 1], [200_000, 4_000])
    rate = np.array([0.01, 0.03])[interval]
    y = (draw.random(len(rate)) < rate).astype(np.float64)
    margin = draw.normal(0, 1e-3, len(y)) + 0.001 * y

    def intercepts(prior: float) -> Floats:
        found = fit_platt(margin, interval, y, weight=np.ones(len(y)), prior=Prior(2, prior))
        return np.array(found.intercepts)

    own_events = float(y[interval == 1].sum())
    free, pulled = intercepts(0.0), intercepts(2 * own_events)
    # With prior n0 on each of the two, the gap shrinks by 1 / (1 + n0 / (2 n)) where the first interval hardly moves.
    assert np.ptp(pulled) / np.ptp(free) == pytest.approx(0.5, abs=0.1)


def test_an_interval_without_rows_stands_at_the_common_intercept() -> None:
    margin, interval, y = planted(rows=6000)
    found = fit_platt(margin, interval, y, weight=np.ones(len(y)), prior=Prior(4, 20.0))
    assert min(found.intercepts[:3]) < found.intercepts[3] < max(found.intercepts[:3])


def test_sampling_weights_give_the_chances_of_all_periods() -> None:
    margin, interval, y = planted()
    kept = (y > 0) | (np.random.default_rng(9).random(len(y)) < 0.25)
    weight = np.where(y > 0, 1.0, 4.0)[kept]
    whole = fitted(margin, interval, y)
    sampled = fitted(margin[kept], interval[kept], y[kept], weight=weight)
    np.testing.assert_allclose([sampled.slope, *sampled.intercepts], [whole.slope, *whole.intercepts], atol=0.06)


def test_expected_events_equal_observed_ones_on_the_rows_it_was_fitted_on() -> None:
    held_out = trained().found.out_of_fold
    found = calibrate(held_out, SMALL)
    offsets = found.offsets(held_out)
    chance = expit(found.logits(held_out["margin"].to_numpy(), held_out["interval"].to_numpy(np.int64), offsets))
    weight = held_out["weight"].to_numpy()
    # Holds exactly for unpenalised intercepts; the common one is unpenalised.
    assert (weight * chance).sum() == pytest.approx((weight * held_out["y"]).sum(), rel=1e-4)


def test_margins_that_point_the_wrong_way_are_refused() -> None:
    margin, interval, y = planted(rows=4000)
    with pytest.raises(NoUsableSignal, match="says nothing"):
        fitted(-margin, interval, y)


def test_no_event_is_refused() -> None:
    margin, interval, y = planted(rows=100)
    with pytest.raises(NoUsableSignal, match="no event"):
        fitted(margin, interval, 0 * y)


def test_one_interval_for_all_rows_is_the_same_as_naming_it_for_each() -> None:
    found = Calibration(slope=1.5, intercepts=(0.1, -0.2), events=9)
    margin = np.array([-1.0, 0.0, 2.5])
    np.testing.assert_array_equal(found.logits(margin, 1), found.logits(margin, np.array([1, 1, 1])))
    assert found.logits(margin, 0).tolist() == [-1.4, 0.1, 3.85]


SEGMENTS, PHASES = {"agency": 0.4, "studio": -0.3}, {"active": -0.2, "post": 0.5, "off": 0.0}


def grouped(rows: int = 60_000, seed: int = 5) -> pd.DataFrame:
    """Held-out periods whose log-odds hold an offset of their segment and of their phase."""
    draw = np.random.default_rng(seed)
    margin, interval = draw.normal(-2, 1.5, rows), draw.integers(0, 3, rows)
    segment, phase = draw.choice(list(SEGMENTS), rows), draw.choice(list(PHASES), rows, p=[0.3, 0.1, 0.6])
    offset = np.array([SEGMENTS[one] for one in segment]) + np.array([PHASES[one] for one in phase])
    y = draw.random(rows) < expit(0.7 * margin + PLANTED[interval] + offset)
    words = {"account_id": np.arange(rows).astype(str), "segment": segment, "phase": phase}
    return pd.DataFrame({**words, "margin": margin, "interval": interval, "y": y.astype(float), "weight": 1.0})


def offsets_of(frame: pd.DataFrame, prior: float = 0.0) -> Calibration:
    groupings = [Grouped.of(frame["segment"]), Grouped.of(frame["phase"])]
    columns = (frame[name].to_numpy() for name in ("margin", "interval", "y"))
    return fit_platt(*columns, weight=frame["weight"].to_numpy(), prior=Prior(3, prior), groupings=groupings)


def test_planted_offsets_of_segments_and_phases_are_recovered() -> None:
    found = offsets_of(grouped(), prior=20.0)
    assert found.segments["agency"] - found.segments["studio"] == pytest.approx(0.7, abs=0.06)
    assert found.phases["post"] - found.phases["off"] == pytest.approx(0.5, abs=0.08)
    assert found.phases["active"] - found.phases["off"] == pytest.approx(-0.2, abs=0.08)


def test_offsets_are_those_of_ridge_regression() -> None:
    # Outside oracle: scikit-learn's ridge on standardless indicators; its C is 1 / penalty, its intercept unpenalised.
    # Margins and intervals carry no penalty of ours beyond 20 events per intercept, so only groups stand here.
    frame = grouped(4000).assign(interval=0)
    design = np.column_stack(
        [frame["margin"] * 1e3, *[frame["segment"] == one for one in sorted(SEGMENTS)],
         *[frame["phase"] == one for one in sorted(PHASES)]]
    ).astype(float)  # fmt: skip
    oracle = LogisticRegression(C=1 / 20, tol=1e-12, max_iter=20_000).fit(design, frame["y"])
    groupings = [Grouped.of(frame["segment"]), Grouped.of(frame["phase"])]
    columns = (frame[name].to_numpy() for name in ("margin", "interval", "y"))
    found = fit_platt(*columns, weight=np.ones(len(frame)), prior=Prior(1, 20.0), groupings=groupings)
    told = [found.slope, *found.segments.values(), *found.phases.values()]
    np.testing.assert_allclose(told, oracle.coef_[0] * [1e3, 1, 1, 1, 1, 1], atol=2e-4)


def test_the_offset_of_a_rare_phase_is_drawn_to_none() -> None:
    # Ten accounts of a rare phase of which most left by luck: a prior of 20 events believes little of it.
    frame = grouped(4000)
    rare = frame.head(10).assign(phase="pre", y=[1.0] * 8 + [0.0] * 2, margin=-3.0)
    both = pd.concat([frame, rare], ignore_index=True)
    free, drawn = offsets_of(both).phases["pre"], offsets_of(both, prior=20.0).phases["pre"]
    assert free > 2.5
    assert 0 < drawn < 0.2 * free


def test_a_segment_or_phase_that_was_never_seen_has_no_offset() -> None:
    found = Calibration(1.0, (0.0,), 9, {"agency": 0.4}, {"post": 0.5})
    rows = pd.DataFrame({"segment": ["agency", "other", None], "phase": ["post", None, "post"]})
    assert found.offsets(rows).tolist() == [[0.4, 0.5], [0.0, 0.0], [0.0, 0.5]]
    assert found.offsets(rows.iloc[:0]).shape == (0, 2)
    assert found.logits(np.zeros(3), 0, found.offsets(rows)).tolist() == [0.9, 0.0, 0.5]


def test_rows_of_no_group_count_for_the_common_intercept_only() -> None:
    frame = grouped(3000)
    frame.loc[:, "segment"] = None
    found = offsets_of(frame, prior=20.0)
    assert found.segments == {}
    assert set(found.phases) == set(PHASES)


def test_calibrate_reads_the_columns_of_the_out_of_fold_rows() -> None:
    # Groups differ by more than a prior of 60 events allows, so nothing holds them closer.
    frame = grouped(3000)
    config = TrainingConfig(interval_bounds_days=(0, 30, 60, 90, 180), calibration_prior_events=60)
    columns = (frame[name].to_numpy() for name in ("margin", "interval", "y"))
    groupings = [Grouped.of(frame["segment"]), Grouped.of(frame["phase"])]
    expected = fit_platt(*columns, weight=np.ones(len(frame)), prior=Prior(4, 60.0), groupings=groupings)
    assert calibrate(frame, config) == expected


def test_groups_that_differ_by_no_more_than_chance_get_next_to_no_offset() -> None:
    # Segments and phases dealt out by lot: what a fixed prior believes of their luck is noise in the order of accounts.
    config, fixed, learnt = TrainingConfig(interval_bounds_days=(0, 30, 60, 90, 180)), [], []
    for seed in range(4):
        margin, interval, y = planted(6000, seed=seed)
        lots = np.random.default_rng(100 + seed)
        words = {"segment": lots.choice(list(SEGMENTS), 6000), "phase": lots.choice(list(PHASES), 6000)}
        names = {"account_id": np.arange(6000).astype(str), "weight": 1.0}
        frame = pd.DataFrame({**names, **words, "margin": margin, "interval": interval, "y": y})
        fixed.append(_spread(offsets_of(frame, prior=config.calibration_prior_events)))
        learnt.append(_spread(calibrate(frame, config)))
    assert np.mean(learnt) < 0.4 * np.mean(fixed)


def test_groups_that_do_differ_keep_their_offsets() -> None:
    frame = grouped(20_000)
    learnt = calibrate(frame, TrainingConfig(interval_bounds_days=(0, 30, 60, 90, 180)))
    fixed = offsets_of(frame, prior=20.0)
    told = [*learnt.segments.values(), *learnt.phases.values()]
    np.testing.assert_allclose(told, [*fixed.segments.values(), *fixed.phases.values()], atol=0.02)


def _spread(found: Calibration) -> float:
    return float(np.sqrt(np.mean(np.square([*found.segments.values(), *found.phases.values()]))))


def test_an_account_seen_leaving_from_three_snapshots_is_one_event_of_the_prior() -> None:
    # Three copies of every row hold no more news than one: the offsets stay, where a prior of rows would let them grow.
    frame, config = grouped(2000), TrainingConfig(interval_bounds_days=(0, 30, 60, 90, 180))
    once, thrice = calibrate(frame, config), calibrate(pd.concat([frame] * 3, ignore_index=True), config)
    np.testing.assert_allclose(list(thrice.phases.values()), list(once.phases.values()), atol=1e-4)
    assert thrice.events == 3 * once.events
