"""What lies on the table: rows that belong together, and nothing that was known later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.errors import MissingStateError
from features.settings import Home
from training.config import TrainingConfig
from training.dataset import KEY
from training.labels import OUTCOME_COLUMNS
from training.material import Material, gather

from .lifecycle_case import CURRENCY, stored_portfolio
from .portfolio_case import FIRST, Portfolio, portfolio

CONFIG = TrainingConfig()
WORLD = portfolio(60, 120, seed=5)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_portfolio(tmp_path_factory.mktemp("material"), WORLD)


@pytest.fixture(scope="module")
def material(home: Home) -> Material:
    return gather(home, WORLD.data_cut, CONFIG)


def expected_rows(world: Portfolio) -> pd.DataFrame:
    rows = world.snapshots[world.cohort["cohort_status"] == "at_risk"]
    return rows.sort_values(["as_of", "account_id"]).reset_index(drop=True)


def test_cohort_and_features_are_the_same_rows_in_the_same_order(material: Material) -> None:
    pd.testing.assert_frame_equal(material.cohort[KEY], material.snapshots[KEY])
    assert material.cohort.index.tolist() == list(range(len(material.cohort)))
    assert len(material.cohort) == len(expected_rows(WORLD)) > 500
    assert set(material.cohort["cohort_status"]) == {"at_risk"}
    assert set(material.cohort["currency"]) == {CURRENCY}


def test_the_features_are_those_that_were_stored(material: Material) -> None:
    known = expected_rows(WORLD)
    numbers = [name for name in known if known[name].dtype == float]
    pd.testing.assert_frame_equal(material.snapshots[numbers], known[numbers], check_exact=True)
    assert material.snapshots["phase"].tolist() == known["phase"].tolist()


def test_an_outcome_is_told_per_account_that_left_and_as_it_was(material: Material) -> None:
    told = ["account_id", "decided_at", "known_at", "voluntary"]
    assert list(material.decided.columns) == list(OUTCOME_COLUMNS)
    pd.testing.assert_frame_equal(material.decided[told], WORLD.decided[told])
    assert len(material.decided) > 10


def test_an_earlier_cut_knows_no_later_snapshot_and_no_later_outcome(home: Home, material: Material) -> None:
    cut = FIRST + timedelta(weeks=90)
    earlier = gather(home, cut, CONFIG)
    kept = (material.cohort["as_of"] <= cut).to_numpy()
    assert earlier.as_ofs == [as_of for as_of in material.as_ofs if as_of <= cut]
    pd.testing.assert_frame_equal(earlier.cohort, material.cohort[kept].reset_index(drop=True))
    pd.testing.assert_frame_equal(earlier.snapshots, material.snapshots[kept].reset_index(drop=True))
    known = material.decided[material.decided["known_at"] <= cut].reset_index(drop=True)
    pd.testing.assert_frame_equal(earlier.decided, known)
    assert 0 < len(earlier.decided) < len(material.decided)


def test_snapshots_lie_apart_as_the_config_says(home: Home, material: Material) -> None:
    sparse = gather(home, WORLD.data_cut, CONFIG.model_copy(update={"snapshot_spacing": timedelta(weeks=8)}))
    assert sparse.as_ofs == material.as_ofs[::2]


def test_choosing_rows_keeps_both_frames_together(material: Material) -> None:
    chosen = material.cohort["account_id"] > "acc-0030"
    part = material.at(chosen)
    pd.testing.assert_frame_equal(part.cohort[KEY], part.snapshots[KEY])
    assert part.cohort["account_id"].tolist() == material.cohort.loc[chosen, "account_id"].tolist()
    assert part.cohort.index.tolist() == list(range(int(chosen.sum())))
    assert part.data_cut == material.data_cut
    assert part.decided is material.decided


def test_without_a_snapshot_at_or_before_the_cut_there_is_nothing_to_learn_from(home: Home, tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="pulse build"):
        gather(home, FIRST, CONFIG)
    with pytest.raises(MissingStateError, match="no snapshot is built"):
        gather(Home(root=tmp_path), WORLD.data_cut, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends(home: Home) -> None:
    told: list[tuple[str, int, int]] = []
    gather(home, FIRST + timedelta(weeks=40), CONFIG, progress=lambda *step: told.append(step))
    assert told == [("gather", done, 3) for done in (1, 2, 3)]
