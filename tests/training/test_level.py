"""Does the model that is kept state as many leavers as there were, whatever the models of the folds stated?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from training.boosting import inputs_of, margins
from training.calibrate import Calibration
from training.level import at_own_level
from training.splits import Fold

from .bundle_case import trained


def stated(calibration: Calibration, rows: pd.DataFrame) -> float:
    """Leavers among the rows that the fitted model states, by sampling weight."""
    raw = margins(trained().fitted.booster, inputs_of(rows))
    logits = calibration.logits(raw, rows["interval"].to_numpy(np.int64), calibration.offsets(rows))
    return float((rows["weight"] * expit(logits)).sum())


def judged(folds: tuple[Fold, ...]) -> pd.DataFrame:
    rows = trained().development
    return rows[np.logical_or.reduce([fold.test(rows) for fold in folds])]


@pytest.fixture(scope="module")
def of_folds() -> Calibration:
    return trained().of_folds


def test_as_many_leavers_are_stated_as_there_were(of_folds: Calibration) -> None:
    made, rows = trained(), judged(trained().split.walk_forward)
    left = float((rows["weight"] * rows["y"]).sum())
    assert 0 < len(rows) < len(made.development)
    found = at_own_level(of_folds, made.fitted.booster, made.development, made.split.walk_forward)
    assert stated(found, rows) == pytest.approx(left, rel=1e-9)
    # Else this would say nothing: the folds' level is another one.
    assert stated(of_folds, rows) != pytest.approx(left, rel=0.01)


def test_only_the_level_moves(of_folds: Calibration) -> None:
    made = trained()
    found = at_own_level(of_folds, made.fitted.booster, made.development, made.split.walk_forward)
    moved = np.array(found.intercepts) - np.array(of_folds.intercepts)
    np.testing.assert_allclose(moved, moved[0], rtol=0, atol=1e-12)
    assert replace(found, intercepts=of_folds.intercepts) == of_folds


def test_where_it_began_makes_no_difference(of_folds: Calibration) -> None:
    made = trained()
    far = replace(of_folds, intercepts=tuple(level - 3.0 for level in of_folds.intercepts))
    near, found = (
        at_own_level(each, made.fitted.booster, made.development, made.split.walk_forward) for each in (of_folds, far)
    )
    np.testing.assert_allclose(near.intercepts, found.intercepts, rtol=0, atol=1e-9)


def test_only_rows_of_the_test_blocks_count(of_folds: Calibration) -> None:
    made = trained()
    last = made.split.walk_forward[-1:]
    found = at_own_level(of_folds, made.fitted.booster, made.development, last)
    rows = judged(last)
    assert stated(found, rows) == pytest.approx(float((rows["weight"] * rows["y"]).sum()), rel=1e-9)
    outside = made.development.assign(y=np.where(made.development.index.isin(rows.index), made.development["y"], 1.0))
    assert at_own_level(of_folds, made.fitted.booster, outside, last) == found
