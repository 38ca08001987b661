"""The smallest change that is seen in time: it is found as often as was said, and it shrinks as a company grows."""

from __future__ import annotations

import numpy as np
import pytest

from training.cusum import change, level, limits_for, path
from training.visible import POWER, Armed, periods_to_come, smallest_visible

COME, HELD = 5, 10


def armed(monthly: float) -> tuple[np.ndarray, list[Armed]]:
    stated = np.full(HELD + COME, monthly)
    charts = [(level(1.3), 0.019), (change(1.4, 0.2), 0.038)]
    return stated, [Armed(one, limits_for([stated], one, chance=chance, seed=1)) for one, chance in charts]


def smallest(monthly: float) -> float | None:
    stated, charts = armed(monthly)
    return smallest_visible(stated, charts, come=COME, seed=2)


def test_such_a_rise_is_found_as_often_as_was_said() -> None:
    stated, charts = armed(10.0)
    ratio = smallest(10.0)
    assert ratio is not None
    random, found = np.random.default_rng(9), {ratio: 0.0, 1.0 + (ratio - 1.0) / 2: 0.0}
    for rise in found:
        for _ in range(150):
            count = random.poisson(stated * np.where(np.arange(HELD + COME) < HELD, 1.0, rise)).astype(float)
            paths = [path(count, stated, one.limits, one.evidence) for one in charts]
            found[rise] += any((one.above[HELD:] > 1).any() for one in paths) / 150
    assert found[ratio] == pytest.approx(POWER + 0.05, abs=0.1)
    assert min(found.values()) < POWER - 0.1


def test_it_shrinks_as_more_leave_and_a_handful_shows_nothing() -> None:
    few, some, many = smallest(3.0), smallest(12.0), smallest(200.0)
    assert few is not None
    assert some is not None
    assert many is not None
    assert few > some > many
    assert smallest(0.1) is None


def test_snapshots_that_are_young_longer_tell_less_in_the_same_time() -> None:
    # 26 weeks: the change falls between two snapshots, and a look comes every four weeks.
    assert [periods_to_come(age) for age in (25.0, 56.0, 90.0, 160.0)] == [5, 4, 3, 0]
    stated, charts = armed(10.0)
    assert smallest_visible(stated, charts, come=0, seed=2) is None
