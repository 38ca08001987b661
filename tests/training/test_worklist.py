from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.training.judged_case import SMALL_PLAN, portfolio
from training.estimates import Question
from training.judged import Judged
from training.worklist import share_listed, worklist

JUDGED = Judged.of(portfolio(300, seed=4).judged, SMALL_PLAN)
QUESTION = Question(JUDGED, JUDGED.mature(90), JUDGED.column("y_90"))


def listed_by_hand(score: str, places: int) -> pd.DataFrame:
    """The top accounts of every snapshot, found by sorting; the made-up scores have no ties."""
    assert not JUDGED.rows.duplicated(["as_of", score]).any()
    ranked = JUDGED.rows.sort_values(score, ascending=False)
    return ranked.groupby("as_of").head(places)


def test_a_list_takes_the_highest_scores_first() -> None:
    np.testing.assert_array_equal(share_listed(np.array([0.2, 0.9, 0.5, 0.1]), 2), [0, 1, 1, 0])


def test_accounts_tied_at_the_edge_share_the_places_that_are_left() -> None:
    np.testing.assert_allclose(share_listed(np.array([0.9, 0.5, 0.5, 0.5, 0.1]), 2), [1, 1 / 3, 1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(share_listed(np.full(4, 0.3), 1), np.full(4, 0.25))


@pytest.mark.parametrize("places", [0.0, 0.5, 1, 3, 7.25, 50])
def test_a_list_never_holds_more_than_its_places_or_its_accounts(places: float) -> None:
    listed = share_listed(np.random.default_rng(1).integers(0, 4, 40) / 4, places)
    assert listed.sum() == pytest.approx(min(places, 40))
    assert ((listed >= 0) & (listed <= 1)).all()


def test_a_missing_score_leaves_no_list() -> None:
    assert np.isnan(share_listed(np.array([0.1, np.nan]), 1)).all()


def test_precision_and_recall_equal_lists_made_by_hand() -> None:
    found = worklist(QUESTION, JUDGED.column("risk_90"))
    listed = listed_by_hand("risk_90", SMALL_PLAN.capacity)
    assert found.precision_at_capacity.value == pytest.approx(listed["y_90"].mean())
    assert found.recall_at_capacity.value == pytest.approx(listed["y_90"].sum() / JUDGED.rows["y_90"].sum())


def test_value_captured_ranks_by_risk_times_annual_value() -> None:
    found = worklist(QUESTION, JUDGED.column("risk_90")).value_captured_at_capacity
    rows = JUDGED.rows.assign(at_stake=JUDGED.rows["risk_90"] * JUDGED.rows["annual_value"])
    listed = rows.sort_values("at_stake", ascending=False).groupby("as_of").head(SMALL_PLAN.capacity)
    lost = (rows["y_90"] * rows["annual_value"]).sum()
    assert found.value == pytest.approx((listed["y_90"] * listed["annual_value"]).sum() / lost)


def test_lift_is_the_leaving_rate_of_the_top_tenth_over_the_base_rate() -> None:
    one_day = Judged.of(portfolio(1000, snapshots=1, seed=4).judged, SMALL_PLAN)
    found = worklist(Question(one_day, one_day.mature(90), one_day.column("y_90")), one_day.column("risk_90"))
    top = one_day.rows.nlargest(100, "risk_90")
    assert found.lift_top_decile.value == pytest.approx(top["y_90"].mean() / one_day.rows["y_90"].mean())


def test_a_score_without_knowledge_lifts_nothing() -> None:
    found = worklist(QUESTION, np.full(len(JUDGED.rows), 0.5))
    assert found.lift_top_decile.value == pytest.approx(1.0, abs=0.05)
    assert found.precision_at_capacity.value == pytest.approx(JUDGED.rows["y_90"].mean(), abs=0.01)


def test_a_perfect_score_fills_the_list_with_leavers() -> None:
    found = worklist(QUESTION, JUDGED.column("y_90"))
    leavers = JUDGED.rows.groupby("as_of")["y_90"].sum()
    met = np.minimum(leavers, SMALL_PLAN.capacity).sum()
    assert found.recall_at_capacity.value == pytest.approx(met / leavers.sum())


def test_without_scores_or_without_leavers_there_is_a_reason_and_no_number() -> None:
    holed = JUDGED.column("risk_90").copy()
    holed[0] = np.nan
    day = JUDGED.rows["as_of"].eq(JUDGED.rows["as_of"].iloc[0]).sum()
    missing = worklist(QUESTION, holed).precision_at_capacity
    assert (missing.value, missing.reason) == (None, f"{day} of {len(holed)} scores are missing")
    stayers = QUESTION.among(JUDGED.column("y_90") == 0)
    found = worklist(stayers, JUDGED.column("risk_90"))
    assert found.precision_at_capacity.value == 0
    assert (found.recall_at_capacity.value, found.recall_at_capacity.reason) == (
        None,
        "nothing to divide by in these rows",
    )
