"""May snapshots be built weeks apart without being other snapshots?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.build import VIEWS, build_snapshots, built_as_ofs, snapshot_dataset
from features.settings import Home
from features.sources import onboarding_of
from features.vocabulary import parse_moment
from tests.features.regime_case import ingested

from .mondays import build_mondays, mondays_between

FIRST, LAST = "2021-12-06", "2022-01-10"


def test_mondays_lie_so_many_weeks_apart_from_the_first_on() -> None:
    assert [f"{monday:%m-%d}" for monday in mondays_between(FIRST, LAST, every=4)] == ["12-06", "01-03"]
    assert len(mondays_between(FIRST, LAST, every=1)) == 6
    assert mondays_between(FIRST, FIRST, every=4) == [parse_moment(FIRST)]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """The same company twice: every fourth snapshot built, and every one."""
    both = [Home(root=tmp_path_factory.mktemp("mondays") / name) for name in ("sparse", "weekly")]
    for home in both:
        shutil.copytree(ingested("campaign")[0].root, home.root)
    sparse, weekly = both
    assert build_mondays(sparse, FIRST, LAST, every=4) == 3
    build_snapshots(weekly, parse_moment(FIRST), parse_moment(LAST), onboarding=onboarding_of(weekly))
    return sparse, weekly


@pytest.mark.parametrize("view", VIEWS)
def test_a_snapshot_does_not_know_which_others_were_built_with_it(homes: tuple[Home, Home], view: str) -> None:
    def rows(home: Home) -> dict[str, pd.DataFrame]:
        dataset = snapshot_dataset(home, view)
        files = zip(dataset.entries(), dataset.files(), strict=True)
        return {entry.facts["as_of"]: pq.read_table(path).to_pandas() for entry, path in files}

    sparse, weekly = (rows(home) for home in homes)
    assert len(sparse) == 3 < len(weekly)
    for as_of, built in sparse.items():
        pd.testing.assert_frame_equal(built, weekly[as_of], rtol=1e-12)


def test_what_is_built_is_not_built_again(homes: tuple[Home, Home], tmp_path: Path) -> None:
    before = built_as_ofs(homes[0])
    assert build_mondays(homes[0], FIRST, LAST, every=4) == 0
    assert built_as_ofs(homes[0]) == before
