"""What is the smallest difference that a comparison could have shown?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from training.power import accounts_needed, least_detectable, least_relative_fall, needed


@pytest.mark.parametrize(
    ("base", "changed", "share", "published"),
    [
        (0.02, 0.026, 0.25, 25_400),
        (0.037, 0.0481, 0.25, 13_500),
        (0.12, 0.156, 0.25, 3_750),
        (0.08, 0.0696, 0.5, 20_100),
        (0.15, 0.1305, 0.5, 9_950),
        (0.20, 0.174, 0.5, 7_060),
        (0.75, 0.84, 0.5, 630),
        (0.80, 0.896, 0.5, 440),
        (0.85, 0.952, 0.5, 270),
    ],
)
def test_the_numbers_of_accounts_are_those_of_the_domain_reference(
    base: float, changed: float, share: float, published: int
) -> None:
    assert accounts_needed(base, changed, share=share) == pytest.approx(published, rel=0.015)


def test_four_of_five_samples_show_the_least_detectable_difference() -> None:
    # An outside oracle: draw estimates around it and count the significant ones.
    error = 0.013
    drawn = np.random.default_rng(1).normal(least_detectable(error), error, 200_000)
    assert (np.abs(drawn) > norm.ppf(0.975) * error).mean() == pytest.approx(0.80, abs=0.005)


def test_half_the_effect_needs_four_times_the_outcomes() -> None:
    assert needed(100, least=0.2, effect=0.1) == 400
    assert needed(100, least=0.2, effect=0.2) == 100
    assert needed(100, least=0.2, effect=0.4) == 25


def test_a_trial_shows_the_fall_for_which_its_accounts_are_needed() -> None:
    fall = least_relative_fall(0.15, 9_954)
    assert fall is not None
    assert fall == pytest.approx(0.13, abs=0.0005)
    assert accounts_needed(0.15, 0.15 * (1 - fall)) <= 9_954


def test_more_accounts_show_a_smaller_fall() -> None:
    falls = [least_relative_fall(0.1, accounts) for accounts in (500, 1_000, 4_000, 16_000)]
    assert falls == sorted(falls, key=lambda fall: -(fall or 0))
    assert len(set(falls)) == 4


@pytest.mark.parametrize(("base", "accounts"), [(0.04, 20), (0.0, 1_000), (1.0, 1_000)])
def test_where_not_even_the_end_of_all_leaving_would_show_there_is_no_number(base: float, accounts: int) -> None:
    assert least_relative_fall(base, accounts) is None
