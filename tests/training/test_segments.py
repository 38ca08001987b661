"""For whom it holds: cells, weights and regressions against plain sums over the same rows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from features.vocabulary import Subcategory
from tests.training.judged_case import SMALL_PLAN, portfolio
from training.judged import Judged
from training.segment_parts import CellEvaluation
from training.segments import LIVE, OTHERS, cells, learned_weights, regressions

SEGMENTS = ["agency", "broadcaster", "studio"]


@cache
def judged() -> Judged:
    return Judged.of(portfolio(700, skill=0.9, seed=3).judged, SMALL_PLAN)


@cache
def all_cells() -> tuple[CellEvaluation, ...]:
    return cells(judged())


def test_there_is_a_cell_for_every_segment_and_phase_and_it_counts_its_own_rows() -> None:
    rows = judged().rows
    found = all_cells()
    assert len(found) == 15 == rows.groupby(["segment", "phase"]).ngroups
    for cell in found:
        inside = rows[(rows["segment"] == cell.segment) & (rows["phase"] == cell.phase)]
        assert (cell.rows, cell.positives) == (len(inside), inside["y_90"].sum())
        assert cell.expected == pytest.approx(inside["risk_90"].sum())
        if not cell.note:
            assert cell.calibration.ratio.value == pytest.approx(inside["y_90"].sum() / inside["risk_90"].sum())


def test_below_ten_expected_leavers_a_cell_says_that_it_is_too_small_and_nothing_else() -> None:
    found = cells(Judged.of(portfolio(450, skill=0.9, seed=3).judged, SMALL_PLAN))
    thin = [cell for cell in found if cell.expected < 10]
    assert 0 < len(thin) < len(found)
    for cell in found:
        assert bool(cell.note) is (cell.expected < 10)
    for cell in thin:
        assert cell.note.startswith("n too small")
        assert (cell.calibration.ratio.value, cell.ece.value, cell.ece.reason) == (None, None, cell.note)


def test_the_calibration_error_of_a_cell_stands_beside_what_luck_alone_gives() -> None:
    # The stated risks are close to right, so most cells lie below the floor of recurring accounts.
    told = [cell.ece for cell in all_cells() if not cell.note]
    assert all(0 < one.floor_median < one.floor_p95 <= one.floor_p95_recurring * 1.2 for one in told)
    assert np.mean([one.value < one.floor_p95_recurring for one in told]) > 0.6


def test_the_noise_floor_of_a_small_cell_is_higher() -> None:
    told = sorted((cell.rows, cell.ece.floor_median) for cell in all_cells() if not cell.note)
    by_rows = np.corrcoef(np.log([rows for rows, _ in told]), np.log([floor for _, floor in told]))[0, 1]
    assert by_rows < 0


def test_learned_weights_are_shares_of_the_size_of_points() -> None:
    found = learned_weights(judged())
    assert set(found) == {"all", *SEGMENTS}
    rows = judged().rows
    for name, learned in found.items():
        inside = rows if name == "all" else rows[rows["segment"] == name]
        sizes = {str(part): inside[f"points_{part}"].abs().sum() for part in Subcategory}
        assert learned.rows == len(inside)
        for part, share in learned.shares.items():
            assert share.value == pytest.approx(sizes[part] / sum(sizes.values()))
            assert share.low - 1e-12 <= share.value <= share.high + 1e-12
        assert sum(share.value for share in learned.shares.values()) == pytest.approx(1)


def test_without_points_no_weights_are_told() -> None:
    bare = judged().rows.drop(columns=[f"points_{part}" for part in Subcategory])
    assert learned_weights(Judged.of(bare, SMALL_PLAN)) == {}


def test_regressions_equal_scikit_learn_on_the_same_rows() -> None:
    found = regressions(judged())
    assert (found.rival, list(found.segments)) == ("timing_only", SEGMENTS)
    for name, one in found.segments.items():
        inside = judged().rows[judged().rows["segment"] == name]
        own, other = inside["risk_90"], inside["risk_90_timing_only"]
        label = inside["y_90"]
        assert one.auc_pooled.value == pytest.approx(roc_auc_score(label, own) - roc_auc_score(label, other))
        saved = brier_score_loss(label, other) - brier_score_loss(label, own)
        assert one.brier.value == pytest.approx(saved)


def test_the_live_model_is_the_rival_where_there_is_one_and_a_copy_of_itself_is_never_behind() -> None:
    same = Judged.of(judged().rows.assign(risk_90_live=judged().rows["risk_90"]), SMALL_PLAN)
    found = regressions(same)
    assert found.rival == LIVE
    for one in found.segments.values():
        assert (one.auc_pooled.value, one.auc_pooled.low, one.auc_pooled.high) == (0, 0, 0)
        assert one.brier.value == 0


def test_segments_with_few_leavers_are_compared_together() -> None:
    rows = judged().rows
    tiny = rows["account_id"].str[-2:].isin(["00", "01"])
    parted = rows.assign(segment=np.where(tiny, "tiny " + rows["account_id"].str[-1], rows["segment"]))
    found = regressions(Judged.of(parted, SMALL_PLAN)).segments
    assert set(found) == {*SEGMENTS, OTHERS}
    assert found[OTHERS].auc_pooled.rows == tiny.sum()


def test_a_live_model_that_must_not_be_compared_leaves_nothing_to_state() -> None:
    found = regressions(judged(), no_rival="it has learnt from this block")
    assert (found.rival, found.segments, found.reason) == (None, {}, "it has learnt from this block")


def test_a_live_model_that_could_not_be_asked_is_named_beside_its_stand_in() -> None:
    found = regressions(judged(), note="the live model reads other columns")
    assert (found.rival, found.reason) == ("timing_only", "the live model reads other columns")


def test_without_any_rival_it_says_so() -> None:
    alone = judged().rows.drop(columns=["risk_90_timing_only", "risk_90_logistic"])
    assert regressions(Judged.of(alone, SMALL_PLAN)).reason == "there is nothing to compare with"
