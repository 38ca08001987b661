from __future__ import annotations

import json
import math
from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn import metrics as oracle

from features.errors import DataContractError
from tests.training.judged_case import FIRST, SMALL_PLAN, evaluated, portfolio
from training.evaluate import evaluate
from training.evaluation import Evaluation
from training.evaluation_parts import Estimate
from training.judged import Judged
from training.reading import read_in_words

MADE = portfolio(300, seed=5)
ROWS = MADE.judged


def evaluation_of(rows: pd.DataFrame) -> Evaluation:
    return evaluate(rows, model_version="v1", plan=SMALL_PLAN)


@cache
def plain() -> Evaluation:
    return evaluation_of(ROWS)


def estimate(value: float | None, low: float | None, high: float | None, outcomes: int | None = 80) -> Estimate:
    return Estimate(
        value=value, low=low, high=high, rows=500, positives=90, outcomes=outcomes, base_rate=0.18, reason="no rows"
    )


def due(rows: pd.DataFrame, days: int = 90) -> pd.DataFrame:
    return rows[(rows["is_evergreen"] == 0) & rows["days_to_decision"].between(0, days)]


def every_estimate(document: object) -> list[Estimate]:
    if isinstance(document, Estimate):
        return [document]
    if isinstance(document, dict):
        return [one for value in document.values() for one in every_estimate(value)]
    if hasattr(document, "model_fields_set"):
        return [one for _, value in document for one in every_estimate(value)]
    return []


@pytest.mark.parametrize(
    ("days_to_decision", "is_evergreen", "horizon", "inside"),
    [
        (0, 0, 90, True),
        (90, 0, 90, True),
        (91, 0, 90, False),
        (-1, 0, 90, False),
        (30, 0, 30, True),
        (31, 0, 30, False),
        (np.nan, 1, 90, False),
        (10, 1, 90, False),
    ],
)
def test_the_renewal_window_holds_dated_decisions_inside_the_horizon(
    days_to_decision: float, is_evergreen: int, horizon: int, inside: bool
) -> None:
    rows = ROWS.head(1).assign(days_to_decision=float(days_to_decision), is_evergreen=is_evergreen)
    assert Judged.of(rows, SMALL_PLAN).in_window(horizon).tolist() == [inside]


@pytest.mark.parametrize("days", [30, 60, 90, 180])
def test_ranking_and_errors_equal_scikit_learn_on_the_same_rows(days: int) -> None:
    found = plain().horizons[days]
    for kept, auc, ap in (
        (ROWS, found.auc_pooled, found.ap_pooled),
        (due(ROWS, days), found.auc_window, found.ap_window),
    ):
        label, risk = kept[f"y_{days}"], kept[f"risk_{days}"]
        assert auc.value == pytest.approx(oracle.roc_auc_score(label, risk), abs=1e-12)
        assert ap.value == pytest.approx(oracle.average_precision_score(label, risk), abs=1e-12)
        assert (auc.rows, auc.positives, auc.base_rate) == (len(kept), label.sum(), pytest.approx(label.mean()))
    label, risk = ROWS[f"y_{days}"], ROWS[f"risk_{days}"]
    assert found.brier.value == pytest.approx(oracle.brier_score_loss(label, risk), abs=1e-12)
    assert found.log_loss.value == pytest.approx(oracle.log_loss(label, risk), abs=1e-12)
    constant = oracle.brier_score_loss(label, np.full(len(label), label.mean()))
    assert found.brier_skill.value == pytest.approx(1 - found.brier.value / constant, abs=1e-12)


def test_brier_skill_by_window_is_measured_against_each_windows_own_base_rate() -> None:
    rows = ROWS.assign(kind=np.where(ROWS["is_evergreen"] > 0, "evergreen", "before"))
    rows.loc[due(rows).index, "kind"] = "due"
    usual = rows.groupby("kind")["y_90"].transform("mean")
    constant = oracle.brier_score_loss(rows["y_90"], usual)
    found = plain().headline
    assert found.brier_skill_by_window.value == pytest.approx(1 - found.brier.value / constant, abs=1e-12)
    assert found.brier_skill_by_window.value < found.brier_skill.value


def test_timing_alone_looks_skilled_pooled_and_has_none_where_decisions_are_due() -> None:
    timing = evaluated().arms["timing_only"]
    assert timing.auc_pooled.value > 0.75
    assert timing.auc_window.value == pytest.approx(0.5)
    assert timing.window_reading.words == ("no skill",)
    assert evaluated().headline.window_reading.words[0] == "skill"


