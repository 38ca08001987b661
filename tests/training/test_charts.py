"""What the charts count: final labels, what is on record of younger snapshots, and one alarm a year in all."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from training.charts import CHANGED, EVIDENCE, OF_CHANGE, OF_GROUP, OF_GROUPS, OF_LEVEL, keep_charts, shares_known
from training.cusum import limits_for, path
from training.maturing import known_share
from training.watch_parts import ALL, BEFORE, Chart

FIRST = pd.Timestamp("2024-01-01", tz="UTC")
NOW = (FIRST + timedelta(days=28 * 14)).to_pydatetime()
LAGS = 5.0 * np.exp(1.09 * np.random.default_rng(2).standard_normal(400))
UNTOLD = np.array([])
ACCOUNTS, RISK, FINAL_DAYS = 1000, 0.015, 90


def rows(ratio: float = 1.0, since: int = 99, snapshots: int = 14) -> pd.DataFrame:
    """Snapshots four weeks apart; as many leave as stated, from ``since`` on ``ratio`` times; records as in LAGS."""
    random, parts = np.random.default_rng(5), []
    for number in range(snapshots):
        at = FIRST + timedelta(days=28 * number)
        age = (pd.Timestamp(NOW) - at).days
        count = round(ACCOUNTS * RISK * (ratio if number >= since else 1.0))
        left = np.isin(np.arange(ACCOUNTS), random.choice(ACCOUNTS, count, replace=False)) * 1.0
        recorded = random.uniform(0, 30, ACCOUNTS) + random.choice(LAGS, ACCOUNTS)
        parts.append(
            pd.DataFrame(
                {
                    "as_of": at,
                    "phase": np.where(np.arange(ACCOUNTS) % 2, "off", "post"),
                    "segment": "studio",
                    "risk_30": RISK,
                    "y_30": left if age >= FINAL_DAYS else np.nan,
                    "left_30": left * (recorded <= age),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def charts(judged: pd.DataFrame, lags: np.ndarray = UNTOLD, now: datetime = NOW) -> dict[str, Chart]:
    return {one.group: one for one in keep_charts(judged, lags, now).charts}


def test_young_snapshots_count_what_is_on_record_against_what_should_be() -> None:
    judged = rows()
    whole = charts(judged, LAGS)[ALL]
    young = [period for period in whole.periods if period.known < 1.0]
    ages = [(NOW - period.as_of).days for period in young]
    assert ages == [84, 56, 28]
    for period, age in zip(young, ages, strict=True):
        assert period.known == pytest.approx(known_share(LAGS, age, 30))
        assert period.expected == pytest.approx(ACCOUNTS * RISK * period.known)
        assert period.observed == judged.loc[judged["as_of"] == period.as_of, "left_30"].sum()
    assert [period.expected for period in whole.periods[:-3]] == pytest.approx([15.0] * 11)


def test_where_no_lag_can_be_told_only_final_labels_count() -> None:
    assert {period.known for period in charts(rows())[ALL].periods} == {1.0}
    assert len(charts(rows())[ALL].periods) == 11


def test_a_change_shows_before_its_labels_are_final() -> None:
    # Two final snapshots after the change show nothing yet; with what is on record of three more it is plain.
    judged = rows(1.5, since=9)
    known, final = charts(judged, LAGS), charts(judged)
    assert (known[BEFORE].direction, final[BEFORE].direction) == ("more", "")
    assert known[BEFORE].onset == judged["as_of"].unique()[9]
    assert known[BEFORE].final_leavers == 2 * round(1.5 * 15) < known[BEFORE].observed


def test_the_ratio_to_the_record_before_has_an_exact_interval() -> None:
    chart = charts(rows(1.9, since=9), LAGS)[BEFORE]
    after = [one for one in chart.periods if chart.onset is not None and one.as_of >= chart.onset]
    before = [one for one in chart.periods if one not in after]
    left, whole = sum(one.observed for one in after), sum(one.observed for one in chart.periods)
    odds = sum(one.expected for one in before) / sum(one.expected for one in after)
    assert chart.ratio == pytest.approx(left / (whole - left) * odds)
    exact = binomtest(left, whole).proportion_ci(method="exact")
    assert (chart.low, chart.high) == pytest.approx(
        (odds * exact.low / (1 - exact.low), odds * exact.high / (1 - exact.high))
    )
    assert chart.expected == pytest.approx(left / (chart.ratio or 0.0))


def test_leavers_whose_vendor_ended_it_first_are_in_no_count() -> None:
    judged = rows()
    censored = judged.index[(judged["as_of"] == FIRST) & (judged["y_30"] == 0)][:100]
    judged.loc[censored, "y_30"] = np.nan
    first = charts(judged)[ALL].periods[0]
    assert (first.rows, first.expected) == (ACCOUNTS - 100, pytest.approx((ACCOUNTS - 100) * RISK))


def test_snapshots_of_every_week_are_counted_four_weeks_apart() -> None:
    judged = rows()
    weekly = pd.concat([judged, judged.assign(as_of=judged["as_of"] + timedelta(days=7))], ignore_index=True)
    assert list(shares_known(weekly, LAGS, NOW)) == list(shares_known(judged, LAGS, NOW))


def test_a_month_more_judges_no_month_before_it_anew() -> None:
    # But for groups, whose limit they share, and young snapshots, of which more is known by then.
    judged = rows(1.9, since=9)
    shorter = charts(judged[judged["as_of"] < FIRST + timedelta(days=28 * 10)])
    longer = charts(judged)
    for name in (ALL, BEFORE):
        assert shorter[name].periods == longer[name].periods[:10]


def test_a_group_without_a_row_in_some_month_has_an_empty_month() -> None:
    judged = rows()
    judged = judged[(judged["phase"] == "off") | (judged["as_of"] > FIRST)]
    first = charts(judged)["phase post"].periods[0]
    assert (first.rows, first.observed, first.expected) == (0, 0, 0.0)


def test_a_company_too_small_for_any_chart_is_told_so() -> None:
    kept = keep_charts(rows().head(1500), UNTOLD, NOW)
    assert kept.charts != ()
    kept = keep_charts(rows().head(150), UNTOLD, NOW)
    assert (kept.charts, kept.visible) == ((), None)
    assert ALL in kept.too_small


def test_what_can_be_seen_at_all_is_told_with_the_charts() -> None:
    known, final = keep_charts(rows(), LAGS, NOW).visible, keep_charts(rows(), UNTOLD, NOW).visible
    assert known is not None
    assert final is not None
    assert known.monthly == pytest.approx(15.0, rel=0.01)
    # What is on record of young snapshots lets a smaller change be seen in the same half year.
    assert (known.ratio or 9.0) < (final.ratio or 9.0)


def test_all_charts_together_cry_once_a_year_were_every_risk_true() -> None:
    # The promise is at most two; the other is left for models that are a little off.
    months, apart = 24, [np.full(24, one) for one in (7.5, 7.5, 4.0, 5.0, 6.0)]
    families = [
        (evidence, series, limits_for(series, evidence, chance=1 - np.exp(-rate * 28 / 365.25), seed=4))
        for evidence, series, rate in (
            (EVIDENCE, [sum(apart[:2])], OF_LEVEL),
            (CHANGED, [sum(apart[:2])], OF_CHANGE),
            (OF_GROUP, apart, OF_GROUPS),
        )
    ]
    random, alarms, companies = np.random.default_rng(3), 0, 120
    for _ in range(companies):
        halves = random.poisson(apart[:2])
        thirds = random.multinomial(halves.sum(axis=0), np.array([4.0, 5.0, 6.0]) / 15.0).T
        groups, whole = [*halves, *thirds], [halves.sum(axis=0)]
        loud = np.zeros(months, dtype=bool)
        for evidence, series, limits in families:
            for counts, stated in zip(groups if len(series) > 1 else whole, series, strict=True):
                found = path(counts.astype(float), stated, limits, evidence)
                loud |= np.maximum(found.above, found.below) > 1
        alarms += int(loud[0]) + int((loud[1:] & ~loud[:-1]).sum())
    assert 0.4 < alarms / (companies * months * 28 / 365.25) < 1.5
