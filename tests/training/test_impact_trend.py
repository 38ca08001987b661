"""Is a step told from a trend and a season, and from the silence before anybody was watched?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from training.impact_trend import SPAN, Trend, trend

START, SINCE, UNTIL = (datetime(year, 1, 4, tzinfo=UTC) for year in (2020, 2022, 2024))
DAYS = (UNTIL - START).days


def company(*, step: float, season: float, seed: int, count: int = 2_500) -> pd.DataFrame:
    """Accounts that are live from the start; each leaves by a daily chance with a season and a step."""
    draw = np.random.default_rng(seed)
    day = np.arange(DAYS)
    chance = 0.0008 * (1 + season * np.sin(2 * np.pi * day / 365.25)) * np.where(day < (SINCE - START).days, 1, step)
    survival = np.cumprod(1 - chance)
    gone = np.searchsorted(-survival, -draw.uniform(size=count))
    left = gone < DAYS
    until = [START + timedelta(days=int(min(each, DAYS))) for each in gone]
    return pd.DataFrame(
        {
            "cluster_id": [str(number) for number in range(count)],
            "live_from": pd.to_datetime([START] * count, utc=True),
            "live_until": pd.to_datetime(until, utc=True),
            "left": left.astype(float),
        }
    )


def told(accounts: pd.DataFrame, *, since: datetime = SINCE, until: datetime = UNTIL) -> Trend:
    return trend(accounts, since=since, until=until)


@pytest.mark.parametrize("step", [1.0, 0.55])
def test_the_step_is_told_and_a_season_alone_makes_none(step: float) -> None:
    found = [told(company(step=step, season=0.6, seed=seed, count=1200)) for seed in range(100, 104)]
    ends = [(one.change.low, one.change.high) for one in found]
    assert sum(low <= step - 1 <= high for low, high in ends if low is not None and high is not None) >= 3
    said = "no step can be told" if step == 1 else "fewer left after it began"
    assert sum(said in one.words for one in found) >= 3


def test_spans_count_every_leaver_and_day_between_the_first_and_the_last_of_them() -> None:
    accounts = company(step=1.0, season=0.0, seed=2, count=600)
    found = told(accounts)
    begin, end = found.spans[0].begin, found.spans[-1].begin + SPAN
    inside = accounts[(accounts["live_until"] >= begin) & (accounts["live_until"] < end)]
    assert sum(span.left for span in found.spans) == int(inside["left"].sum())
    lived = (accounts["live_until"].clip(upper=pd.Timestamp(end)) - begin).dt.total_seconds().clip(lower=0).sum()
    assert sum(span.account_years for span in found.spans) == pytest.approx(lived / 86_400 / 365.25)
    assert SINCE in [span.begin for span in found.spans]
    before = [span for span in found.spans if span.begin < SINCE]
    assert all(span.stated == pytest.approx(span.without) for span in before)


def test_accounts_that_were_there_before_anybody_was_watched_make_no_step() -> None:
    accounts = company(step=1.0, season=0.0, seed=7, count=1200)
    # Contracts that began ten years before, and no word of those that ended then.
    older = accounts.assign(live_from=accounts["live_from"] - pd.Timedelta(days=3650))
    change = told(older).change
    assert change.low is not None
    assert change.high is not None
    assert change.low <= 0 <= change.high


@pytest.mark.parametrize(
    ("accounts", "since", "reason"),
    [
        (company(step=1.0, season=0.0, seed=1, count=300).assign(left=0.0), SINCE, "nobody is known to have left"),
        (company(step=1.0, season=0.0, seed=1, count=60), SINCE, "accounts left on one side of it; 30 are needed"),
        (
            company(step=1.0, season=0.0, seed=1, count=300),
            START + timedelta(weeks=20),
            "needed to tell season from change",
        ),
    ],
)
def test_what_cannot_be_told_has_a_reason_and_no_number(accounts: pd.DataFrame, since: datetime, reason: str) -> None:
    found = told(accounts, since=since)
    assert (found.change.value, found.spans) == (None, ())
    assert reason in found.change.reason
    assert found.words.startswith("before and after cannot be compared")
