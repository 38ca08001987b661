"""Does the latent company keep its own laws: calendar, phases, contracts, decisions, and streams that do not touch?"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from features.simulator import REGIMES, Regime, World, simulate
from features.simulator.campaign_calendar import CAMPAIGNS, Instance, instances
from features.simulator.company import Company, found_company
from features.simulator.decisions import MONTHLY, WINDOW
from features.simulator.regimes import Change
from features.simulator.streams import Streams
from features.simulator.timeline import NEVER, day_number, moments, timeline
from features.simulator.world import ACTIVE, NONE, OFF, PHASES, POST, PRE, HazardLaw, UsageLaw
from tests.features.simulator_case import START, company

RUNS = {run.name: run for run in instances()}


@pytest.fixture(scope="module")
def world() -> Company:
    return company(800, 41)


def believed(run: Instance, on: date) -> tuple[date, date, str]:
    belief = [each for each in run.beliefs if each.known_from <= on][-1]
    return belief.first, belief.last, belief.status


def test_every_campaign_runs_once_a_year_from_2020_to_2027() -> None:
    assert set(RUNS) == {f"{campaign}_{year}" for campaign in CAMPAIGNS for year in range(2020, 2028)}


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        # The dates that the design's section 3.1 states as seen in public sources.
        ("march_madness_2022", "2022-03-07", "2022-04-03"),
        ("march_madness_2023", "2023-03-06", "2023-04-02"),
        ("march_madness_2024", "2024-03-11", "2024-04-07"),
        ("march_madness_2025", "2025-03-10", "2025-04-06"),
        ("award_season_2022", "2022-02-08", "2022-03-27"),
        ("award_season_2023", "2023-01-24", "2023-03-12"),
        ("award_season_2024", "2024-01-23", "2024-03-10"),
        ("big_game_2025", "2025-01-13", "2025-02-09"),
    ],
)
def test_a_window_lies_where_it_lay(name: str, first: str, last: str) -> None:
    assert (RUNS[name].first, RUNS[name].last) == (date.fromisoformat(first), date.fromisoformat(last))


def test_the_last_belief_is_the_truth_and_beliefs_come_in_order() -> None:
    for run in RUNS.values():
        assert (run.beliefs[-1].first, run.beliefs[-1].last) == (run.first, run.last)
        assert run.first.year in (run.last.year, run.last.year - 1)
        known = [belief.known_from for belief in run.beliefs]
        assert known == sorted(known)
        assert known[0] <= run.first - timedelta(days=180)


def test_march_madness_is_four_whole_weeks() -> None:
    for year in range(2020, 2028):
        run = RUNS[f"march_madness_{year}"]
        assert run.first.weekday() == 0
        assert (run.last - run.first).days == 27


def test_the_94th_oscars_moved_by_a_month_and_nobody_knew_before() -> None:
    run = RUNS["award_season_2022"]
    assert believed(run, date(2021, 5, 1)) == (date(2022, 1, 18), date(2022, 2, 27), "tentative")
    assert believed(run, date(2021, 6, 1)) == (date(2022, 2, 8), date(2022, 3, 27), "moved")


def test_the_campaign_that_was_cancelled_has_no_participants(world: Company) -> None:
    place = [run.name for run in world.campaigns.instances].index("march_madness_2020")
    assert not world.campaigns.instances[place].ran
    assert not world.campaigns.joined[:, place].any()


def test_each_week_has_the_strongest_phase_that_its_thursday_lies_in(world: Company) -> None:
    # Brute force in plain Python for some accounts.
    for account in range(0, 800, 40):
        for week in range(world.time.weeks):
            thursday = START + timedelta(days=7 * week + 3)
            expected = NONE
            for run, joined in zip(world.campaigns.instances, world.campaigns.joined[account], strict=True):
                expected = max(expected, phase_of(run, thursday)) if joined else expected
            assert world.campaigns.phase[account, week] == expected


def phase_of(run: Instance, day: date) -> int:
    if run.first <= day <= run.last:
        return ACTIVE
    if run.last < day <= run.last + timedelta(days=42):
        return POST
    if run.first - timedelta(days=28) <= day < run.first:
        return PRE
    return OFF if timedelta() <= day - run.last <= timedelta(days=400) else NONE


def test_phases_are_ordered_by_precedence() -> None:
    assert PHASES[ACTIVE] == "active"
    assert [PHASES[code] for code in (NONE, OFF, PRE, POST, ACTIVE)] == ["none", "off", "pre", "post", "active"]


def test_a_decision_in_the_window_falls_within_the_seven_days_that_end_with_the_deadline(world: Company) -> None:
    decisions, terms = world.decisions, world.terms
    who = np.flatnonzero(decisions.leaves & (decisions.kind == WINDOW))
    assert len(who) > 100
    for account in who:
        day = np.floor(decisions.decided_at[account])
        term = np.flatnonzero((terms.deadline[account] - 7 < day) & (day <= terms.deadline[account]))
        assert len(term) == 1
        # The contract ends with the term whose deadline it was.
        assert decisions.gone_from[account] == terms.starts[account, term[0] + 1]
        end_on = terms.starts[account, term[0] + 1] - 1
        assert terms.deadline[account, term[0]] == end_on - world.accounts.notice_days[account]


def test_other_decisions_take_effect_four_weeks_later_at_most(world: Company) -> None:
    decisions = world.decisions
    others = decisions.leaves & (decisions.kind != WINDOW)
    wait = decisions.gone_from[others] - np.floor(decisions.decided_at[others])
    assert wait.max() == 29
    assert (wait > 0).all()
    assert (world.accounts.term_months[decisions.leaves & (decisions.kind == MONTHLY)] == 1).all()


def test_nobody_decides_before_the_contract_or_after_the_simulated_time(world: Company) -> None:
    leaves = world.decisions.leaves
    decided = world.decisions.decided_at[leaves]
    assert (decided >= world.accounts.first_start[leaves]).all()
    assert (decided < world.time.end_day).all()
    assert (world.decisions.decided_at[~leaves] == NEVER).all()
    assert (world.decisions.gone_from[~leaves] == NEVER).all()


def test_the_records_show_a_notice_after_five_days_in_the_median_and_thirty_in_one_of_twenty() -> None:
    big = company(2000, 31)
    lag = (big.decisions.known_at - big.decisions.decided_at)[big.decisions.leaves]
    assert np.median(lag) == pytest.approx(5.0, rel=0.15)
    assert np.quantile(lag, 0.95) == pytest.approx(30.0, rel=0.2)


def test_terms_follow_each_other_to_the_day(world: Company) -> None:
    term = world.accounts.term_months
    for months in (12, 24):
        starts = world.terms.starts[term == months].astype("datetime64[D]")
        by_month = starts.astype("datetime64[M]").astype(int)
        assert (np.diff(by_month, axis=1) == months).all()
        day_of_month = (starts - starts.astype("datetime64[M]")).astype(int)
        assert (np.diff(day_of_month, axis=1) == 0).all()
        assert day_of_month.max() <= 27
    assert (world.terms.starts[term == 1, 1:] == NEVER).all()


def test_health_keeps_its_stationary_spread_and_half_life(world: Company) -> None:
    around = world.latent.f - world.accounts.level_f[:, None]
    assert around[:, 0].std() == pytest.approx(0.8, rel=0.06)
    assert around[:, -1].std() == pytest.approx(0.8, rel=0.06)
    later = [(around[:, 27 + week] * around[:, week]).mean() for week in range(0, 200, 5)]
    assert np.mean(later) / around.var() == pytest.approx(0.5, abs=0.06)


def test_a_shock_pulls_health_down_where_it_is_felt(world: Company) -> None:
    # In a shock that lasts the AR(1) path sinks towards -0.02 / (1 - 0.975) = -0.8.
    relative = world.latent.h - world.accounts.level_h[:, None]
    long_felt = world.latent.shock[:, 26:] & world.latent.shock[:, 6:-20]
    assert relative[:, 26:][long_felt].mean() < -0.25
    assert abs(relative[~world.accounts.susceptible].mean()) < 0.06
    assert not world.latent.shock[~world.accounts.susceptible].any()


def hashes(folder: Path) -> dict[str, str]:
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.parquet")}


def test_asking_fewer_people_changes_surveys_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = Change("voice.nps_respondents", 2, "to see that nothing else moves")
    monkeypatch.setitem(REGIMES, "fewer_surveys", Regime("fewer_surveys", "fewer are asked", "nothing", (fewer,)))
    for regime in ("campaign", "fewer_surveys"):
        simulate(regime=regime, accounts=30, seed=6, start=START, weeks=40, out=tmp_path / regime)
    before, after = hashes(tmp_path / "campaign"), hashes(tmp_path / "fewer_surveys")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"survey_invitations", "survey_responses"}
    assert hashes(tmp_path / "campaign" / "truth") == hashes(tmp_path / "fewer_surveys" / "truth")


def test_another_hazard_changes_who_leaves_but_not_how_anybody_feels() -> None:
    calm = found_company(World(hazard=HazardLaw(window_intercept=-4.0)), accounts=300, seed=9, start=START, weeks=YEARS)
    usual = found_company(World(), accounts=300, seed=9, start=START, weeks=YEARS)
    np.testing.assert_array_equal(calm.latent.h, usual.latent.h)
    np.testing.assert_array_equal(calm.campaigns.joined, usual.campaigns.joined)
    np.testing.assert_array_equal(calm.campaigns.dropped, usual.campaigns.dropped)
    assert calm.decisions.leaves.sum() < usual.decisions.leaves.sum()


YEARS = 104


def test_streams_depend_on_seed_name_and_part_alone() -> None:
    draws = {
        (seed, name, part): Streams(seed).named(name, part).random(3).tobytes()
        for seed in (1, 2)
        for name in ("usage", "decisions")
        for part in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert Streams(1).named("usage", 1).random(3).tobytes() == draws[1, "usage", 1]


def test_a_world_refuses_a_law_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        UsageLaw.model_validate({"core_per_sat": 3})


def test_days_weeks_and_moments_agree() -> None:
    time = timeline(date(2024, 1, 1), 10)
    assert time.monday(2) == day_number(date(2024, 1, 15))
    assert time.week_of(np.array([day_number(date(2024, 1, 14)), day_number(date(2024, 1, 15))])).tolist() == [1, 2]
    assert time.first_week_from(np.array([day_number(date(2024, 1, 15)), day_number(date(2024, 1, 16))])).tolist() == [
        2,
        3,
    ]
    assert moments(np.array([day_number(date(2024, 1, 1)) + 0.5]))[0] == 1_704_110_400_000_000
