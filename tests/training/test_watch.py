"""A watch over a live model: what it counts, suspects and advises, on made-up rows with a known cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.errors import DriftFound
from training.diagnosis import COLLABORATION, COUNTED
from training.watch import Seen
from training.watch_page import failure, lines, render
from training.watch_parts import ALL, Cause, Step

from .watch_case import (
    FEATURES,
    FIRST,
    OPEN,
    PHASES,
    RISK,
    SNAPSHOTS,
    UNTOLD,
    found,
    judged,
    quarter,
    seen,
    starts,
)

QUIET = found(seen())
DEARER = found(seen(1.7))


def test_a_model_that_holds_is_left_alone() -> None:
    assert (QUIET.alarmed, QUIET.suspicions, QUIET.drifted) == ((), (), ())
    assert QUIET.advice.step is Step.NOTHING
    assert failure(QUIET) is None
    assert lines(QUIET)[0] == "model version 3 at 2025-05-15: nothing"


def test_every_final_label_is_counted_once_in_every_grouping() -> None:
    rows = judged()
    final = rows[rows["y_30"].notna()]
    whole, *rest = QUIET.charts
    assert (whole.group, len(whole.periods)) == (ALL, SNAPSHOTS - OPEN)
    assert whole.observed == final["y_30"].sum()
    assert whole.expected == pytest.approx(final["risk_30"].sum())
    for column in ("phase", "segment"):
        groups = [chart for chart in rest if chart.group.startswith(column)]
        assert sum(chart.observed for chart in groups) == whole.observed
        assert sum(period.rows for chart in groups for period in chart.periods) == len(final)
    assert QUIET.too_small == ()


def test_windows_that_overlap_count_nobody_twice() -> None:
    # Snapshots a week apart see one leaver four times; only those four weeks apart are counted.
    rows = judged()
    weekly = pd.concat([rows, rows.assign(as_of=rows["as_of"] + timedelta(days=7))], ignore_index=True)
    twice = found(Seen(weekly, quarter(1), quarter(2), quarter(3), starts(), UNTOLD))
    assert twice.charts[0].observed == QUIET.charts[0].observed


def test_groups_too_small_for_a_chart_are_named() -> None:
    rows = judged()
    rows.loc[rows["account_id"] == "7", "segment"] = "agency"
    small = found(Seen(rows, quarter(1), quarter(2), None, starts(), UNTOLD))
    assert small.too_small == ("segment agency",)


def test_when_more_leave_and_use_looks_as_before_the_price_is_suspected() -> None:
    assert [one.cause for one in DEARER.suspicions] == [Cause.PRICE]
    whole = DEARER.charts[0]
    assert whole.direction == "more"
    assert whole.onset is not None
    assert abs((whole.onset - (FIRST + timedelta(days=28 * 5))).days) <= 56
    assert whole.ratio == pytest.approx(1.7, rel=0.3)
    assert DEARER.advice.step is (Step.PLATT if whole.observed >= 60 else Step.INTERCEPT)


def test_within_ninety_days_of_final_labels_the_alarm_is_there() -> None:
    # The change holds for the last three or four final snapshots only.
    late = found(seen(1.9, since=SNAPSHOTS - OPEN - 4))
    assert late.charts[0].crossed is not None
    assert late.charts[0].crossed <= (FIRST + timedelta(days=28 * (SNAPSHOTS - OPEN - 1))).to_pydatetime()
    assert Cause.PRICE in {one.cause for one in late.suspicions}


def test_fewer_leavers_than_stated_are_told_as_such() -> None:
    fewer = found(seen(0.3))
    assert fewer.charts[0].direction == "fewer"
    assert [one.cause for one in fewer.suspicions] == [Cause.LEVEL]


def test_when_less_is_counted_while_people_work_as_before_the_counting_is_suspected() -> None:
    uncounted = found(seen(**{COUNTED: 0.6 * quarter(1)[COUNTED].to_numpy()}))
    assert [one.cause for one in uncounted.suspicions] == [Cause.INSTRUMENTATION]
    assert uncounted.advice.step is Step.RETRAIN
    assert [one.feature for one in uncounted.drifted] == [COUNTED]


def test_when_people_work_less_too_it_is_not_the_counting() -> None:
    less = {name: 0.6 * quarter(1)[name].to_numpy() for name, _ in FEATURES}
    causes = {one.cause for one in found(seen(**less)).suspicions}
    assert Cause.INSTRUMENTATION not in causes
    assert Cause.INPUTS in causes


def test_when_a_campaign_is_begun_late_by_many_at_once_the_calendar_is_suspected() -> None:
    both = pd.concat([starts(0.1, "award_season"), starts(0.5)], ignore_index=True)
    moved = found(replace(seen(), starts=both))
    assert [one.cause for one in moved.suspicions] == [Cause.CALENDAR]
    assert moved.advice.step is Step.OWNER
    # One in ten was not seen to rise, and nobody moved the calendar: not late.
    assert (moved.ramps.campaign, moved.ramps.accounts) == ("march_madness", 300)
    assert moved.ramps.late_share == pytest.approx(0.45)
    assert "45% of 300 accounts began march madness more than a week after" in moved.suspicions[0].sentence
    assert "march madness" in render(moved)


def test_where_use_is_not_seen_the_calendars_own_word_counts() -> None:
    unseen = starts().assign(risen_days=np.nan, moved_days=21.0)
    assert found(replace(seen(), starts=unseen)).ramps.late_share == 1.0


def test_late_beginnings_of_a_few_accounts_are_luck_and_no_campaign_is_no_finding() -> None:
    for few in (starts(1.0, accounts=19), starts().iloc[:0]):
        told = found(replace(seen(), starts=few))
        assert (told.ramps.late_share, told.suspicions) == (None, ())
    assert QUIET.ramps.late_share == pytest.approx(0.1, abs=0.02)


def test_when_collaboration_no_longer_goes_with_use_in_one_phase_the_loading_is_suspected() -> None:
    now = quarter(1)
    # As wide as before, and as high: only whose it is has changed.
    dealt = now[COLLABORATION].to_numpy().copy()
    active = (now["phase"] == "active").to_numpy()
    dealt[active] = np.random.default_rng(9).permutation(dealt[active])
    moved = found(seen(**{COLLABORATION: dealt}))
    assert [one.cause for one in moved.suspicions] == [Cause.LOADING]
    assert "in phase active, collaboration goes with use less than a year ago" in moved.suspicions[0].sentence
    assert moved.advice.step is Step.RETRAIN


def test_a_signal_that_is_wider_or_higher_but_goes_with_use_as_before_is_no_moved_loading() -> None:
    wider = 30 + 3 * quarter(1)[COLLABORATION].to_numpy()
    assert Cause.LOADING not in {one.cause for one in found(seen(**{COLLABORATION: wider})).suspicions}


def test_labels_that_are_not_final_alarm_only_when_even_their_beginning_is_too_much() -> None:
    assert QUIET.early is not None
    assert not QUIET.early.alarm
    rows = judged()
    rows["left_30"] = np.where(
        rows["y_30"].isna(), np.random.default_rng(0).random(len(rows)) < 3 * RISK, rows["left_30"]
    )
    early = found(Seen(rows, quarter(1), quarter(2), None, starts(), UNTOLD))
    assert early.early is not None
    assert early.early.alarm
    assert early.advice.step is Step.WAIT


def test_without_a_final_label_nothing_is_claimed() -> None:
    rows = judged().assign(y_30=np.nan)
    blind = found(Seen(rows, quarter(1), quarter(2), None, starts(), UNTOLD))
    assert (blind.charts, blind.advice.step) == ((), Step.WAIT)
    assert failure(blind) is not None
    assert "no snapshot has final labels yet: whether risks come true cannot be said" in lines(blind)


def test_scores_stand_beside_those_of_the_same_phase_a_year_ago() -> None:
    now, then = quarter(1), quarter(2)
    by_phase = {one.phase: one for one in QUIET.scores}
    assert sorted(by_phase) == sorted(PHASES)
    post = by_phase["post"]
    assert post.health == pytest.approx(now.loc[now["phase"] == "post", "health"].mean())
    assert post.red_share_then == pytest.approx((then.loc[then["phase"] == "post", "band"] == "red").mean())


def test_the_page_and_the_failure_say_what_to_do() -> None:
    page = " ".join(render(DEARER).split())
    assert "Recalibrate" in page
    assert "Suspicion, price" in page
    assert page.count("<img ") == 3
    told = failure(DEARER)
    assert isinstance(told, DriftFound)
    assert told.found == "price"
    quiet = render(QUIET)
    assert "It holds: nothing to do." in quiet
    assert "No feature moved beyond its limit." in quiet


def test_the_numbers_for_the_history_are_all_there_and_finite() -> None:
    numbers = DEARER.metrics()
    assert numbers["watch.charts_alarmed"] == len(DEARER.alarmed) > 0
    assert numbers["watch.ratio.all_accounts"] == DEARER.charts[0].ratio
    assert all(np.isfinite(number) for number in numbers.values())
