"""The true chances of a made-up company: read to grade, and only what grading needs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.errors import MissingStateError
from features.simulator import simulate
from training.truth import ORACLE, read_truth


def test_the_truth_holds_one_chance_per_horizon_and_no_latent_state(tmp_path: Path) -> None:
    start = datetime(2021, 1, 4, tzinfo=UTC)
    simulate(regime="campaign", accounts=6, seed=3, start=start.date(), weeks=30, out=tmp_path)
    truth = read_truth(tmp_path / "truth")
    written = pd.read_parquet(tmp_path / "truth" / ORACLE)
    assert list(truth.columns) == ["account_id", "as_of", "p_30", "p_60", "p_90", "p_180"]
    pd.testing.assert_frame_equal(truth, written[truth.columns.tolist()])
    assert not truth.duplicated(["account_id", "as_of"]).any()
    assert (truth[["p_30", "p_60", "p_90", "p_180"]].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


def test_a_folder_without_truth_is_refused_by_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match=ORACLE):
        read_truth(tmp_path)
    with pytest.raises(MissingStateError, match="no truth"):
        read_truth(tmp_path / "not there")
