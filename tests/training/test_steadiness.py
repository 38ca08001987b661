"""How calm a score is, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tests.training.judged_case import SMALL_PLAN, weekly
from training.judged import Judged
from training.steadiness import steadiness

WEEKS = 8


def rows() -> pd.DataFrame:
    """Accounts that are met in every week, with health that wanders."""
    whole = weekly(60, weeks=WEEKS, seed=2)
    kept = whole.groupby("account_id").filter(lambda part: len(part) == WEEKS)
    noise = np.random.default_rng(0).normal(0, 4, len(kept))
    return kept.assign(health=(kept["health"] + noise).clip(0, 100)).reset_index(drop=True)


def test_the_rank_correlation_is_spearmans_within_each_pair_of_snapshots() -> None:
    two = rows()[lambda all_: all_["as_of"].isin(sorted(all_["as_of"].unique())[:2])]
    first, second = (part.set_index("account_id")["health"] for _, part in two.groupby("as_of"))
    expected = spearmanr(first, second.reindex(first.index)).statistic
    found = steadiness(Judged.of(two, SMALL_PLAN)).rank_correlation
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.rows == len(first)
    assert found.low < found.value < found.high


def test_flips_are_counted_per_account_and_year() -> None:
    # One account changes band in each of 7 weeks, all others never.
    world = rows()
    restless = world["account_id"] == world["account_id"].iloc[0]
    turns = world.groupby("account_id").cumcount() % 2 == 0
    band = np.where(restless & turns, "red", np.where(restless, "amber", "green"))
    found = steadiness(Judged.of(world.assign(band=band), SMALL_PLAN))
    accounts = world["account_id"].nunique()
    assert found.spacing_days == 7
    assert found.flips_per_account_year.positives == WEEKS - 1
    assert found.flips_per_account_year.value == pytest.approx((WEEKS - 1) / (accounts * (WEEKS - 1) * 7 / 365.25))


def test_a_band_that_is_unknown_is_no_flip() -> None:
    world = rows()
    band = np.where(world.groupby("account_id").cumcount() % 2 == 0, "unknown", "green")
    found = steadiness(Judged.of(world.assign(band=band), SMALL_PLAN)).flips_per_account_year
    assert (found.value, found.reason) == (None, "no rows")


def test_the_same_number_of_flips_four_weeks_apart_is_a_calmer_score() -> None:
    world = rows()
    begin = world["as_of"].min()
    slower = world.assign(as_of=begin + (world["as_of"] - begin) * 4)
    quick, slow = (steadiness(Judged.of(one, SMALL_PLAN)) for one in (world, slower))
    assert slow.spacing_days == 28
    assert quick.flips_per_account_year.value == pytest.approx(4 * slow.flips_per_account_year.value)


def test_an_account_that_missed_a_snapshot_has_no_pair_there() -> None:
    world = rows()
    moments, absent = sorted(world["as_of"].unique()), world["account_id"].iloc[0]
    gone = world[~((world["account_id"] == absent) & (world["as_of"] == moments[3]))]
    whole, less = (steadiness(Judged.of(one, SMALL_PLAN)).rank_correlation.rows for one in (world, gone))
    assert less == whole - 2


def test_kept_reasons_are_averaged_where_they_were_asked() -> None:
    world = rows()
    asked = np.arange(len(world)) % 4 == 0
    kept = np.where(asked, np.where(np.arange(len(world)) % 8 == 0, 1.0, 1 / 3), np.nan)
    found = steadiness(Judged.of(world.assign(reasons_kept=kept), SMALL_PLAN)).reasons_kept
    assert found.rows == asked.sum()
    assert found.value == pytest.approx(pd.Series(kept).mean(), abs=0.02)


def test_one_snapshot_says_nothing_about_calm() -> None:
    one = rows()[lambda all_: all_["as_of"] == all_["as_of"].min()].assign(reasons_kept=np.nan)
    found = steadiness(Judged.of(one, SMALL_PLAN))
    assert found.spacing_days is None
    for estimate in (found.flips_per_account_year, found.rank_correlation, found.reasons_kept):
        assert (estimate.value, estimate.reason) == (None, "no rows")
