"""Do arms drawn at random tell what acting is worth, and nothing where it is worth nothing?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.impact import LEAST_OUTCOMES, Effect, mean_change, rate_change, share_change


def accounts(count: int, *, effect: float, seed: int, spread: float = 0.0) -> pd.DataFrame:
    """Accounts of two arms with a year at risk; ``effect`` multiplies what the worked arm does."""
    draw = np.random.default_rng(seed)
    worked = draw.permutation(count) % 2 == 1
    risk = 0.3 * np.exp(spread * draw.standard_normal(count))
    return pd.DataFrame(
        {
            "cluster_id": [f"c{number}" for number in range(count)],
            "worked": worked,
            "seen_risk": risk / risk.max(),
            "events": draw.poisson(risk * np.where(worked, effect, 1.0)).astype(float),
            "days": 365.25,
        }
    )


def leaving(rows: pd.DataFrame) -> Effect:
    return rate_change(rows, name="leaving", title="decisions to leave", better="lower")


def test_rates_are_events_per_hundred_account_years_and_their_ratio_is_put_together_over_strata() -> None:
    # Two strata by hand: 10 of 100 years against 20 of 100, and 6 of 10 against 10 of 20.
    def stratum(risk: float, *, worked: bool, events: int, years: float) -> pd.DataFrame:
        count = 30
        happened = np.zeros(count)
        happened[:events] = 1
        return pd.DataFrame({"worked": worked, "seen_risk": risk, "events": happened, "days": years * 365.25 / count})

    low = [stratum(0.1, worked=True, events=10, years=100), stratum(0.1, worked=False, events=20, years=100)]
    high = [stratum(0.9, worked=True, events=6, years=10), stratum(0.9, worked=False, events=10, years=20)]
    unknown = [stratum(np.nan, worked=True, events=0, years=1), stratum(np.nan, worked=False, events=0, years=1)]
    rows = pd.concat([*low, *high, *unknown], ignore_index=True).assign(cluster_id=lambda all_: all_.index.astype(str))
    # Three strata of ranks: the middle one is half low, half high, in both arms.
    found = leaving(rows)
    assert found.worked == pytest.approx(100 * 16 / 111)
    assert found.held_out == pytest.approx(100 * 30 / 121)
    ranks = rows["seen_risk"].rank(method="first", pct=True)
    code = np.where(ranks.isna(), 3, np.minimum((ranks * 3).fillna(0), 2).astype(int))
    above = below = 0.0
    for each in range(4):
        part = rows[code == each]
        one, other = part[part["worked"]], part[~part["worked"]]
        time, other_time = one["days"].sum(), other["days"].sum()
        above += one["events"].sum() * other_time / (time + other_time)
        below += other["events"].sum() * time / (time + other_time)
    assert found.change.value == pytest.approx(above / below - 1)


def test_the_other_arm_s_change_is_the_inverse() -> None:
    rows = accounts(400, effect=0.6, seed=3)
    one, other = leaving(rows), leaving(rows.assign(worked=~rows["worked"]))
    assert one.change.value is not None
    assert other.change.value is not None
    assert (1 + one.change.value) * (1 + other.change.value) == pytest.approx(1)
    assert (one.worked, one.held_out) == (other.held_out, other.worked)


@pytest.mark.parametrize("effect", [1.0, 0.7])
def test_intervals_cover_the_planted_effect_and_an_a_a_trial_shows_none(effect: float) -> None:
    found = [leaving(accounts(400, effect=effect, seed=seed, spread=0.5)) for seed in range(20)]
    covered = sum(one.change.low <= effect - 1 <= one.change.high for one in found)  # type: ignore[operator]
    # 95 % of 20 is 19; fewer than 17 comes by chance twice in 100 times.
    assert covered >= 17
    claims = sum("cannot" not in one.words and "no difference" not in one.words for one in found)
    assert claims <= 3 if effect == 1 else claims >= 6


def test_an_account_counted_twice_in_one_cluster_adds_no_certainty() -> None:
    rows = accounts(300, effect=0.8, seed=5).assign(seen_risk=np.nan)
    twice = pd.concat([rows, rows], ignore_index=True)
    one, same, other = leaving(rows), leaving(twice), leaving(twice.assign(cluster_id=twice.index.astype(str)))
    assert one.change.low is not None
    assert same.change.width == pytest.approx(one.change.width)
    assert (other.change.width or 0) < 0.85 * (one.change.width or 0)


def test_strata_of_risk_take_away_a_chance_difference_between_the_arms() -> None:
    rows = accounts(2000, effect=1.0, seed=8, spread=1.2)
    # More of the risky accounts happened to be worked on.
    risky = rows["seen_risk"] > rows["seen_risk"].median()
    skewed = pd.concat([rows[rows["worked"] | ~risky], rows[~rows["worked"] & risky].iloc[::2]], ignore_index=True)
    crude = leaving(skewed.assign(seen_risk=np.nan)).change.value
    adjusted = leaving(skewed).change.value
    assert adjusted is not None
    assert crude is not None
    assert abs(adjusted) < abs(crude)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (accounts(16, effect=1.0, seed=1), "an arm has 8 accounts; 10 are needed"),
        (accounts(200, effect=1.0, seed=1).assign(events=0.0), "an arm has 0 accounts with anything to count"),
    ],
)
def test_too_little_to_compare_is_said_and_nothing_else(rows: pd.DataFrame, reason: str) -> None:
    found = leaving(rows)
    assert (found.change.value, found.least) == (None, None)
    assert reason in found.change.reason
    assert found.words.startswith("cannot be told")
    assert str(LEAST_OUTCOMES) in found.words


def test_an_effect_too_small_to_be_seen_is_not_called_none() -> None:
    found = leaving(accounts(200, effect=0.95, seed=2))
    assert found.least is not None
    assert found.words == f"no difference can be told; an effect below about {found.least:.0%} would not show here"
    # Four times as many accounts see half the effect.
    assert leaving(accounts(800, effect=0.95, seed=2)).least == pytest.approx(found.least / 2, rel=0.35)


def test_a_share_is_the_sum_of_parts_over_the_sum_of_wholes() -> None:
    count = 60
    rows = pd.DataFrame(
        {
            "cluster_id": [str(number) for number in range(count)],
            "worked": [number % 2 == 0 for number in range(count)],
            "part": [90.0 if number % 2 == 0 else 60.0 for number in range(count)],
            "whole": 100.0,
        }
    )
    found = share_change(rows, name="value", title="value kept", better="higher")
    assert (found.worked, found.held_out, found.unit) == (pytest.approx(0.9), pytest.approx(0.6), "share")
    assert (found.change.value, found.change.low, found.change.high) == tuple([pytest.approx(0.5)] * 3)
    assert found.words == "more in the worked arm"


def test_growth_is_compared_on_the_scale_of_factors_so_that_no_large_account_speaks_for_all() -> None:
    count = 200
    worked = np.arange(count) % 2 == 0
    before = np.where(np.arange(count) < 2, 1e6, 10.0)
    after = (before + 1) * np.where(worked, 1.5, 1.0) - 1
    rows = pd.DataFrame(
        {"cluster_id": np.arange(count).astype(str), "worked": worked, "before": before, "after": after}
    )
    found = mean_change(rows, name="use", title="days of use", better="higher")
    assert found.worked == pytest.approx(0.5)
    assert found.held_out == pytest.approx(0.0)
    assert found.change.value == pytest.approx(0.5)


def test_without_any_use_on_record_growth_is_not_called_zero() -> None:
    rows = accounts(100, effect=1.0, seed=4).assign(before=0.0, after=0.0)
    found = mean_change(rows, name="use", title="days of use", better="higher")
    assert found.change.value is None
    assert "anything to count" in found.words
