"""Do the parts of the simulator that nobody sees at once keep their promises: seats, users, invoices, facts?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.simulator import REGIMES, simulate
from features.simulator.campaign_tables import took_part
from features.simulator.company import Company, found_company
from features.simulator.facts import spike_ratio
from features.simulator.money import draw_invoices
from features.simulator.outlook import WEEKS_AHEAD, outlook_of, wraps_of
from features.simulator.production import draw_milestones, draw_projects
from features.simulator.seats import RENEWED, RESIZED, SIGNED, SeatPlan, draw_seats
from features.simulator.timeline import NEVER
from features.simulator.usage import mean_actions, under_notice
from features.simulator.users import CHAMPION, FREELANCER, Seats, Spells, draw_seat_list, draw_spells
from features.simulator.world import ACTIVE, OFF, POST
from tests.features.simulator_case import START, company


@pytest.fixture(scope="module")
def world() -> Company:
    return company(500, 61)


@pytest.fixture(scope="module")
def plan(world: Company) -> SeatPlan:
    return draw_seats(world)


@pytest.fixture(scope="module")
def seats(world: Company, plan: SeatPlan) -> Seats:
    return draw_seat_list(world, plan)


@pytest.fixture(scope="module")
def spells(world: Company, seats: Seats) -> Spells:
    return draw_spells(world, seats)


def test_a_contract_begins_signed_and_goes_on_renewed_or_resized(world: Company, plan: SeatPlan) -> None:
    states = plan.states
    first = np.append(True, states.account[1:] != states.account[:-1])
    assert (states.cause[first] == SIGNED).all()
    assert (states.day[first] == world.accounts.first_start[states.account[first]]).all()
    assert np.isin(states.cause[~first], (RENEWED, RESIZED)).all()
    assert (np.diff(states.day)[~first[1:]] > 0).all()


def test_nobody_signs_and_buys_more_seats_on_one_day() -> None:
    # Half of this regime sign within the simulated time, many on a Monday; with this seed one did both on one.
    late = found_company(REGIMES["thin"].world, accounts=1500, seed=7, start=START, weeks=208)
    states = draw_seats(late).states
    pairs = pd.DataFrame({"account": states.account, "day": states.day})
    assert (late.accounts.first_start >= late.time.first_day).sum() > 700
    assert not pairs.duplicated().any()


def test_a_renewal_falls_on_the_first_day_of_a_term(world: Company, plan: SeatPlan) -> None:
    states = plan.states
    renewed = states.cause == RENEWED
    start = world.terms.starts[states.account[renewed], states.term[renewed]]
    np.testing.assert_array_equal(states.day[renewed], start)


def test_nothing_is_signed_after_the_decision_to_leave(world: Company, plan: SeatPlan) -> None:
    states = plan.states
    assert (states.day < world.decisions.decided_at[states.account]).all()


def test_weekly_seats_follow_the_states(world: Company, plan: SeatPlan) -> None:
    sunday = world.time.monday(np.arange(world.time.weeks)) + 6
    for account in range(0, 500, 25):
        own = plan.states.account == account
        place = np.searchsorted(plan.states.day[own], sunday, side="right") - 1
        expected = np.where(place >= 0, plan.states.seats[own][np.maximum(place, 0)], world.accounts.seats[account])
        live = world.live[account]
        np.testing.assert_array_equal(plan.weekly[account][live], expected[live])


def test_values_are_seats_times_price_less_discount(plan: SeatPlan) -> None:
    states = plan.states
    value = states.seats * states.price * (1 - states.discount)
    np.testing.assert_allclose(states.acv_minor / 100, value, atol=0.006)
    assert (states.acv_minor > 0).all()


def test_a_seat_has_one_user_at_a_time(spells: Spells) -> None:
    same = spells.seat[1:] == spells.seat[:-1]
    assert (spells.first[1:][same] >= spells.after[:-1][same] + 1).all()
    assert (spells.after > spells.first).all()
    assert len(set(spells.keys)) == len(spells.keys)


def test_champions_sit_first_and_stay_longest_while_freelancers_rotate(seats: Seats, spells: Spells) -> None:
    champions = np.bincount(seats.account[seats.role == CHAMPION])
    assert set(champions) == {1, 2, 3}
    assert (seats.number[seats.role == CHAMPION] <= 2).all()
    role, weeks = seats.role[spells.seat], spells.after - spells.first
    inside = (spells.first > 0) & (spells.after < 180)
    assert weeks[inside & (role == FREELANCER)].max() <= 26
    assert np.median(weeks[role == CHAMPION]) > 2 * np.median(weeks[role == FREELANCER])
    assert (seats.role == FREELANCER).mean() == pytest.approx(0.15, abs=0.02)


def test_spells_of_an_account_lie_between_its_bounds(spells: Spells) -> None:
    for account in range(0, 500, 50):
        own = slice(spells.bounds[account], spells.bounds[account + 1])
        assert (spells.account[own] == account).all()
        assert (spells.account == account).sum() == own.stop - own.start


def test_users_leave_with_the_contract(world: Company, spells: Spells) -> None:
    gone = world.decisions.gone_from[spells.account]
    ended = gone < NEVER
    assert (world.time.monday(spells.after)[ended] <= gone[ended]).all()


def test_most_contracted_seats_are_assigned(world: Company, plan: SeatPlan, spells: Spells) -> None:
    week = 150
    taken = np.bincount(spells.account[(spells.first <= week) & (week < spells.after)], minlength=500)
    live = world.live[:, week]
    share = taken[live].sum() / plan.weekly[live, week].sum()
    assert 0.88 < share <= 1.0


def test_usage_sinks_a_little_after_notice(world: Company, plan: SeatPlan) -> None:
    core, _ = mean_actions(world, plan.weekly)
    law = world.world.usage
    account, week = np.argwhere(under_notice(world) & world.live)[0]
    phase = world.campaigns.phase[account, week]
    log_mean = law.core_loading * world.latent.h[account, week] + world.latent.w[account, week]
    log_mean += world.accounts.core_effect[account] + world.accounts.lift_effect[account] * (phase == ACTIVE)
    usual = 9 * plan.weekly[account, week] * law.phase_lift[phase] * np.exp(log_mean)
    dropped = law.drop_core if world.campaigns.usage_drop[account, week] else 1.0
    assert core[account, week] == pytest.approx(usual * 0.92 * dropped)


def test_a_drop_cuts_core_by_30_and_collab_by_60_percent_for_eight_weeks(world: Company, plan: SeatPlan) -> None:
    campaigns = world.campaigns
    account, run = np.argwhere(campaigns.dropped & (campaigns.wrap_week >= 0) & (campaigns.wrap_week < 150))[0]
    week = campaigns.wrap_week[run]
    assert campaigns.usage_drop[account, week : week + 8].all()
    assert campaigns.hazard_drop[account, week : week + 26].all()
    never = campaigns.joined[account] & ~campaigns.dropped[account]
    assert never.sum() + campaigns.dropped[account].sum() == campaigns.joined[account].sum()
    assert campaigns.phase[account, week] in (POST, ACTIVE)


def test_about_a_quarter_of_the_wraps_drop(world: Company) -> None:
    campaigns = world.campaigns
    joined = campaigns.joined
    expected = campaigns.drop_chance[joined]
    spread = np.sqrt((expected * (1 - expected)).sum())
    assert abs(campaigns.dropped[joined].sum() - expected.sum()) < 3 * spread
    assert expected.mean() == pytest.approx(0.25, abs=0.02)


def test_accounts_that_never_join_are_in_no_phase(world: Company) -> None:
    outside = world.accounts.never_joins
    assert outside.mean() == pytest.approx(0.18, abs=0.05)
    assert not took_part(world)[outside].any()
    assert (world.campaigns.phase[outside] == 0).all()


def test_invoices_of_a_year_add_up_to_the_annual_value(world: Company, plan: SeatPlan) -> None:
    invoices = draw_invoices(world, plan.states)
    # An account that never changes: the sum of its invoices over a year of its term is its annual value.
    changes = np.bincount(plan.states.account, minlength=500)
    stays = ~world.decisions.leaves & (world.accounts.first_start < world.time.end_day - 400)
    quiet = np.flatnonzero((changes == 1) & (world.accounts.term_months == 1) & stays)[:5]
    assert len(quiet) == 5
    for account in quiet:
        own = invoices.account == account
        year = own & (invoices.issued < invoices.issued[own][0] + 365)
        value = plan.states.acv_minor[plan.states.account == account][0]
        assert invoices.amount[year].sum() == pytest.approx(value, abs=12)
        assert (invoices.due[own] == NEVER).all()


def test_nothing_is_invoiced_after_the_end(world: Company, plan: SeatPlan) -> None:
    invoices = draw_invoices(world, plan.states)
    assert (invoices.issued < world.decisions.gone_from[invoices.account]).all()
    assert (invoices.paid > invoices.issued).all()


def test_a_project_has_three_to_six_milestones_from_kickoff_to_delivery(world: Company) -> None:
    projects = draw_projects(world)
    milestones = draw_milestones(world, projects)
    number = np.bincount(milestones.project)
    assert set(number) == {3, 4, 5, 6}
    last = np.append(milestones.project[1:] != milestones.project[:-1], True)
    assert (milestones.baseline[last] == projects.last_day[milestones.project[last]]).all()
    assert (milestones.kind[last] == 3).all()
    assert (projects.run >= 0).any()
    assert (projects.known <= projects.first_day).all()


def test_the_spike_of_a_hand_made_year(world: Company) -> None:
    # Actions of 10 in active weeks of March Madness and 4 in off weeks, whatever the account: the ratio is 2.5.
    actions = np.where(world.campaigns.phase[:, : world.time.weeks] == OFF, 4.0, 10.0)
    assert spike_ratio(world, actions) == pytest.approx(2.5)


def test_the_outlook_knows_today_and_fades_to_the_level(world: Company) -> None:
    account = np.flatnonzero(~world.accounts.susceptible)[:50]
    week = np.full(50, 30)
    outlook = outlook_of(world, wraps_of(world), account, week)
    np.testing.assert_allclose(outlook.h[:, 0], world.latent.h[account, 30])
    np.testing.assert_allclose(outlook.variance[:, 0], 0, atol=1e-12)
    level = world.accounts.level_h[account]
    left = 0.975 ** (WEEKS_AHEAD - 1)
    np.testing.assert_allclose(outlook.h[:, -1] - level, left * (outlook.h[:, 0] - level))
    np.testing.assert_allclose(outlook.variance[:, -1], 0.64 * (1 - left**2))


def test_a_known_drop_is_certain_until_it_ends_and_a_coming_one_is_a_chance(world: Company) -> None:
    campaigns = world.campaigns
    account, place = np.nonzero(campaigns.joined)
    wrap = campaigns.wrap_week[place]
    near = np.abs(wrap[:, None] - wrap[None, :]) < 60
    alone = (near & (account[:, None] == account[None, :])).sum(axis=1) == 1
    usable = alone & (wrap >= 30) & (wrap < 170)
    one, run, wrap = account[usable], place[usable], wrap[usable]
    assert len(one) > 5
    wraps = wraps_of(world)
    at_wrap = outlook_of(world, wraps, one, wrap).drop_chance
    np.testing.assert_array_equal(at_wrap, np.where(campaigns.dropped[one, run], 1.0, 0.0)[:, None] * np.ones(26))
    before = outlook_of(world, wraps, one, wrap - 5).drop_chance
    assert (before[:, :5] == 0).all()
    assert (np.abs(before[:, 5:] - 0.25) < 0.12).all()
    np.testing.assert_array_equal(outlook_of(world, wraps, one, wrap + 26).drop_chance, np.zeros((len(one), 26)))


def test_the_folder_of_a_simulation_may_not_exist_yet(tmp_path: Path) -> None:
    simulate(regime="campaign", accounts=2, seed=1, start=START, weeks=3, out=tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "truth" / "oracle.parquet").exists()
