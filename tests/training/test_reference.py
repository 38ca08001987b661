"""Are expectations the medians of the right peers?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from training.config import TrainingConfig
from training.periods import SNAPSHOT_FEATURES
from training.reference import Reference, group_medians, reference_portfolio, segment_means

from .bundle_case import trained


def reference(medians: dict[str, dict[str, float | None]]) -> Reference:
    return Reference(
        rows=1, expectation=0.0, usual={}, segments={}, overall=0.0, medians=medians, levels={}, offsets={}
    )


def where(*places: tuple[str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(places, columns=["phase", "segment"])


def test_a_median_comes_from_phase_and_segment_then_phase_then_all() -> None:
    told = reference(
        {
            "": {"x": 1.0, "y": 10.0, "z": None},
            "post": {"x": 2.0, "y": 20.0, "z": None},
            "post|studio": {"x": 3.0, "y": None, "z": None},
        }
    )
    rows = where(("post", "studio"), ("post", "agency"), ("off", "studio"), (None, None))
    expected = told.expected(rows, ["x", "y", "z"])
    assert expected[["x", "y"]].to_numpy().tolist() == [[3.0, 20.0], [2.0, 20.0], [1.0, 10.0], [1.0, 10.0]]
    assert expected["z"].isna().all()


def test_what_was_looked_up_once_is_told_again_whatever_else_is_asked_for() -> None:
    told = reference({"": {"x": 1.0, "y": 10.0}, "post": {"x": 2.0}})
    for _ in range(2):
        assert told.expected(where(("post", "studio")), ["x", "y"]).to_numpy().tolist() == [[2.0, 10.0]]
        assert told.expected(where(("off", "studio")), ["y", "x"]).to_numpy().tolist() == [[10.0, 1.0]]
    assert told == reference(told.medians)


def test_medians_are_pandas_medians_of_each_group() -> None:
    made = trained()
    peers = made.reference_rows
    told = made.bundle.expected(peers)
    sizes = peers.groupby(["phase", "segment"]).size()
    assert sizes.min() >= made.bundle.config.reference_group_rows
    oracle = peers.groupby(["phase", "segment"])[list(SNAPSHOT_FEATURES)].transform("median")
    np.testing.assert_array_equal(told.to_numpy(), oracle.to_numpy())
    assert list(told.columns) == list(SNAPSHOT_FEATURES)


def test_small_groups_are_left_out_but_all_together_never() -> None:
    peers = trained().reference_rows.iloc[:30].assign(phase="post", segment=["studio"] * 25 + ["agency"] * 5)
    assert set(group_medians(peers, least_rows=20)) == {"", "post", "post|studio"}
    assert set(group_medians(peers, least_rows=31)) == {""}


def test_the_portfolio_is_the_year_before_the_moment_given() -> None:
    made = trained()
    before = made.split.final.test_first
    as_ofs = reference_portfolio(made.snapshots, before, TrainingConfig())["as_of"]
    inside = made.snapshots["as_of"].between(before - timedelta(weeks=52), before, inclusive="left")
    assert len(as_ofs) == inside.sum() > 0
    assert as_ofs.max() < before


def test_segment_levels_are_means_and_unnamed_segments_have_none() -> None:
    levels = segment_means(np.array([1.0, 3.0, 10.0, 99.0]), ["studio", "studio", "agency", None])
    assert levels == {"studio": 2.0, "agency": 10.0}


def test_the_reference_comes_back_from_its_document() -> None:
    told = trained().bundle.reference
    assert Reference(**told.document()) == told
