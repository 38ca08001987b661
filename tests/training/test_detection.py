"""Alerts are graded against decisions that are final, and every number against a plain reading of the rule."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.training.judged_case import SMALL_PLAN, weekly
from training.detection import MEASURES, Leavers, measured, shares_by_lead, weighted_median
from training.episodes import Walk, begun_by_rank
from training.judged import Judged

Flags = np.ndarray


@cache
def judged() -> Judged:
    return Judged.of(weekly(300, weeks=20, skill=0.9, seed=11), SMALL_PLAN)


@cache
def alerts() -> Flags:
    rows = judged()
    walk = Walk.of(rows.rows)
    return begun_by_rank(walk, rows.column("risk_180"), walk.paced(40))


def plain_leavers() -> pd.DataFrame:
    """One row per leaver: whoever decided 13 weeks after the start or later, was seen before, and when."""
    rows = judged().rows
    since = (rows["as_of"] - rows["as_of"].min()).dt.days
    seen = rows[(rows["days_to_leaving"] > 0) & (since + rows["days_to_leaving"] >= 91)]
    return seen.groupby("account_id").first()


def true_alerts() -> pd.DataFrame:
    rows = judged().rows[alerts()]
    right = rows[(rows["days_to_leaving"] > 0) & (rows["days_to_leaving"] <= 180)]
    return right[right["account_id"].isin(plain_leavers().index)]


def test_leavers_are_those_who_could_have_been_seen_coming() -> None:
    found = Leavers.of(judged())
    names = judged().rows["account_id"].iloc[found.rows]
    assert sorted(names) == sorted(plain_leavers().index)
    rows = judged().rows
    expected = rows["account_id"].map({name: place for place, name in enumerate(names)}).fillna(-1)
    np.testing.assert_array_equal(found.place, expected)


def test_every_measure_equals_a_plain_reading_of_the_rule() -> None:
    record = measured(judged(), Leavers.of(judged()), alerts()).record()
    rows, leavers, right = judged().rows, plain_leavers(), true_alerts()
    graded = rows[alerts() & rows["y_180"].notna()]
    early = set(right.loc[right["days_to_leaving"] >= 56, "account_id"])
    assert record.alerts == alerts().sum()
    assert record.precision.value == pytest.approx(graded["y_180"].mean(), abs=1e-12)
    assert record.recall.value == pytest.approx(right["account_id"].nunique() / len(leavers), abs=1e-12)
    assert record.early_before_decision.value == pytest.approx(len(early) / len(leavers), abs=1e-12)
    late_end = right.loc[right["days_to_last_day"] >= 91, "account_id"].nunique()
    assert record.early_before_end.value == pytest.approx(late_end / len(leavers), abs=1e-12)
    worth = leavers["annual_value"]
    assert record.early_value.value == pytest.approx(worth[worth.index.isin(early)].sum() / worth.sum(), abs=1e-12)
    final = right.groupby("account_id")["days_to_leaving"].min()
    assert record.lead_days.value == final.sort_values().iloc[(len(final) - 1) // 2]
    assert 0 < record.recall.value < 1
    assert len(early) > 3


def test_intervals_hold_the_value_and_name_what_it_rests_on() -> None:
    record = measured(judged(), Leavers.of(judged()), alerts()).record()
    for name in MEASURES:
        one = getattr(record, name)
        assert one.low <= one.value <= one.high
        assert one.rows > 0
    assert record.recall.rows == record.lead_days.rows == len(plain_leavers())


def test_a_policy_is_not_ahead_of_itself() -> None:
    one = measured(judged(), Leavers.of(judged()), alerts())
    lead = one.lead_over(one)
    assert all(
        (getattr(lead, name).value, getattr(lead, name).low, getattr(lead, name).high) == (0, 0, 0) for name in MEASURES
    )


def test_a_difference_is_paired_on_the_same_redraws() -> None:
    # A policy that alerts everyone the other alerts, and one leaver more, is never behind in any redraw.
    more, leavers = alerts().copy(), Leavers.of(judged())
    missed = np.flatnonzero((leavers.place >= 0) & judged().rows["days_to_leaving"].between(60, 180))
    fresh = missed[~np.isin(leavers.place[missed], leavers.place[alerts()])]
    more[fresh[0]] = True
    lead = measured(judged(), leavers, more).lead_over(measured(judged(), leavers, alerts()))
    assert lead.recall.value > 0
    assert lead.recall.low >= 0


def test_alerts_that_do_not_count_still_warn_a_leaver() -> None:
    first = (judged().rows["as_of"] == judged().rows["as_of"].min()).to_numpy()
    whole = measured(judged(), Leavers.of(judged()), alerts()).record()
    later = measured(judged(), Leavers.of(judged()), alerts(), counted=~first).record()
    assert later.alerts == whole.alerts - (alerts() & first).sum() < whole.alerts
    assert later.recall == whole.recall


def test_an_alert_whose_half_year_is_not_over_is_not_graded() -> None:
    rows = judged().rows
    late = rows["as_of"] > rows["as_of"].unique()[10]
    unripe = Judged.of(rows.assign(y_180=rows["y_180"].mask(late)), SMALL_PLAN)
    record = measured(unripe, Leavers.of(unripe), alerts()).record()
    assert record.precision.rows == (alerts() & ~late).sum()


def test_without_leavers_nothing_is_claimed() -> None:
    nobody = Judged.of(judged().rows.assign(days_to_leaving=np.nan, y_180=0.0), SMALL_PLAN)
    record = measured(nobody, Leavers.of(nobody), alerts()).record()
    assert record.precision.value == 0
    assert (record.recall.value, record.lead_days.value) == (None, None)
    assert record.lead_days.reason == "no leaver was alerted"
    assert shares_by_lead(nobody, Leavers.of(nobody), alerts(), (1, 56)) == ()


def test_the_curve_of_leads_falls_and_meets_the_measures() -> None:
    leavers = Leavers.of(judged())
    record = measured(judged(), leavers, alerts()).record()
    curve = shares_by_lead(judged(), leavers, alerts(), (1, 56, 120, 180))
    assert list(curve) == sorted(curve, reverse=True)
    assert curve[1] == pytest.approx(record.early_before_decision.value)


def test_some_of_the_leavers_are_a_question_of_their_own() -> None:
    leavers = Leavers.of(judged())
    chosen = np.arange(len(leavers.rows)) % 3 == 0
    few = leavers.chosen(chosen)
    np.testing.assert_array_equal(few.rows, leavers.rows[chosen])
    assert set(few.place[leavers.place >= 0]) == {-1, *range(len(few.rows))}
    np.testing.assert_array_equal(few.place[few.rows], np.arange(len(few.rows)))


def test_a_weighted_median_is_the_median_of_repeated_values() -> None:
    draw = np.random.default_rng(5)
    values, weights = draw.normal(size=9), draw.integers(0, 4, size=(20, 9)).astype(float)
    found = weighted_median(values, weights)
    for row, median in zip(weights.astype(int), found, strict=True):
        repeated = np.sort(np.repeat(values, row))
        assert median == repeated[(len(repeated) - 1) // 2]
    assert np.isnan(weighted_median(values, np.zeros((1, 9))))[0]