def test_every_estimate_lies_in_its_interval_and_names_its_rows() -> None:
    found = every_estimate(evaluated())
    assert len(found) > 150
    for one in found:
        assert one.rows >= 0
        if one.value is None:
            assert one.reason
        else:
            assert one.low is not None
            assert one.low - 1e-9 <= one.value <= one.high + 1e-9


def test_an_account_that_leaves_counts_once_however_many_snapshots_it_is_positive_in() -> None:
    found = plain().headline.auc_pooled
    assert found.outcomes == ROWS.loc[ROWS["y_90"] == 1, "account_id"].nunique()
    assert found.positives > 1.5 * found.outcomes


def test_the_order_of_rows_changes_nothing() -> None:
    shuffled = ROWS.sample(frac=1, random_state=1)
    assert evaluation_of(shuffled).model_dump_json() == plain().model_dump_json()


def test_the_document_survives_a_round_trip_through_json() -> None:
    document = evaluated().model_dump_json()
    assert Evaluation.model_validate_json(document) == evaluated()
    assert list(json.loads(document)["horizons"]) == ["30", "60", "90", "180"]
    assert "NaN" not in document


def test_the_document_refuses_nan_and_unknown_keys() -> None:
    sound = estimate(0.6, 0.5, 0.7).model_dump()
    for broken in ({"value": math.nan}, {"high": math.inf}, {"p_value": 0.1}):
        with pytest.raises(ValidationError):
            Estimate.model_validate(sound | broken)


def test_labels_that_are_not_mature_leave_a_row_out_of_that_horizon_only() -> None:
    late = ROWS["as_of"] > FIRST + timedelta(days=100)
    found = evaluation_of(ROWS.assign(y_180=ROWS["y_180"].mask(late)))
    assert found.horizons[180].auc_pooled.rows == (~late).sum()
    assert found.headline == plain().headline


def test_without_any_mature_label_every_number_is_null_with_a_reason() -> None:
    found = evaluation_of(ROWS.assign(y_90=np.nan))
    headline = found.headline
    assert (headline.auc_window.value, headline.auc_window.reason) == (None, "no rows")
    assert headline.window_reading.words == ("undefined",)
    assert found.block.base_rate is None
    assert headline.reliability == ()
    assert found.gains["champion"] == {}


@pytest.mark.parametrize(("label", "reason"), [(0.0, "no leaver among"), (1.0, "no stayer among")])
def test_with_one_kind_of_outcome_auc_is_null_with_the_reason(label: float, reason: str) -> None:
    found = evaluation_of(ROWS.assign(y_90=label)).headline.auc_window
    assert (found.value, found.low, found.high) == (None, None, None)
    assert reason in found.reason


def test_a_missing_score_is_counted_and_takes_the_numbers_it_belongs_to() -> None:
    found = evaluation_of(ROWS.assign(risk_90=ROWS["risk_90"].mask(ROWS.index == 4)))
    assert found.missing_scores == 1
    assert found.headline.auc_pooled.reason == f"1 of {len(ROWS)} scores are missing"
    assert found.headline.brier.value is None
    assert found.deltas["timing_only"].auc_pooled.value is None
    assert found.arms["timing_only"].auc_pooled.value is not None
    assert found.horizons[30] == plain().horizons[30]


def test_rows_whose_risk_falls_with_the_horizon_are_counted() -> None:
    assert plain().horizon_violations == 0
    fallen = ROWS["risk_60"].mask(ROWS.index < 3, ROWS["risk_30"] / 2)
    assert evaluation_of(ROWS.assign(risk_60=fallen)).horizon_violations == 3


def test_a_rival_with_the_same_scores_trails_by_exactly_nothing() -> None:
    found = evaluation_of(ROWS.assign(risk_90_twin=ROWS["risk_90"])).deltas["twin"].auc_window
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_paired_lead_is_known_better_than_either_side_alone() -> None:
    # The rival is the champion with noise: what the redrawn accounts do to both cancels out.
    found = evaluated()
    lead, own = found.deltas["logistic"].auc_window, found.headline.auc_window
    assert lead.width < 0.7 * own.width
    rival = found.arms["logistic"].auc_window.value
    assert lead.value == pytest.approx(own.value - rival)


def test_health_ranks_the_unhealthy_first() -> None:
    health = plain().arms["health"].auc_window
    due_rows = due(ROWS)
    assert health.value == pytest.approx(oracle.roc_auc_score(due_rows["y_90"], -due_rows["health"]), abs=1e-12)


