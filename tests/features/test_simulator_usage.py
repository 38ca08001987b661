"""Does usage follow its laws: exact totals, a Binomial number of active seats, days and users that make sense?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.simulator import simulate
from features.simulator.usage_rows import FAMILIES, Rows, account_rows
from tests.features.simulator_case import START, table

WEEKS = 4000
CORE, COLLAB = FAMILIES.index("core"), FAMILIES.index("collab")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("usage")
    simulate(regime="campaign", accounts=60, seed=12, start=START, weeks=120, out=out)
    return out


@pytest.fixture(scope="module")
def usage(written: Path) -> pd.DataFrame:
    return table(written, "usage_daily")


def one_account(core: float, collab: float, chance: float, seats: int = 12) -> Rows:
    """Rows of an account whose laws are the same in every week and whose seats are all taken."""
    return account_rows(
        np.random.default_rng(4),
        occupant=np.tile(np.arange(seats, dtype=np.int32), (WEEKS, 1)),
        propensity=np.linspace(1.0, 3.0, seats),
        contracted=np.full(WEEKS, seats),
        core=np.full(WEEKS, core),
        collab=np.full(WEEKS, collab),
        seat_chance=np.full(WEEKS, chance),
        late_share=0.01,
    )


@pytest.mark.parametrize(("family", "mean"), [(CORE, 40.0), (COLLAB, 6.0)])
def test_weekly_totals_are_poisson_with_the_given_intensity(family: int, mean: float) -> None:
    rows = one_account(core=40.0, collab=6.0, chance=0.5)
    chosen = rows.family == family
    totals = np.bincount(rows.day[chosen] // 7, weights=rows.events[chosen], minlength=WEEKS)
    assert totals.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / WEEKS))
    # The variance of a Poisson count is its mean; its own standard error is about mean * sqrt(2 / n).
    assert totals.var() == pytest.approx(mean, rel=4 * np.sqrt((2 + 1 / mean) / WEEKS))


def test_the_number_of_active_seats_is_binomial() -> None:
    # So much work that nobody who is active is without a core action.
    rows = one_account(core=4000.0, collab=6.0, chance=0.6)
    core = rows.family == CORE
    active = pd.Series(rows.spell[core]).groupby(rows.day[core] // 7).nunique()
    assert active.mean() == pytest.approx(12 * 0.6, abs=4 * np.sqrt(12 * 0.24 / WEEKS))
    assert active.var() == pytest.approx(12 * 0.24, rel=0.1)


def test_the_keen_are_active_more_often() -> None:
    rows = one_account(core=4000.0, collab=6.0, chance=0.4)
    core = rows.family == CORE
    weeks_active = pd.Series(rows.day[core] // 7).groupby(rows.spell[core]).nunique()
    assert weeks_active.iloc[-1] > 1.3 * weeks_active.iloc[0]


def test_a_user_has_one_row_per_family_and_day() -> None:
    rows = one_account(core=40.0, collab=6.0, chance=0.5)
    keys = pd.DataFrame({"spell": rows.spell, "family": rows.family, "day": rows.day})
    assert not keys.duplicated().any()
    assert (rows.events > 0).all()
    assert (rows.sessions >= 1).all()
    assert 0.005 < (rows.late_days > 0).mean() < 0.015
    assert set(rows.late_days[rows.late_days > 0]) <= set(range(2, 11))


def test_an_empty_office_does_nothing() -> None:
    rows = account_rows(
        np.random.default_rng(1),
        occupant=np.full((3, 4), -1, dtype=np.int32),
        propensity=np.ones(4),
        contracted=np.full(3, 4),
        core=np.full(3, 50.0),
        collab=np.full(3, 5.0),
        seat_chance=np.full(3, 0.9),
        late_share=0.5,
    )
    assert len(rows.day) == 0


def test_written_totals_follow_the_mean_of_the_latent_world(written: Path, usage: pd.DataFrame) -> None:
    weeks = table(written, "truth/account_weeks").query("is_whole_week")
    totals = weekly(usage)
    for family, mean in (("core", "mean_core_events"), ("collab", "mean_collab_events")):
        actions = totals[family].reindex(pd.MultiIndex.from_frame(weeks[["account_id", "week_start"]])).fillna(0)
        # Sum of Poisson-Gamma counts: variance = mean + mean^2 / 3. A week without a user (rare) loses its actions, and
        # rows that come after the export are not there: 1 % of room.
        expected = weeks[mean].to_numpy()
        spread = np.sqrt((expected + expected**2 / 3).sum())
        assert abs(actions.sum() - expected.sum()) < 4 * spread + 0.01 * expected.sum()


def weekly(usage: pd.DataFrame) -> pd.DataFrame:
    monday = usage["event_at"] - pd.to_timedelta(usage["event_at"].dt.weekday, unit="D")
    keys = [usage["account_id"], monday.rename("week_start"), usage["feature_code"]]
    return usage.groupby(keys)["events"].sum().unstack()


def test_nobody_works_before_the_contract_or_after_its_end(written: Path, usage: pd.DataFrame) -> None:
    weeks = table(written, "truth/account_weeks").query("is_whole_week")
    live = pd.MultiIndex.from_frame(weeks[["account_id", "week_start"]])
    assert weekly(usage).index.isin(live).all()


def test_whoever_works_has_a_seat_that_day(written: Path, usage: pd.DataFrame) -> None:
    seats = table(written, "seat_assignments_history").sort_values("valid_from")
    spells = seats.groupby(["account_id", "user_key"]).agg(begin=("assigned_at", "min"), end=("revoked_at", "max"))
    used = usage.groupby(["account_id", "user_key"])["event_at"].agg(["min", "max"])
    both = used.join(spells, how="left")
    assert both["begin"].notna().all()
    assert (both["min"] >= both["begin"].dt.floor("D")).all()
    ended = both["end"].notna()
    assert (both.loc[ended, "max"] < both.loc[ended, "end"]).all()


def test_a_day_is_known_the_next_morning_and_one_row_in_a_hundred_days_later(usage: pd.DataFrame) -> None:
    delay = (usage["available_at"] - usage["event_at"]) / pd.Timedelta(hours=1)
    on_time = delay == 30
    assert 0.005 < 1 - on_time.mean() < 0.015
    assert set(delay[~on_time]) <= {30.0 + 24 * days for days in range(2, 11)}


def test_every_family_is_used_and_collaboration_is_a_quarter_of_the_work(usage: pd.DataFrame) -> None:
    actions = usage.groupby("feature_code")["events"].sum()
    assert set(actions.index) == set(FAMILIES)
    assert 0.2 < actions["collab"] / (actions["collab"] + actions["core"]) < 0.4
    week = usage["event_at"] - pd.to_timedelta(usage["event_at"].dt.weekday, unit="D")
    user_weeks = pd.MultiIndex.from_arrays([usage["user_key"], week]).unique()
    assert 2.0 < len(usage) / len(user_weeks) < 3.5
