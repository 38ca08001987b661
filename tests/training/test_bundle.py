"""The laws of a score: does it add up, is it monotone, and is it the same however it is asked for?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit

from features.catalogue import TIMING_FEATURES, feature_named
from features.errors import DataContractError, IntegrityError
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.boosting import boosted, inputs_of, margins, model_text
from training.bundle import OFFSET_OWNERS, SCORE_COLUMNS, Bundle
from training.calibrate import Calibration
from training.model import native_booster
from training.periods import MODEL_FEATURES, MODEL_INPUTS, SNAPSHOT_FEATURES

from .bundle_case import trained
from .shapley_oracle import shapley_values, used_features

POINTS = [f"points_{part}" for part in Subcategory]
RISKS = [f"risk_{days}" for days in HORIZONS_DAYS]


def bundle() -> Bundle:
    return trained().bundle


def some(count: int = 300, seed: int = 1) -> pd.DataFrame:
    """Feature rows of any date and status."""
    return trained().world.snapshots.sample(count, random_state=seed).reset_index(drop=True)


def test_a_score_has_the_agreed_columns_in_order_and_one_row_per_row() -> None:
    rows = some()
    scored = bundle().score(rows)
    assert tuple(scored.columns) == SCORE_COLUMNS
    pd.testing.assert_frame_equal(scored[["account_id", "as_of", "phase"]], rows[["account_id", "as_of", "phase"]])
    assert scored.drop(columns="phase").notna().all(axis=None)
    assert set(scored["model_version"]) == {"1"}


def test_points_add_up_to_the_health_score() -> None:
    # Law 4.
    scored = bundle().score(some())
    parts = scored[["base_points", *POINTS, "clip_adjust", "shrink_adjust"]].sum(axis=1)
    np.testing.assert_allclose(parts, scored["health"], rtol=0, atol=1e-9)
    assert scored["health"].between(0, 100).all()
    assert scored["base_points"].nunique() == 1


def test_feature_points_add_up_to_their_subcategory() -> None:
    # Law 4, second half: timing is told under the catalogue's timing features, in context; offsets stand apart.
    rows = some()
    points, offsets, scored = bundle().feature_points(rows), bundle().offset_points(rows), bundle().score(rows)
    assert tuple(points.columns) == bundle().features == SNAPSHOT_FEATURES
    for part in Subcategory:
        members = [name for name in points if feature_named(str(name)).subcategory is part]
        own = [name for name, owner in OFFSET_OWNERS.items() if owner is part]
        told = points[members].sum(axis=1) + offsets[own].sum(axis=1)
        np.testing.assert_allclose(told, scored[f"points_{part}"], rtol=0, atol=1e-9)


def test_health_is_the_calibrated_margin_of_the_decision_now_row() -> None:
    # Outside path: raw predictions of the booster, never contributions.
    made, rows = trained(), some()
    now = np.column_stack([rows[list(MODEL_FEATURES)].to_numpy(float), np.tile([0, 15, 7, 1, 0], (len(rows), 1))])
    log_odds = made.calibration.slope * margins(made.fitted.booster, now, threads=1) + made.calibration.intercepts[0]
    log_odds = log_odds + rows["segment"].map(made.calibration.segments) + rows["phase"].map(made.calibration.phases)
    weeks = (rows["usable_weeks"] * rows["sources_present"] / 6).to_numpy()
    n0 = made.bundle.half_weight_weeks
    own = weeks / (weeks + n0) if n0 else np.ones(len(rows))
    level = rows["segment"].map(made.bundle.reference.segments).to_numpy()
    shrunk = own * log_odds + (1 - own) * level
    expected = np.clip(60 - 12 / np.log(2) * (shrunk - logit(0.12)), 0, 100)
    np.testing.assert_allclose(made.bundle.score(rows)["health"], expected, atol=1e-9)


def test_risk_is_built_from_the_hazards_of_the_real_timing() -> None:
    # Outside path: the periods of the training set, where the same rows were expanded by training/dataset.py.
    made = trained()
    whole = made.rows.groupby(["account_id", "as_of"])["weight"].transform(
        lambda part: len(part) == 7 and max(part) == 1
    )
    wanted = made.rows[whole.astype(bool)]
    wanted = wanted.head(7 * 20)
    plain = replace(made.bundle, half_weight_weeks=0.0)
    snapshots = wanted[["account_id", "as_of"]].drop_duplicates().merge(made.snapshots, how="left")
    raw = margins(made.fitted.booster, inputs_of(wanted), threads=1).reshape(-1, 7)
    offsets = snapshots["segment"].map(made.calibration.segments) + snapshots["phase"].map(made.calibration.phases)
    hazard = expit(made.calibration.slope * raw + np.array(made.calibration.intercepts) + offsets.to_numpy()[:, None])
    scored = plain.score(snapshots)
    assert len(scored) > 5
    for days, until in zip(HORIZONS_DAYS, (2, 3, 4, 7), strict=True):
        np.testing.assert_allclose(scored[f"risk_{days}"], 1 - np.prod(1 - hazard[:, :until], axis=1), atol=1e-12)


def test_health_does_not_look_at_the_date_of_the_decision() -> None:
    rows = some()
    moved = rows.assign(days_to_decision=(rows["days_to_decision"].fillna(0) + 200) % 365, is_evergreen=0.0)
    before, after = bundle().score(rows), bundle().score(moved)
    pd.testing.assert_series_equal(before["health"], after["health"])
    assert not np.allclose(before["risk_90"], after["risk_90"])


def test_one_row_alone_has_the_bits_it_has_in_a_batch() -> None:
    # Law 7, in process: every column, every bit.
    rows = some(257)
    whole = bundle().score(rows)
    for place in (*range(0, 257, 13), 256):
        pd.testing.assert_frame_equal(
            bundle().score(rows.iloc[[place]]), whole.iloc[[place]].reset_index(drop=True), check_exact=True
        )


def test_the_number_of_threads_and_the_size_of_a_part_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some(100)
    whole, points = bundle().score(rows), bundle().feature_points(rows)
    pd.testing.assert_frame_equal(replace(bundle(), threads=2).score(rows), whole, check_exact=True)
    monkeypatch.setattr("training.bundle._ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(bundle().score(rows), whole, check_exact=True)
    pd.testing.assert_frame_equal(bundle().feature_points(rows), points, check_exact=True)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(40)))
def test_the_order_of_rows_and_columns_changes_nothing(order: list[int]) -> None:
    rows = some(40)
    shuffled = rows.iloc[order, ::-1].assign(a_column_of_another_day=1.0)
    expected = bundle().score(rows).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(bundle().score(shuffled), expected, check_exact=True)


_numbers = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    slope=st.floats(0.01, 30),
    intercepts=st.lists(st.floats(-20, 20), min_size=7, max_size=7),
    offsets=st.lists(st.floats(-20, 20), min_size=2, max_size=2),
    half_weight_weeks=st.floats(0, 50),
    numbers=hnp.arrays(np.float64, (6, len(SNAPSHOT_FEATURES)), elements=_numbers, fill=st.just(float("nan"))),
)
def test_risk_is_monotone_in_the_horizon_whatever_the_bundle_and_the_row(
    slope: float, intercepts: list[float], offsets: list[float], half_weight_weeks: float, numbers: np.ndarray
) -> None:
    # Law 8 for random calibrations on random rows, missing values included.
    calibration = Calibration(slope, tuple(intercepts), 1, {"studio": offsets[0]}, {"active": offsets[1]})
    odd = replace(bundle(), calibration=calibration, half_weight_weeks=half_weight_weeks)
    rows = some(6).assign(**dict(zip(SNAPSHOT_FEATURES, numbers.T, strict=True)))
    scored = odd.score(rows)
    assert (np.diff(scored[RISKS].to_numpy(), axis=1) >= 0).all()
    assert scored[RISKS].apply(lambda chance: chance.between(0, 1)).all(axis=None)
    parts = scored[["base_points", *POINTS, "clip_adjust", "shrink_adjust"]].sum(axis=1)
    np.testing.assert_allclose(parts, scored["health"], rtol=0, atol=1e-6)


def small_booster(seed: int) -> Any:
    """A booster on five model features and timing, with interactions and missing values."""
    made = trained()
    chosen = made.development.sample(4000, random_state=seed)
    names = ["nps_last", "usage_par_w4", "days_late_w52", "post_retention", "weeks_to_next_start"]
    rest = [name for name in MODEL_FEATURES if name not in names]
    rows = chosen.assign(**dict.fromkeys(rest, np.nan))
    params = {"max_depth": 4, "num_leaves": 8, "min_data_in_leaf": 50, "learning_rate": 0.3, "lambda_l2": 0.1}
    from training.boosting import binned  # noqa: PLC0415 - only this oracle bins rows of its own

    booster = boosted(binned(rows), params, 6, seed=seed, threads=1)
    return native_booster(model_text(booster)), rows


@pytest.mark.parametrize("seed", [1, 2])
def test_contributions_are_shapley_values_found_by_trying_every_subset(seed: int) -> None:
    # Law 5. The oracle reads the dumped trees and never calls LightGBM's contributions.
    booster, rows = small_booster(seed)
    trees = [info["tree_structure"] for info in booster.dump_model()["tree_info"]]
    assert 4 <= len(used_features(trees)) <= 9
    small = replace(bundle(), explainer=replace(bundle().explainer, booster=booster, lookup=None))
    unseen = [name for name in MODEL_FEATURES if rows[name].isna().all()]
    snapshots = some(12, seed).assign(**dict.fromkeys(unseen, np.nan))
    contributions = small.contributions(snapshots)
    now = np.column_stack([snapshots[list(MODEL_FEATURES)].to_numpy(float), np.tile([0, 15, 7, 1, 0], (12, 1))])
    for row, told in zip(now, contributions, strict=True):
        values, expected = shapley_values(trees, row.tolist())
        dense = np.zeros(len(MODEL_INPUTS))
        dense[list(values)] = list(values.values())
        np.testing.assert_allclose(told[:-1], dense, atol=1e-9)
        assert told[-1] == pytest.approx(expected, abs=1e-9)


def test_contributions_are_the_sum_of_shapley_values_tree_by_tree_on_the_real_booster() -> None:
    # Shapley values are linear in the game, so each tree may be enumerated on its own: the served model, not a toy.
    made = trained()
    trees = [info["tree_structure"] for info in made.bundle.booster.dump_model()["tree_info"]]
    rows = some(3)
    now = np.column_stack([rows[list(MODEL_FEATURES)].to_numpy(float), np.tile([0, 15, 7, 1, 0], (3, 1))])
    for row, told in zip(now, made.bundle.contributions(rows), strict=True):
        total = np.zeros(len(MODEL_INPUTS) + 1)
        for tree in trees:
            values, expected = shapley_values([tree], row.tolist())
            total[-1] += expected
            for place, value in values.items():
                total[place] += value
        np.testing.assert_allclose(told, total, atol=1e-9)


def test_points_are_contributions_against_the_frozen_portfolio() -> None:
    made = trained()
    points = made.bundle.feature_points(made.reference_rows)
    # The portfolio itself has no points on average: that is what the reference means.
    np.testing.assert_allclose(points.mean(), 0.0, atol=1e-9)
    contributions = made.bundle.contributions(some(5))
    name = "nps_last"
    expected = (contributions[:, MODEL_INPUTS.index(name)] - made.bundle.reference.usual[name]) * made.calibration.slope
    np.testing.assert_allclose(made.bundle.feature_points(some(5))[name], -expected * 12 / np.log(2), atol=1e-12)


def test_a_thin_account_is_drawn_to_its_segment_and_says_so() -> None:
    rows = some(50).assign(usable_weeks=0.0, segment="agency")
    shrunk = replace(bundle(), half_weight_weeks=8.0).score(rows)
    level = bundle().reference.segments["agency"]
    expected = np.clip(60 - 12 / np.log(2) * (level - logit(0.12)), 0, 100)
    np.testing.assert_allclose(shrunk["health"], expected, atol=1e-9)
    assert (shrunk["shrink_adjust"] != 0).all()
    assert set(shrunk["grade"]) == {"D"}
    assert set(shrunk["band"]) <= {"unknown", "lost_pending"}


def test_an_account_under_notice_keeps_its_numbers_and_says_lost_pending() -> None:
    rows = some(30)
    told = bundle().score(rows.assign(cohort_status="lost_pending"))
    free = bundle().score(rows.assign(cohort_status="at_risk"))
    assert set(told["band"]) == {"lost_pending"}
    pd.testing.assert_frame_equal(told.drop(columns="band"), free.drop(columns="band"), check_exact=True)


def test_no_rows_give_no_scores_but_all_columns() -> None:
    scored = bundle().score(some().iloc[:0])
    assert (len(scored), tuple(scored.columns)) == (0, SCORE_COLUMNS)
    assert len(bundle().feature_points(some().iloc[:0])) == 0


def test_a_row_without_a_single_number_is_scored_as_missing_everything() -> None:
    rows = some(3).assign(**dict.fromkeys(SNAPSHOT_FEATURES, np.nan))
    # However little is known of an account, so that only words tell these apart.
    scored = replace(bundle(), half_weight_weeks=0.0).score(rows)
    assert scored[[*RISKS, "health"]].notna().all(axis=None)
    assert scored[RISKS].nunique().max() <= len(rows[["segment", "phase"]].drop_duplicates())


@pytest.mark.parametrize(
    "name", ["nps_last", "days_to_decision", "phase", "cohort_status", "usable_weeks", "term_months"]
)
def test_a_missing_column_is_refused_by_its_name(name: str) -> None:
    for ask in (bundle().score, bundle().feature_points, bundle().expected):
        with pytest.raises(IntegrityError) as refused:
            ask(some(5).drop(columns=name))
        assert refused.value.found == name


def test_a_renamed_and_a_repeated_column_are_refused_by_name() -> None:
    rows = some(5)
    with pytest.raises(IntegrityError, match="nps_last"):
        bundle().score(rows.rename(columns={"nps_last": "nps_latest"}))
    with pytest.raises(IntegrityError, match="twice"):
        bundle().score(pd.concat([rows, rows[["nps_last"]]], axis=1))


def test_words_in_a_number_column_are_refused_without_showing_them() -> None:
    with pytest.raises(IntegrityError, match="nps_last") as refused:
        bundle().score(some(5).assign(nps_last="secret"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_not_guessed(value: float) -> None:
    rows = some(5)
    rows.loc[2, "nps_last"] = value
    with pytest.raises(DataContractError, match=r"nps_last \(1 rows\)"):
        bundle().score(rows)


def test_an_account_the_store_does_not_know_gets_no_invented_score() -> None:
    rows = some(5)
    rows.loc[[1, 3], "cohort_status"] = None
    with pytest.raises(DataContractError, match="2 of 5"):
        bundle().score(rows)


def test_objects_with_nulls_are_read_as_numbers() -> None:
    rows = some(20)
    as_objects = rows.astype({"nps_last": object})
    as_objects.loc[rows["nps_last"].isna(), "nps_last"] = None
    pd.testing.assert_frame_equal(bundle().score(as_objects), bundle().score(rows), check_exact=True)


def test_healthier_accounts_in_truth_have_more_health() -> None:
    # The simulator knows who would leave: the score must order accounts of later time by it.
    made = trained()
    later = made.world.snapshots["as_of"] >= made.split.final.test_first
    scored = made.bundle.score(made.world.snapshots[later])
    truth = made.world.truth.loc[later, "leaves_now"].reset_index(drop=True)
    assert scored["health"].corr(-truth, method="spearman") > 0.6


def test_the_features_of_a_bundle_are_those_of_the_catalogue() -> None:
    assert bundle().features == (*MODEL_FEATURES, *TIMING_FEATURES)
    assert bundle().inputs == MODEL_INPUTS
    assert bundle().model_features == MODEL_FEATURES
