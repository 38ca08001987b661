"""Another seed and another draw of accounts: how far do points and reasons move?"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.vocabulary import Subcategory
from training import refits
from training.evaluate import evaluate
from training.gates import Checks, verdict
from training.judged import Judged
from training.refit_steadiness import refit_steadiness
from training.refits import KEPT, MOVED, REFITS, TOP_KEPT, redrawn, refitted_columns
from training.report import render

from .bundle_case import trained
from .judged_case import SMALL_PLAN, portfolio
from .lifecycle_case import material_of
from .test_card import FACTS


@cache
def rows() -> pd.DataFrame:
    material = material_of(trained())
    return material.snapshots[trained().split.final.test(material.cohort)].head(200).reset_index(drop=True)


@cache
def columns() -> pd.DataFrame:
    made = trained()
    return refitted_columns(made.bundle, made.development, rows(), made.reference_rows, progress=_heard)


_STEPS: list[tuple[str, int, int]] = []


def _heard(stage: str, done: int, total: int) -> None:
    _STEPS.append((stage, done, total))


def test_accounts_are_drawn_whole_and_as_many_as_there_are() -> None:
    past = trained().development
    drawn = redrawn(past, 1)
    times = drawn["weight"] / drawn.merge(past, how="left", on=list(_keys(past)), suffixes=("", "_own"))["weight_own"]
    per_account = times.groupby(drawn["account_id"])
    assert (per_account.nunique() == 1).all()
    assert per_account.first().sum() == pytest.approx(past["account_id"].nunique())
    sizes = past.groupby("account_id").size()
    assert (drawn.groupby("account_id").size() == sizes[sizes.index.isin(drawn["account_id"])]).all()


def _keys(past: pd.DataFrame) -> list[str]:
    return [name for name in ("account_id", "as_of", "closes_at") if name in past]


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    past = trained().development
    pd.testing.assert_frame_equal(redrawn(past, 1), redrawn(past, 1))
    assert set(redrawn(past, 1)["account_id"]) != set(redrawn(past, 2)["account_id"])


def test_what_moves_is_told_for_every_sampled_row_and_each_fit_is_told_of() -> None:
    told = columns()
    assert list(told) == [KEPT, TOP_KEPT, *(f"{MOVED}{part}" for part in Subcategory)]
    assert len(told) == len(rows())
    assert told.notna().all().all()
    shares = told[[KEPT, TOP_KEPT]].to_numpy()
    assert ((shares >= 0) & (shares <= 1)).all()
    assert [("refit", done, REFITS) for done in range(1, REFITS + 1)] == _STEPS


def test_a_refit_keeps_much_of_the_story_and_moves_some_of_it() -> None:
    # In this portfolio every feature of a part says the same, so which of them is a reason is luck; chance alone would
    # keep one reason in thirty and one part in seven.
    told = columns()
    assert 0.06 < told[KEPT].mean() < 1
    assert 1 / 7 < told[TOP_KEPT].mean() < 1
    assert (told[f"{MOVED}{Subcategory.ENGAGEMENT}"] > 0).all()


def test_a_refit_that_comes_out_the_same_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained()
    monkeypatch.setattr(refits, "_refit", lambda bundle, *_: bundle)
    told = refitted_columns(made.bundle, made.development, rows(), made.reference_rows)
    assert told[[KEPT, TOP_KEPT]].to_numpy() == pytest.approx(1.0)
    assert (told[[f"{MOVED}{part}" for part in Subcategory]].to_numpy() == 0).all()


def test_the_points_that_are_compared_are_those_of_the_score_but_for_timing_and_offsets() -> None:
    made = trained()
    points = refits._points(made.bundle, rows(), made.reference_rows)
    own = made.bundle.feature_points(rows())[list(made.bundle.model_features)].to_numpy()
    np.testing.assert_allclose(points, own, atol=1e-9)


def test_the_report_tells_what_moves_and_that_no_gate_rests_on_it() -> None:
    judged = portfolio(120).judged
    moved = {f"{MOVED}{part}": 2.0 for part in Subcategory}
    told = evaluate(judged.assign(**{KEPT: 0.5, TOP_KEPT: 1.0}, **moved), model_version="1", plan=SMALL_PLAN)
    page = " ".join(render(told, verdict(told, Checks()), FACTS).split())
    assert "Of an account's three strongest reasons 50% (50% to 50%) are among the three strongest of a refit" in page
    assert "its strongest part is the same in 100% (100% to 100%) of the refits. No gate rests on it." in page
    assert '<tr><th scope="row">output quality</th>' in page
    assert told.metrics()["refits.reasons_kept"] == 0.5


def test_means_come_with_intervals_over_accounts_and_rest_on_the_sample() -> None:
    judged = portfolio(120).judged
    sampled = np.arange(len(judged)) % 2 == 0
    more: dict[str, Any] = {KEPT: 0.5, TOP_KEPT: 1.0, **{f"{MOVED}{part}": 2.0 for part in Subcategory}}
    told = refit_steadiness(
        Judged.of(judged.assign(**{name: np.where(sampled, value, np.nan) for name, value in more.items()}), SMALL_PLAN)
    )
    assert told is not None
    assert (told.refits, told.rows, told.reasons_kept.value, told.top_kept.value) == (REFITS, sampled.sum(), 0.5, 1.0)
    engagement = told.parts["engagement"]
    assert engagement.moved.value == 2.0
    expected = judged.loc[sampled, "points_engagement"].abs().mean()
    assert engagement.size.value == pytest.approx(expected)
    assert engagement.size.low is not None
    assert engagement.size.low < expected
