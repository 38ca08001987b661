"""Is it measured, on outcomes that are counted once, whether stated ranges hold what happens?"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from tests.training.judged_case import SMALL_PLAN, portfolio
from training.evaluation import Evaluation
from training.gate_findings import Case, Finding
from training.gate_rules import Checks, GateRules
from training.gates_of_ranges import ranges_hold
from training.interval_check import range_coverage
from training.interval_parts import RangeCoverage
from training.judged import Judged
from training.verdict import Cause

SIDES = ("p0", "p1", "low", "high")


@cache
def rows(accounts: int = 900, seed: int = 3) -> pd.DataFrame:
    return portfolio(accounts, skill=0.9, seed=seed).judged


def coverage(judged: pd.DataFrame) -> RangeCoverage:
    found = range_coverage(Judged.of(judged, SMALL_PLAN))
    assert found is not None
    return found


def told(found: RangeCoverage | None, **rules: float) -> Finding:
    return ranges_hold(Case(Evaluation.model_construct(ranges=found), Checks(), GateRules(**rules)))


def shifted(times: float, judged: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows whose ranges are stated too high or too low by a factor."""
    chosen = rows() if judged is None else judged
    return chosen.assign(**{f"interval_{side}": np.minimum(chosen[f"interval_{side}"] * times, 1) for side in SIDES})


def test_blocks_lie_a_horizon_apart_so_that_no_decision_is_counted_twice() -> None:
    # Seven snapshots four weeks apart: the first and the fifth (112 days later); a third would come after 224.
    found = coverage(rows())
    first, fifth = sorted(rows()["as_of"].unique())[::4]
    assert {cell.block for cell in found.cells} == {0, 1}
    for block, as_of in enumerate((first, fifth)):
        inside = [cell for cell in found.cells if cell.block == block]
        of_block = rows()[rows()["as_of"] == as_of]
        assert sum(cell.rows for cell in inside) == len(of_block)
        assert sum(cell.observed for cell in inside) == of_block["y_90"].sum()


def test_every_number_of_a_cell_is_the_mean_of_its_rows() -> None:
    # Outside path: the lowest risks of the first block, cut by hand.
    cell = coverage(rows()).cells[0]
    block = rows()[rows()["as_of"] == rows()["as_of"].min()].sort_values("risk_90").head(cell.rows)
    assert cell.mean_risk == pytest.approx(block["risk_90"].mean())
    assert [getattr(cell, f"mean_{side}") for side in SIDES] == pytest.approx(
        [block[f"interval_{side}"].mean() for side in SIDES]
    )
    assert (cell.observed, cell.observed_rate) == (block["y_90"].sum(), pytest.approx(block["y_90"].mean()))


def test_cells_hold_enough_expected_leavers_and_there_are_ten_at_most() -> None:
    found = coverage(rows())
    for block in (0, 1):
        inside = [cell for cell in found.cells if cell.block == block]
        assert len(inside) <= 10
        assert all(cell.mean_risk * cell.rows >= 5 for cell in inside)


def test_bare_shares_count_cells_inside_the_range_and_between_the_pair() -> None:
    found = coverage(rows())
    inside = [cell.mean_low <= cell.observed_rate <= cell.mean_high for cell in found.cells]
    pair = [cell.mean_p0 <= cell.observed_rate <= cell.mean_p1 for cell in found.cells]
    assert (found.coverage, found.pair_coverage) == (np.mean(inside), np.mean(pair))
    assert found.pair_coverage <= found.coverage


def test_the_chance_of_a_count_is_the_binomial_tail_at_the_near_end_of_the_range() -> None:
    # Outside oracle: scipy's binomial, where all accounts of a cell state the same.
    flat = rows().assign(risk_30=0.1, risk_60=0.1, risk_90=0.1, risk_180=0.1)
    for low, high in ((0.0, 0.01), (0.01, 0.9), (0.6, 0.9)):
        sides = {"interval_p0": low, "interval_p1": high, "interval_low": low, "interval_high": high}
        for cell in coverage(flat.assign(**sides)).cells:
            above = 2 * binom.sf(cell.observed - 1, cell.rows, high) if cell.observed > high * cell.rows else 1.0
            below = 2 * binom.cdf(cell.observed, cell.rows, low) if cell.observed < low * cell.rows else 1.0
            assert cell.p_value == pytest.approx(min(above, below), rel=1e-6, abs=1e-12)


