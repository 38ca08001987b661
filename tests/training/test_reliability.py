"""Does a grade follow from how much is known, and does it say so in words?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.config import GradeRules
from training.reliability import abstains, grade_reasons, grades
from training.venn_abers import Spread

RULES = GradeRules()
NAMES = ["usable_weeks", "sources_present", "campaign_count_w104", "campaign_gap_cv_w156"]
SURE = (0.04, 0.05, 0.025, 0.08)


def rows(*told: tuple[float | None, ...], status: str = "at_risk") -> pd.DataFrame:
    return pd.DataFrame(told, columns=NAMES, dtype=float).assign(cohort_status=status)


def spread(p0: float, p1: float, low: float, high: float) -> Spread:
    return Spread(*(np.array([side]) for side in (p0, p1, low, high)))


def grade(told: tuple[float | None, ...], sides: tuple[float, ...] = SURE) -> tuple[str, tuple[str, ...]]:
    frame = rows(told)
    letters = grades(frame, spread(*sides), RULES)
    return letters[0], grade_reasons(frame, letters, spread(*sides), RULES)[0]


@pytest.mark.parametrize(
    ("told", "letter"),
    [
        ((52, 4, 2, 0.5), "A"),
        ((51, 4, 2, 0.5), "B"),
        ((52, 3, 2, 0.5), "B"),
        ((52, 4, 1, None), "B"),  # one campaign cannot be compared with another
        ((104, 6, 0, None), "A"),  # never joins campaigns, but two quiet years are a baseline
        ((103, 6, 0, None), "B"),
        ((104, 6, 4, 1.0), "A"),
        ((104, 6, 4, 1.01), "B"),  # campaigns that come worse than by chance
        ((39, 3, 0, None), "B"),
        ((38, 6, 3, 0.1), "C"),
        ((26, 2, 0, None), "C"),
        ((25, 6, 5, 0.1), "D"),
        ((300, 1, 9, 0.1), "D"),
        ((0, 0, 0, None), "D"),
        ((None, 6, 5, 0.1), "D"),
        ((80, None, 5, 0.1), "D"),
        ((80, 6, None, 0.1), "B"),
    ],
)
def test_a_grade_follows_from_the_amount_of_data(told: tuple[float | None, ...], letter: str) -> None:
    assert grade(told)[0] == letter


@pytest.mark.parametrize(
    ("sides", "letter"),
    [
        ((0.04, 0.06, 0.025, 0.1), "A"),
        ((0.04, 0.061, 0.025, 0.1), "B"),  # one more leaver would move the risk by more than half
        ((0.04, 0.05, 0.024, 0.1), "B"),  # stated between 2.4 % and 10 %
        ((0.0, 0.01, 0.0, 0.02), "A"),  # nobody left: no ratio, and surely low
        ((0.0, 0.01, 0.0, 0.021), "B"),
        ((0.0, 1.0, 0.0, 1.0), "B"),  # nothing is known of such risks
    ],
)
def test_only_a_risk_that_is_sure_earns_the_best_grade(sides: tuple[float, ...], letter: str) -> None:
    assert grade((104, 6, 4, 0.5), sides)[0] == letter
    # It keeps from A only: the lower grades speak about the account's own data.
    assert grade((38, 6, 4, 0.5), sides)[0] == "C"


def test_an_account_in_onboarding_is_graded_d() -> None:
    told = (80.0, 6.0, 4.0, 0.5)
    for status, letter in (("onboarding", "D"), ("lost_pending", "A"), ("at_risk", "A")):
        frame = rows(told, status=status)
        letters = grades(frame, spread(*SURE), RULES)
        assert letters.tolist() == [letter]
        new = grade_reasons(frame, letters, spread(*SURE), RULES)[0][1:]
        assert new == (("the account is too new",) if status == "onboarding" else ())


def test_a_grade_never_looks_at_how_high_the_risk_is() -> None:
    # The same sureness at a tenth and at seven times the risk.
    for times in (0.1, 1.0, 7.0):
        sides = tuple(times * side for side in (0.04, 0.05, 0.025, 0.08))
        assert [grade(told, sides)[0] for told in ((52, 4, 2, 0.5), (39, 3, 0, 0), (26, 2, 0, 0))] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("told", "sides", "reasons"),
    [
        ((80, 5, 3, 0.5), SURE, ("80 weeks of data from 5 of 6 sources",)),
        ((1, 2, 0, None), SURE, ("1 week of data from 2 of 6 sources", "fewer than 26 weeks of data")),
        ((30, 1, 0, None), SURE, ("30 weeks of data from 1 of 6 sources", "fewer than 2 sources")),
        (
            (30, 2, 0, None),
            SURE,
            ("30 weeks of data from 2 of 6 sources", "fewer than 39 weeks of data", "fewer than 3 sources"),
        ),
        (
            (45, 3, 1, 1.3),
            (0.0, 1.0, 0.0, 1.0),
            (
                "45 weeks of data from 3 of 6 sources",
                "fewer than 52 weeks of data",
                "fewer than 4 sources",
                "fewer than 2 campaigns in two years, and no two quiet years to go by",
                "campaigns come irregularly",
                "too few accounts left in the past to be surer of the risk",
            ),
        ),
    ],
)
def test_the_reasons_say_what_a_grade_rests_on_and_what_keeps_it_from_the_next(
    told: tuple[float | None, ...], sides: tuple[float, ...], reasons: tuple[str, ...]
) -> None:
    assert grade(told, sides)[1] == reasons


def test_every_grade_below_the_best_has_a_reason() -> None:
    # Whatever is asked of A, B and C: who falls short is told of what.
    draw = np.random.default_rng(2)
    for _ in range(300):
        told = (draw.choice([10.0, 30, 45, 60, 120]), draw.integers(0, 7), draw.integers(0, 4), draw.uniform(0, 2))
        low, high = sorted(draw.uniform(0, 0.2, 2))
        letter, reasons = grade(told, (low, high, low / 2, high))
        assert (len(reasons) == 1) is (letter == "A")


def test_nothing_is_said_of_an_account_of_which_no_source_tells() -> None:
    frame = rows((80, 0, 2, 0.1), (80, 1, 2, 0.1), (0, None, 2, 0.1))
    assert abstains(frame).tolist() == [True, False, True]
