"""What would every feature be if nobody knew of any campaign?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest

from features.build import build_at
from features.catalogue import FEATURES, feature_named
from features.cohort import read_cohort
from features.errors import IntegrityError, UsageError
from features.phase_blind import CALENDAR_TABLES, phase_blind_features
from features.settings import Home
from features.vocabulary import Subcategory
from tests.features.built_case import AS_OFS, company, export, snapshots, take_in

KEY = ["account_id", "as_of"]
NUMBERS = [feature.name for feature in FEATURES if not feature.is_text]
DATES = AS_OFS[2:]


def built(root: Path, *, with_calendar: bool) -> Home:
    tables = company(3)
    known = {name: rows for name, rows in tables.items() if with_calendar or name not in CALENDAR_TABLES}
    home = Home(root=root / "home")
    take_in(home, export(root / "raw", known))
    build_at(home, DATES)
    return home


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with TemporaryDirectory() as folder:
        yield built(Path(folder), with_calendar=True)


@pytest.fixture(scope="module")
def rows(home: Home) -> pd.DataFrame:
    # In no order of ours, so that whoever sorts them is found out.
    return read_cohort(home, DATES)[KEY].sample(frac=1, random_state=1)


@pytest.fixture(scope="module")
def blind(home: Home, rows: pd.DataFrame) -> pd.DataFrame:
    return phase_blind_features(home, rows)


def stored(home: Home, rows: pd.DataFrame) -> pd.DataFrame:
    """The numbers of the stored snapshots, for rows of (account_id, as_of)."""
    found = snapshots(home)
    answer = rows.reset_index(drop=True)
    for part in Subcategory:
        cells = pd.DataFrame(found[part])
        cells["as_of"] = pd.to_datetime(cells["as_of"], utc=True).astype(answer["as_of"].dtype)
        own = [name for name in NUMBERS if feature_named(name).subcategory is part]
        answer = answer.merge(cells[[*KEY, *own]], on=KEY, how="left", validate="one_to_one")
    return answer[NUMBERS].astype("float64")


def test_the_made_up_company_has_campaigns_to_hide() -> None:
    assert all(company(3)[name] for name in ("campaign_instances_history", "account_campaigns_history"))


def test_it_is_what_a_home_would_have_built_that_never_had_a_calendar(
    blind: pd.DataFrame, rows: pd.DataFrame, tmp_path: Path
) -> None:
    # The oracle: another home, its files without the calendar, the ordinary build.
    bare = built(tmp_path, with_calendar=False)
    pd.testing.assert_frame_equal(blind, stored(bare, rows))


def test_phases_were_there_and_are_gone(home: Home, blind: pd.DataFrame, rows: pd.DataFrame) -> None:
    seen = stored(home, rows)
    differs = [name for name in NUMBERS if not seen[name].equals(blind[name])]
    assert {"usage_par_w13", "collab_par_w8", "campaigns_joined_w52"} <= set(differs)
    windows = ["spike_ratio_last", "weeks_since_wrap", "post_retention", "ramp_ratio_pre"]
    assert seen[windows].notna().any().any()
    assert blind[windows].isna().all().all()


def test_what_knows_no_phases_stays_as_it_was(home: Home, blind: pd.DataFrame, rows: pd.DataFrame) -> None:
    seen = stored(home, rows)
    for part in (Subcategory.FINANCIAL, Subcategory.MARKET):
        own = [name for name in NUMBERS if feature_named(name).subcategory is part]
        pd.testing.assert_frame_equal(blind[own], seen[own])
    same = [
        "active_seat_ratio_w4",
        "days_since_last_core",
        "tickets_per_100_seats_w13",
        "days_to_decision",
        "tenure_weeks",
    ]
    pd.testing.assert_frame_equal(blind[same], seen[same])


def test_nothing_is_left_behind_in_the_home(home: Home, blind: pd.DataFrame) -> None:
    assert not list(home.root.glob("phase-blind-*"))
    assert len(blind)


def test_an_account_that_nobody_knows_is_refused(home: Home, rows: pd.DataFrame) -> None:
    strange = pd.concat([rows, rows.head(1).assign(account_id="nobody")], ignore_index=True)
    with pytest.raises(IntegrityError) as refused:
        phase_blind_features(home, strange)
    assert refused.value.found == f"{len(strange)} rows, 1 of them unknown"
    assert "nobody" not in str(refused.value)


def test_no_rows_and_repeated_rows_are_refused(home: Home, rows: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="without a calendar"):
        phase_blind_features(home, rows.head(0))
    with pytest.raises(UsageError, match="without a calendar"):
        phase_blind_features(home, pd.concat([rows, rows]))