def test_groups_cover_all_rows_and_small_ones_are_not_judged() -> None:
    rare = ROWS["segment"].mask(ROWS.index < 30, "festival")
    found = evaluation_of(ROWS.assign(segment=rare))
    assert sum(group.rows for group in found.segments.values()) == len(ROWS)
    small = found.segments["festival"]
    assert small.note == f"n too small: {small.expected:.1f} expected leavers, 10 needed"
    assert {one.value for one in every_estimate(small)} == {None}
    assert {one.reason for one in every_estimate(small)} == {small.note}
    assert found.segments["agency"].note == ""


def test_evergreen_contracts_are_reported_apart_and_never_within_the_window() -> None:
    found = plain()
    evergreen = int(ROWS["is_evergreen"].sum())
    assert found.contracts["evergreen"].rows == found.block.evergreen_rows == evergreen
    assert found.contracts["dated"].rows == len(ROWS) - evergreen
    assert found.contracts["evergreen"].auc_window.value is None


def test_the_block_tells_which_rows_were_judged() -> None:
    block = plain().block
    assert (block.first_as_of, block.last_as_of, block.snapshots) == (FIRST, FIRST + timedelta(days=168), 7)
    assert (block.rows, block.accounts) == (len(ROWS), ROWS["account_id"].nunique())
    assert block.clusters == ROWS["cluster_id"].nunique() < block.accounts
    assert block.base_rate == pytest.approx(ROWS["y_90"].mean())


def test_with_few_parent_accounts_there_is_a_value_and_no_interval() -> None:
    found = evaluation_of(ROWS.assign(cluster_id="one owner")).headline.auc_pooled
    assert found.value is not None
    assert (found.low, found.high, found.reason) == (None, None, "too few accounts for an interval")


def test_flat_metrics_are_numbers_and_leave_out_what_does_not_exist() -> None:
    flat = evaluation_of(ROWS.assign(risk_30=np.nan)).metrics()
    assert all(math.isfinite(number) for number in flat.values())
    assert "h30.auc_window" not in flat
    assert {"h90.auc_window", "h90.auc_window.low", "delta.timing_only.auc_window", "missing_scores"} <= set(flat)
    assert "truth.h90.share_of_oracle_skill" in evaluated().metrics()


def test_progress_is_told_to_its_end() -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(ROWS, model_version="v1", plan=SMALL_PLAN, progress=lambda *step: told.append(step))
    assert told == [("evaluate", done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (estimate(0.65, 0.60, 0.70), ("skill",)),
        (estimate(0.55, 0.49, 0.61), ("no skill",)),
        (estimate(0.55, 0.50, 0.61), ("no skill",)),
        (estimate(0.40, 0.35, 0.45), ("worse than chance",)),
        (estimate(0.65, 0.54, 0.75), ("skill", "underpowered")),
        (estimate(0.55, 0.40, 0.70), ("no skill", "underpowered")),
        (estimate(0.65, 0.60, 0.70, outcomes=29), ("skill", "underpowered")),
        (estimate(0.65, 0.60, 0.70, outcomes=30), ("skill",)),
        (estimate(0.65, None, None), ("undefined",)),
        (estimate(None, None, None), ("undefined",)),
    ],
)
def test_an_auc_is_read_in_fixed_words(found: Estimate, words: tuple[str, ...]) -> None:
    reading = read_in_words(found)
    assert reading.words == words
    assert reading.sentence.split(":")[0].split(".")[0].lower().startswith(words[0])


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (ROWS.drop(columns="phase"), "phase"),
        (ROWS.head(0), "none"),
        (pd.concat([ROWS, ROWS.head(2)]), "2 repeated rows"),
        (ROWS.assign(y_60=0.5), "other values"),
        (ROWS.assign(risk_90=1.2), "outside"),
        (ROWS.assign(risk_90_timing_only=-0.1), "outside"),
        (ROWS.assign(health=101.0), "outside"),
        (ROWS.assign(cluster_id=None), "nulls"),
        (ROWS.assign(annual_value=np.nan), "nulls"),
        (ROWS.assign(days_to_decision=np.nan), "nulls"),
    ],
)
def test_rows_that_cannot_be_graded_are_refused_whole(rows: pd.DataFrame, found: str) -> None:
    with pytest.raises(DataContractError, match="cannot be graded") as refused:
        evaluation_of(rows)
    assert found in refused.value.found
    assert "a0000" not in str(refused.value)
