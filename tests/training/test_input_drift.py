"""Drift is measured against the same campaign phase a year ago, and against what years differ anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.input_drift import LEAST_ROWS, USUAL_LIMIT, input_drift, stability_index

USE = [("use", "engagement")]
ACCOUNTS = np.arange(100).astype(str)


def rows(seed: int, *, quiet: int = 400, busy: int = 400, times: float = 1.0) -> pd.DataFrame:
    """Quiet accounts around 10, busy ones (in a campaign) around 30."""
    random = np.random.default_rng(seed)
    phases = ["off"] * quiet + ["active"] * busy
    level = np.array([10.0] * quiet + [30.0] * busy)
    use = times * (level + random.normal(size=len(level)))
    return pd.DataFrame({"account_id": np.arange(len(level)).astype(str), "phase": phases, "use": use})


def test_the_index_is_the_textbook_sum_over_bins() -> None:
    then = pd.DataFrame({"account_id": ACCOUNTS, "phase": "off", "use": np.repeat(np.arange(10.0), 10)})
    now = pd.DataFrame({"account_id": ACCOUNTS, "phase": "off", "use": np.repeat(np.arange(10.0), [20, 0, *[10] * 8])})
    # Two of ten equal bins change: from a tenth each to a fifth and (almost) nothing.
    expected = (0.2 - 0.1) * np.log(2) + (1e-4 - 0.1) * np.log(1e-4 / 0.1)
    assert stability_index(now, then, "use") == pytest.approx(expected)


def test_a_longer_campaign_this_year_is_no_drift() -> None:
    # Pooled, twice as many busy rows would look like a great change; within phases nothing changed.
    (found,) = input_drift(rows(1, busy=800, quiet=100), rows(2, busy=100, quiet=800), None, USE)
    assert found.stability_index is not None
    assert found.stability_index < USUAL_LIMIT
    assert not found.drifted
    assert found.shift == pytest.approx(0.0, abs=0.2)


def test_a_feature_that_counts_less_than_a_year_ago_has_drifted() -> None:
    (found,) = input_drift(rows(1, times=0.6), rows(2), None, USE)
    assert found.drifted
    assert found.shift is not None
    assert found.shift < -2


def test_what_differs_every_year_is_not_drift() -> None:
    # Use falls by as much each year: the year before says that this is usual.
    (found,) = input_drift(rows(1, times=0.90), rows(2, times=0.95), rows(3), USE)
    (alone,) = input_drift(rows(1, times=0.90), rows(2, times=0.95), None, USE)
    assert alone.drifted
    assert found.usual is not None
    # Nine bins more than one, 400 accounts of either phase on either side.
    assert found.limit == pytest.approx(2 * found.usual + 2 * 9 * (1 / 400 + 1 / 400))
    assert not found.drifted


def test_accounts_that_are_told_further_apart_show_in_the_spread() -> None:
    wide = rows(1)
    wide["use"] = np.where(wide["phase"] == "off", 10, 30) + 2 * (
        wide["use"] - np.where(wide["phase"] == "off", 10, 30)
    )
    (found,) = input_drift(wide, rows(2), None, USE)
    assert found.spread == pytest.approx(2.0, rel=0.15)


def test_too_few_rows_give_no_number_and_no_alarm() -> None:
    few = LEAST_ROWS - 1
    (found,) = input_drift(rows(1, quiet=few, busy=few, times=3.0), rows(2), None, USE)
    assert (found.stability_index, found.shift, found.spread, found.drifted) == (None, None, None, False)


def test_missing_values_are_told_apart_and_do_not_move_the_index() -> None:
    gaps = rows(1)
    gaps.loc[gaps.index % 4 == 0, "use"] = np.nan
    (found,) = input_drift(gaps, rows(2), None, USE)
    assert (found.missing_now, found.missing_then) == (0.25, 0.0)
    assert not found.drifted


def test_a_feature_of_few_values_is_compared_value_by_value() -> None:
    then = pd.DataFrame({"account_id": ACCOUNTS, "phase": "off", "use": [0.0] * 90 + [1.0] * 10})
    now = pd.DataFrame({"account_id": ACCOUNTS, "phase": "off", "use": [0.0] * 60 + [1.0] * 40})
    expected = (0.6 - 0.9) * np.log(0.6 / 0.9) + (0.4 - 0.1) * np.log(0.4 / 0.1)
    assert stability_index(now, then, "use") == pytest.approx(expected)


def test_what_chance_gives_few_accounts_is_no_drift() -> None:
    # 60 accounts in each phase, four rows each that hardly differ: their index is mostly noise.
    def few(seed: int) -> pd.DataFrame:
        once = rows(seed, quiet=60, busy=60)
        return pd.concat([once] * 4, ignore_index=True)

    found = [input_drift(few(seed), few(100 + seed), None, USE)[0] for seed in range(20)]
    assert np.mean([(one.stability_index or 0) > USUAL_LIMIT for one in found]) > 0.3
    assert not any(one.drifted for one in found)