def test_honest_ranges_hold_and_their_gate_opens() -> None:
    found = coverage(rows())
    assert found.coverage >= 0.7
    assert told(found).cause is Cause.NONE


@pytest.mark.parametrize("times", [0.3, 3.0])
def test_ranges_that_outcomes_leave_are_refused(times: float) -> None:
    found = told(coverage(shifted(times)))
    assert found.cause is Cause.FAILED
    assert found.evidence["outside"] > found.evidence["allowed_outside"]  # type: ignore[operator]


def test_honest_ranges_are_refused_by_luck_in_few_worlds_of_many() -> None:
    # True chances lie at the ends of their ranges, where luck is worst; 2.5 % of refusals for each of two rules.
    draw, refused = np.random.default_rng(6), 0
    judged = rows(200, 5)
    for _ in range(60):
        left = (draw.random(len(judged)) < judged["risk_90"]).astype(float)
        edge = np.where(draw.random(len(judged)) < 0.5, judged["risk_90"], judged["interval_high"])
        ends = {f"interval_{side}": edge if side in ("p1", "high") else judged["risk_90"] for side in SIDES}
        refused += told(coverage(judged.assign(y_90=left, **ends)), range_leavers=1).cause is Cause.FAILED
    assert refused <= binom.ppf(0.999, 60, 0.05)


def test_one_cell_far_outside_is_refused_though_the_others_hold() -> None:
    cells = [cell.model_copy(update={"p_value": 1.0}) for cell in coverage(rows()).cells]
    far = coverage(rows()).model_copy(update={"cells": tuple(cells), "outside": 1, "least_p_value": 1e-5})
    assert told(far).cause is Cause.FAILED
    assert "luck cannot explain" in told(far).reason
    near = far.model_copy(update={"least_p_value": 0.04})
    assert told(near).cause is Cause.NONE


def test_ranges_that_promise_nothing_do_not_pass() -> None:
    whole = rows().assign(interval_p0=0.0, interval_low=0.0, interval_p1=1.0, interval_high=1.0)
    found = coverage(whole)
    assert (found.coverage, found.outside, found.reach) == (1.0, 0, None)
    assert told(found).cause is Cause.TOO_FEW_OUTCOMES
    wide = coverage(rows()).model_copy(update={"reach": 10.1})
    assert told(wide).cause is Cause.TOO_FEW_OUTCOMES
    assert told(wide.model_copy(update={"reach": 10.0})).cause is Cause.NONE


def test_too_few_expected_leavers_are_refused() -> None:
    found = coverage(rows()).model_copy(update={"expected": 9.9})
    assert told(found).cause is Cause.TOO_FEW_OUTCOMES


def test_without_ranges_labels_or_scores_nothing_is_measured() -> None:
    # Law 9.
    bare = rows().drop(columns=[f"interval_{side}" for side in SIDES])
    unlabelled = rows().assign(y_90=np.nan)
    gap = rows().copy()
    gap.loc[0, "interval_low"] = np.nan
    for judged in (bare, unlabelled, gap):
        assert range_coverage(Judged.of(judged, SMALL_PLAN)) is None
    assert told(None).cause is Cause.NOT_MEASURED
    found = coverage(rows())
    for name in ("expected", "least_p_value"):
        assert told(found.model_copy(update={name: math.nan})).cause is Cause.NOT_MEASURED
    assert told(found.model_copy(update={"cells": ()})).cause is Cause.NOT_MEASURED


def test_the_document_survives_a_round_trip() -> None:
    found = coverage(rows())
    assert RangeCoverage.model_validate_json(found.model_dump_json()) == found
