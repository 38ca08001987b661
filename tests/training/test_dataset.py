"""Are the person-periods those that a patient clerk would write down?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import DataContractError, IntegrityError, MissingStateError
from features.vocabulary import parse_moment
from training.config import TrainingConfig
from training.dataset import KEY, ROW_COLUMNS, share_of, spaced, training_cohort, training_rows
from training.endings import FULL_CHURN, NONPAYMENT, Lapse
from training.labels import outcome_frame
from training.periods import MODEL_INPUTS

from .bundle_case import features_of, trained
from .portfolio_case import portfolio

ALL = TrainingConfig(negative_keep_share=1.0)
DAY = timedelta(days=1)


def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cohort rows that may be trained on, and their features."""
    made = portfolio()
    cohort = training_cohort(made.cohort, ALL)
    return cohort, features_of(made, cohort)


def by_hand(
    cohort: pd.DataFrame, decided: pd.DataFrame, cut: pd.Timestamp
) -> dict[tuple[str, pd.Timestamp, int], float]:
    """The oracle: every period one by one, in plain Python."""
    told = decided.set_index("account_id").to_dict("index")
    periods: dict[tuple[str, pd.Timestamp, int], float] = {}
    for row in cohort.itertuples():
        outcome = told.get(row.account_id)
        for k, (low, high) in enumerate(ALL.intervals_days):
            left = outcome["decided_at"] if outcome else None
            begins, ends = row.as_of + low * DAY, row.as_of + high * DAY
            if ends + ALL.grace + ALL.label_lag > cut or (left is not None and left <= begins):
                continue
            inside = left is not None and left <= ends
            if inside and not outcome["voluntary"]:
                continue
            periods[row.account_id, row.as_of, k] = float(inside)
    return periods


def test_periods_are_those_found_one_by_one() -> None:
    made = portfolio()
    cohort, snapshots = world()
    chosen = cohort["account_id"].isin(cohort["account_id"].unique()[::5])
    cohort, snapshots = (frame[chosen].reset_index(drop=True) for frame in (cohort, snapshots))
    unpaid = made.decided["account_id"].iloc[::5]
    decided = made.decided.assign(voluntary=~made.decided["account_id"].isin(unpaid))
    rows = training_rows(cohort, snapshots, decided, data_cut=made.data_cut, config=ALL)
    found = {(row.account_id, row.as_of, row.interval): row.y for row in rows.itertuples()}
    assert found == by_hand(cohort, decided, pd.Timestamp(made.data_cut))
    assert len(found) == len(rows)


def test_the_columns_are_the_declared_ones_without_nulls_where_none_may_be() -> None:
    rows = trained().rows
    assert tuple(rows.columns) == ROW_COLUMNS
    assert rows[["y", "weight", "interval", "closes_at", "in_window", "interval_start_days"]].notna().all(axis=None)


def test_each_period_carries_the_features_of_its_own_snapshot() -> None:
    made = trained()
    sample = made.rows.sample(200, random_state=1)
    source = made.snapshots.set_index(KEY)
    names = [name for name in MODEL_INPUTS if name in source and name != "is_evergreen"]
    expected = source.loc[pd.MultiIndex.from_frame(sample[KEY]), names].to_numpy(np.float64)
    np.testing.assert_array_equal(sample[names].to_numpy(np.float64), expected)


def test_days_to_the_decision_run_down_from_interval_to_interval() -> None:
    made = trained()
    days = made.rows[KEY].merge(made.snapshots[[*KEY, "days_to_decision"]], on=KEY, how="left")["days_to_decision"]
    expected = days.to_numpy() - made.rows["interval_start_days"].to_numpy()
    np.testing.assert_array_equal(made.rows["days_to_decision_at_start"].to_numpy(), expected)


def test_sub_sampling_drops_quiet_periods_only_and_weights_undo_it() -> None:
    cohort, snapshots = world()
    made = portfolio()
    every = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=ALL)
    kept = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=TrainingConfig())
    assert every["y"].sum() == kept["y"].sum()
    assert every["in_window"].sum() == kept["in_window"].sum()
    quiet = ~kept["in_window"] & (kept["y"] == 0)
    assert set(kept.loc[quiet, "weight"]) == {4.0}
    assert set(kept.loc[~quiet, "weight"]) == {1.0}
    # Binomial with share 1/4: the weighted count stays within five standard errors of all periods.
    n = int((~every["in_window"] & (every["y"] == 0)).sum())
    assert abs(4 * quiet.sum() - n) < 5 * np.sqrt(3 * n)


def test_which_periods_are_kept_depends_on_nothing_but_themselves() -> None:
    cohort, snapshots = world()
    made = portfolio()
    config = TrainingConfig()
    kept = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=config)
    some = np.random.default_rng(3).permutation(len(cohort))[: len(cohort) // 2]
    part = training_rows(
        cohort.iloc[some].reset_index(drop=True),
        snapshots.iloc[some].reset_index(drop=True),
        made.decided,
        data_cut=made.data_cut,
        config=config,
    )
    key = [*KEY, "interval"]
    chosen = kept.merge(cohort.iloc[some][KEY], on=KEY).sort_values(key).reset_index(drop=True)
    pd.testing.assert_frame_equal(part.sort_values(key).reset_index(drop=True)[list(ROW_COLUMNS)], chosen)


def test_the_share_of_a_period_is_spread_evenly() -> None:
    rows = pd.DataFrame({"account_id": [f"a{i}" for i in range(2000)], "as_of": pd.Timestamp("2024-01-01", tz="UTC")})
    share = share_of(rows, np.arange(2000), np.zeros(2000, dtype=np.int64))
    assert ((share >= 0) & (share < 1)).all()
    counts = np.histogram(share, bins=10, range=(0, 1))[0]
    assert abs(counts - 200).max() < 60


def test_a_later_cut_only_adds_periods() -> None:
    cohort, snapshots = world()
    made = portfolio()
    early = made.data_cut - timedelta(weeks=20)
    before = training_rows(cohort, snapshots, made.decided, data_cut=early, config=ALL)
    after = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=ALL)
    assert (before["closes_at"] <= early).all()
    pd.testing.assert_frame_equal(after[after["closes_at"] <= early].reset_index(drop=True), before)


