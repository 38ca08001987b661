"""Charts of leavers: quiet while risks come true, loud soon after they stop doing so, told once and then open."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, poisson

from training.cusum import LEAST_BEFORE, Evidence, Path, change, level, limits_for, path

MONTHS = 26
STATED = np.full(MONTHS, 15.0)
A_MONTH = 1 - np.exp(-0.25 * 28 / 365.25)
LEVEL, CHANGED = level(1.3), change(1.4, 0.2)
LIMITS = {
    LEVEL: limits_for([STATED], LEVEL, chance=A_MONTH, seed=1),
    CHANGED: limits_for([STATED], CHANGED, chance=2 * A_MONTH, seed=1),
}


def drawn(ratio: np.ndarray | float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).poisson(STATED * ratio).astype(float)


def charted(ratio: np.ndarray | float, seed: int, evidence: Evidence = LEVEL) -> Path:
    return path(drawn(ratio, seed), STATED, LIMITS[evidence], evidence)


def since(period: int, ratio: float, before: float = 1.0) -> np.ndarray:
    return np.where(np.arange(MONTHS) < period, before, ratio)


def test_the_level_is_the_poisson_cusum_of_log_likelihood_ratios() -> None:
    observed, stated = drawn(1.2, 3), np.linspace(9, 21, MONTHS)
    found = path(observed, stated, np.ones(MONTHS), level(1.5))
    for told, rate in ((found.above, 1.5), (found.below, 1 / 1.5)):
        total, expected = 0.0, []
        for count, mean in zip(observed, stated, strict=True):
            total = max(0.0, total + poisson.logpmf(count, rate * mean) - poisson.logpmf(count, mean))
            expected.append(total)
        np.testing.assert_allclose(told, expected, atol=1e-9)


def test_the_change_is_the_ratio_of_two_likelihoods_with_the_models_own_error_integrated_out() -> None:
    observed, stated, onset = np.array([3.0, 5.0, 2.0, 4.0, 9.0, 8.0]), np.linspace(3, 5, 6), 4

    def likelihood(rise: float) -> float:
        rate = stated * np.where(np.arange(6) < onset, 1.0, rise)
        prior = gamma(25.0, scale=1 / 25.0)
        return quad(lambda off: prior.pdf(off) * poisson.pmf(observed, off * rate).prod(), 0, 4, epsrel=1e-10)[0]

    more, fewer = CHANGED(observed[np.newaxis, :], stated)
    assert more[0, onset] == pytest.approx(np.log(likelihood(1.4) / likelihood(1.0)), abs=1e-6)
    assert fewer[0, onset] == pytest.approx(np.log(likelihood(1 / 1.4) / likelihood(1.0)), abs=1e-6)
    assert not more[0, :LEAST_BEFORE].any()


@pytest.mark.parametrize("evidence", [LEVEL, CHANGED])
def test_a_model_whose_risks_are_true_alarms_as_seldom_as_was_said(evidence: Evidence) -> None:
    a_year = {LEVEL: 0.25, CHANGED: 0.5}[evidence]
    alarmed = [(charted(1.0, seed, evidence).above > 1).any() for seed in range(250)]
    alarmed = [
        one or (charted(1.0, seed, evidence).below > 1).any() for seed, one in zip(range(250), alarmed, strict=True)
    ]
    assert np.mean(alarmed) == pytest.approx(1 - np.exp(-a_year * MONTHS * 28 / 365.25), abs=0.09)


def test_the_limit_holds_for_all_charts_together_in_every_period_alike() -> None:
    series = [np.full(MONTHS, one) for one in (15.0, 3.0, 3.0, 1.0)]
    limits = limits_for(series, level(1.5), chance=0.02, seed=3)
    random, first = np.random.default_rng(8), []
    for _ in range(400):
        paths = [path(random.poisson(one).astype(float), one, limits, level(1.5)) for one in series]
        loud = np.max([np.maximum(one.above, one.below) for one in paths], axis=0) > 1
        first.append(loud.argmax() if loud.any() else MONTHS)
    halves = [np.mean(np.array(first) < 13), np.mean((np.array(first) >= 13) & (np.array(first) < MONTHS))]
    kept = 0.98**13
    # Counts are whole numbers, so the chance is held from below.
    assert 0.08 < halves[0] < 1 - kept + 0.06
    assert 0.06 < halves[1] < kept * (1 - kept) + 0.06


def test_what_comes_later_changes_no_limit_before_it() -> None:
    # What was quiet at one look must not be found loud, or an alarm vanish, because a month was added.
    longer = limits_for([STATED], CHANGED, chance=A_MONTH, seed=1)
    shorter = limits_for([STATED[:12]], CHANGED, chance=A_MONTH, seed=1)
    np.testing.assert_array_equal(shorter, longer[:12])


@pytest.mark.parametrize(("ratio", "direction"), [(1.6, "more"), (0.55, "fewer")])
def test_a_change_is_found_within_five_months_and_its_beginning_guessed(ratio: float, direction: str) -> None:
    for evidence in (LEVEL, CHANGED):
        delays, onsets = [], []
        for seed in range(60):
            found = charted(since(10, ratio), seed, evidence)
            loud = np.flatnonzero((found.above if direction == "more" else found.below)[10:] > 1)
            delays.append(loud[0] if len(loud) else np.inf)
            onsets.append(found.onset(direction) - 10)
        assert np.median(delays) <= 4
        assert abs(np.median(onsets)) <= 1


def test_a_change_of_a_model_that_stated_too_much_is_seen_by_the_chart_of_changes_alone() -> None:
    # From 0.75 to 1.05 of what was stated: four in ten more leave, and every risk looks true again.
    ratio, half_a_year = since(12, 1.05, 0.75), slice(12, 18)
    found = {
        evidence: np.mean([(charted(ratio, seed, evidence).above[half_a_year] > 1).any() for seed in range(80)])
        for evidence in (LEVEL, CHANGED)
    }
    assert found[CHANGED] > 0.5
    assert found[LEVEL] < 0.5 * found[CHANGED]


def test_a_model_that_was_off_by_a_tenth_from_the_start_has_not_changed() -> None:
    for off in (0.9, 1.1):
        still, changed = (
            np.mean([(charted(ratio, seed, CHANGED).above > 1).any() for seed in range(80)])
            for ratio in (off, since(12, off * 1.4, off))
        )
        assert still < 0.6 * changed


def told(*above: float, below: tuple[float, ...] = ()) -> tuple[int, str] | None:
    return Path(np.array(above), np.array(below or [0.0] * len(above)), 0, 0).opened


def test_an_alarm_is_raised_once_stays_open_and_is_over_when_its_evidence_has_halved() -> None:
    assert told(0.2, 0.9, 0.99) is None
    assert told(0.2, 1.1) == (1, "more")
    # At the limit itself it would flicker: neither gone at 0.8, nor raised anew at 1.2.
    assert told(0.2, 1.1, 0.8, 1.2) == (1, "more")
    assert told(0.2, 1.1, 0.4) is None
    assert told(0.2, 1.1, 0.4, 1.2) == (3, "more")


def test_an_alarm_the_other_way_takes_the_place_of_one_that_has_sunk_below_its_limit() -> None:
    assert told(1.1, 0.7, below=(0.0, 1.3)) == (1, "fewer")
    assert told(1.5, 1.4, below=(0.0, 1.3)) == (0, "more")


def test_without_an_alarm_nothing_is_open() -> None:
    assert path(STATED, STATED, LIMITS[LEVEL], LEVEL).opened is None


def test_where_next_to_nobody_is_expected_one_leaver_is_no_alarm() -> None:
    nearly_none = np.full(12, 1e-4)
    limits = limits_for([nearly_none], level(1.5), chance=0.02, seed=1)
    one = np.zeros(12)
    one[6] = 1.0
    assert path(one, nearly_none, limits, level(1.5)).opened is None
