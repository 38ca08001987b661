from __future__ import annotations

from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from features.catalogue import MODEL_FEATURES, feature_named
from tests.training.judged_case import SMALL_PLAN, evaluated, portfolio
from training.evaluate import evaluate
from training.figure import Picture
from training.plots import evaluation_pictures
from training.shap_plots import explanation_pictures

PNG = b"\x89PNG\r\n\x1a\n"


def points_and_values(rows: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Health points in which the third feature is by far the strongest; some values are null."""
    rng = np.random.default_rng(0)
    names = list(MODEL_FEATURES[::5])
    values = pd.DataFrame(rng.normal(size=(rows, len(names))), columns=names)
    points = 0.1 * values
    points[names[2]] *= 100
    return points, values.mask(rng.random(values.shape) < 0.1)


def width_and_height(picture: Picture) -> tuple[int, int]:
    """From the header of the PNG file."""
    return int.from_bytes(picture.png[16:20], "big"), int.from_bytes(picture.png[20:24], "big")


@cache
def all_pictures() -> tuple[Picture, ...]:
    return (*evaluation_pictures(evaluated()), *explanation_pictures(*points_and_values()))


def test_every_picture_is_a_png_with_title_caption_and_words_for_the_blind() -> None:
    pictures = all_pictures()
    assert [one.name for one in pictures] == [
        "auc",
        "gains",
        "reliability",
        "phases",
        "subcategories",
        "beeswarm",
        "dependence",
    ]
    for one in pictures:
        assert one.png.startswith(PNG)
        assert min(width_and_height(one)) > 400
        assert one.title
        assert one.title[0].isupper()
        assert one.caption.endswith(".")
        assert len(one.alt) > 40


def test_titles_state_what_was_found() -> None:
    found = evaluated()
    titles = {one.name: one.title for one in all_pictures()}
    auc, ratio = found.headline.auc_window, found.headline.calibration.ratio
    assert titles["auc"] == (
        "Ranks accounts whose decision is due better than chance: "
        f"AUC {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f}). "
        f"Pooled AUC flatters: timing alone scores {found.arms['timing_only'].auc_pooled.value:.2f}"
    )
    assert titles["reliability"].startswith("As many accounts left as was stated, within chance")
    assert f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" in titles["reliability"]
    strongest = feature_named(MODEL_FEATURES[::5][2])
    assert strongest.label in titles["beeswarm"]
    assert titles["subcategories"].startswith(strongest.subcategory.value.capitalize())


def test_the_words_for_the_blind_hold_the_numbers_of_the_picture() -> None:
    told = {one.name: one.alt for one in all_pictures()}
    for bin_ in evaluated().headline.reliability:
        assert f"stated {bin_.mean_risk:.1%}, left {bin_.observed_rate:.1%} of {bin_.rows} rows" in told["reliability"]
    for phase in evaluated().phases:
        assert phase in told["phases"]
    assert "timing alone: all" in told["auc"]


def test_points_are_added_up_within_a_subcategory_before_their_size_is_taken() -> None:
    # Two features that cancel out in every account move nothing.
    names = [name for name in MODEL_FEATURES if feature_named(name).subcategory.value == "engagement"][:2]
    values = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 2)), columns=names)
    points = pd.DataFrame({names[0]: values[names[0]], names[1]: -values[names[0]]})
    subcategories = explanation_pictures(points, values)[0]
    assert subcategories.alt == "Mean absolute health points by subcategory: engagement 0.0."


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert [one.png for one in evaluation_pictures(evaluated())] == [
        one.png for one in evaluation_pictures(evaluated())
    ]


def test_drawing_leaves_the_global_style_alone() -> None:
    before = dict(mpl.rcParams)
    explanation_pictures(*points_and_values())
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("spoiled", ["y_90", "risk_90"])
def test_what_cannot_be_drawn_is_left_out_and_the_rest_says_why(spoiled: str) -> None:
    rows = portfolio(150, seed=6).judged.assign(**{spoiled: np.nan})
    pictures = {one.name: one for one in evaluation_pictures(evaluate(rows, model_version="v1", plan=SMALL_PLAN))}
    assert "reliability" not in pictures
    assert "not known" in pictures["auc"].title
    assert "too few" in pictures["phases"].title.lower() or "enough" in pictures["phases"].title