def test_training_snapshots_are_four_weeks_apart_and_stay_when_data_grow() -> None:
    mondays = list(pd.date_range("2023-01-02", periods=30, freq="7D", tz="UTC"))
    chosen = spaced(mondays, ALL)
    assert chosen == mondays[::4]
    assert spaced(mondays[:13], ALL) == chosen[:4]


def test_only_accounts_at_risk_are_trained_on() -> None:
    cohort = portfolio().cohort
    assert set(cohort["cohort_status"]) > {"at_risk"}
    assert set(training_cohort(cohort, ALL)["cohort_status"]) == {"at_risk"}


def one_row(**features: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort, snapshots = world()
    return cohort.iloc[:1], snapshots.iloc[:1].assign(**features).reset_index(drop=True)


@pytest.mark.parametrize(("kind", "expected"), [(FULL_CHURN, [0.0, 0.0, 1.0]), (NONPAYMENT, [0.0, 0.0])])
def test_the_vendor_ending_a_contract_is_censoring_not_churn(kind: str, expected: list[float]) -> None:
    cohort, snapshots = one_row()
    moment = (cohort["as_of"].iloc[0] + 40 * DAY).to_pydatetime()
    who = outcome_frame({cohort["account_id"].iloc[0]: Lapse(moment, moment, moment, kind)})
    rows = training_rows(cohort, snapshots, who, data_cut=moment + 365 * DAY, config=ALL)
    assert rows["y"].tolist() == expected


def test_an_account_that_had_decided_before_it_was_known_is_left_out() -> None:
    cohort, snapshots = one_row()
    moment = cohort["as_of"].iloc[0].to_pydatetime() - 2 * DAY
    who = outcome_frame({cohort["account_id"].iloc[0]: Lapse(moment, moment, moment + 9 * DAY, FULL_CHURN)})
    with pytest.raises(MissingStateError, match="no label is final"):
        training_rows(cohort, snapshots, who, data_cut=moment + 365 * DAY, config=ALL)


def test_features_of_other_rows_are_refused() -> None:
    cohort, snapshots = world()
    nobody = outcome_frame({})
    with pytest.raises(DataContractError, match="not the same rows"):
        training_rows(cohort, snapshots.iloc[::-1], nobody, data_cut=portfolio().data_cut, config=ALL)
    with pytest.raises(DataContractError, match="not the same rows"):
        training_rows(cohort, snapshots.iloc[1:], nobody, data_cut=portfolio().data_cut, config=ALL)


def test_rows_without_a_snapshot_behind_them_are_refused() -> None:
    cohort, snapshots = one_row(cohort_status=None)
    with pytest.raises(DataContractError, match="1 of 1 rows"):
        training_rows(cohort, snapshots, outcome_frame({}), data_cut=portfolio().data_cut, config=ALL)


def test_a_missing_feature_is_refused_by_its_name() -> None:
    cohort, snapshots = one_row()
    with pytest.raises(IntegrityError, match="usage_par_w4"):
        training_rows(
            cohort,
            snapshots.drop(columns="usage_par_w4"),
            outcome_frame({}),
            data_cut=portfolio().data_cut,
            config=ALL,
        )


def test_an_infinite_feature_is_refused_by_its_name() -> None:
    cohort, snapshots = one_row(nps_last=np.inf)
    with pytest.raises(DataContractError, match=r"nps_last \(1 rows\)"):
        training_rows(cohort, snapshots, outcome_frame({}), data_cut=portfolio().data_cut, config=ALL)


def test_words_where_numbers_belong_are_refused_by_the_column() -> None:
    cohort, snapshots = one_row(nps_last="nine")
    with pytest.raises(IntegrityError, match="nps_last"):
        training_rows(cohort, snapshots, outcome_frame({}), data_cut=portfolio().data_cut, config=ALL)


def test_a_cut_before_any_label_is_final_is_refused() -> None:
    cohort, snapshots = world()
    with pytest.raises(MissingStateError, match="at least 75 days"):
        training_rows(cohort, snapshots, outcome_frame({}), data_cut=parse_moment("2021-07-01"), config=ALL)


def test_a_vetoed_feature_is_as_if_it_had_never_been_known() -> None:
    cohort, snapshots = world()
    made, name = portfolio(), "usage_par_w4"
    plain = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=ALL)
    vetoed = ALL.model_copy(update={"vetoed_features": (name,)})
    rows = training_rows(cohort, snapshots, made.decided, data_cut=made.data_cut, config=vetoed)
    assert plain[name].notna().any()
    assert rows[name].isna().all()
    pd.testing.assert_frame_equal(rows.drop(columns=name), plain.drop(columns=name))
