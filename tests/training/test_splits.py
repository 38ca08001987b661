"""Law 3: is every label of a fold's past final before its future begins?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import NoUsableSignal
from training.config import TrainingConfig
from training.splits import Fold, TimeSplit, final_fold, is_mature, split

from .bundle_case import trained

CONFIG = TrainingConfig()
MONDAY = datetime(2021, 1, 4, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def mondays(count: int, every: int = 4) -> list[datetime]:
    return [MONDAY + every * index * WEEK for index in range(count)]


def all_periods(as_ofs: list[datetime]) -> pd.DataFrame:
    """Every period of one account, whether final or not."""
    return pd.DataFrame(
        [
            {"as_of": pd.Timestamp(as_of), "high": high, "closes_at": as_of + timedelta(days=high) + CONFIG.settling}
            for as_of in as_ofs
            for _, high in CONFIG.intervals_days
        ]
    )


def folds_of(parted: TimeSplit) -> list[Fold]:
    return [*parted.walk_forward, parted.final]


_histories = st.tuples(st.integers(30, 60), st.sampled_from([2, 4, 5]), st.integers(0, 40))


@settings(max_examples=60)
@given(history=_histories)
def test_the_last_training_label_closes_before_the_first_test_snapshot(history: tuple[int, int, int]) -> None:
    count, every, days_late = history
    as_ofs = mondays(count, every)
    cut = as_ofs[-1] + timedelta(days=days_late)
    try:
        parted = split(as_ofs, cut, CONFIG)
    except NoUsableSignal:
        return
    periods = all_periods(as_ofs)
    for fold in folds_of(parted):
        past, future = periods[fold.train(periods)], periods[fold.test(periods)]
        ends = past["as_of"] + pd.to_timedelta(past["high"], unit="D")
        assert (ends + CONFIG.grace + CONFIG.label_lag <= future["as_of"].min()).all()
        assert len(past) > 0
        assert past["as_of"].max() < future["as_of"].min()


@given(history=_histories)
def test_folds_go_forward_and_never_reach_into_the_final_block(history: tuple[int, int, int]) -> None:
    count, every, days_late = history
    as_ofs = mondays(count, every)
    try:
        parted = split(as_ofs, as_ofs[-1] + timedelta(days=days_late), CONFIG)
    except NoUsableSignal:
        return
    folds = folds_of(parted)
    assert len(parted.walk_forward) == CONFIG.folds
    for earlier, later in pairwise(folds):
        assert earlier.test_first <= earlier.test_last < later.test_first


def test_the_final_block_is_the_last_half_year_whose_headline_label_is_final() -> None:
    as_ofs = mondays(160, every=1)
    cut = as_ofs[-1]
    fold = final_fold(as_ofs, cut, CONFIG)
    assert fold.test_last + timedelta(days=90 + 30 + 30) <= cut < fold.test_last + timedelta(days=150) + WEEK
    assert fold.test_last - fold.test_first == 25 * WEEK


def test_a_snapshot_is_mature_on_the_day_its_label_becomes_final() -> None:
    assert not is_mature(MONDAY, MONDAY + timedelta(days=149), CONFIG)
    assert is_mature(MONDAY, MONDAY + timedelta(days=150), CONFIG)


def test_duplicated_and_shuffled_dates_change_nothing() -> None:
    as_ofs = mondays(45)
    cut = as_ofs[-1]
    assert split([*reversed(as_ofs), *as_ofs], cut, CONFIG) == split(as_ofs, cut, CONFIG)


def test_walk_forward_folds_are_about_equally_long() -> None:
    as_ofs = mondays(45)
    folds = split(as_ofs, as_ofs[-1], CONFIG).walk_forward
    lengths = [sum(fold.test_first <= as_of <= fold.test_last for as_of in as_ofs) for fold in folds]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_short_history_is_refused_not_split_badly(count: int) -> None:
    as_ofs = mondays(count)
    with pytest.raises(NoUsableSignal, match="too short"):
        split(as_ofs, as_ofs[-1] + timedelta(days=200), CONFIG)


def test_no_final_label_is_refused() -> None:
    with pytest.raises(NoUsableSignal, match="150 days before the cut"):
        final_fold(mondays(3), MONDAY + timedelta(days=100), CONFIG)


def test_nothing_fitted_on_real_rows_has_seen_what_judges_it() -> None:
    made = trained()
    rows = made.rows
    judged_from = pd.Timestamp(made.split.final.test_first)
    assert made.development["closes_at"].max() <= judged_from
    assert (made.reference_rows["as_of"] < judged_from).all()
    assert (made.found.out_of_fold["as_of"] < judged_from).all()
    assert rows[made.split.final.test(rows)]["as_of"].min() >= judged_from
