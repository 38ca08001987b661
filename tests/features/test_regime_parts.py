"""Do the parts of regimes keep their rules: later laws, changes by path, weeks of switches, moved campaigns?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from features.errors import UsageError
from features.simulator import REGIMES, World
from features.simulator.campaign_calendar import Instance, instances
from features.simulator.regimes import Change, Regime
from features.simulator.special_laws import LateMove, PriceLaw, RolloutLaw, TreatmentLaw, some_of, week_at
from features.simulator.specials import write_regime
from features.simulator.switches import (
    added_logit,
    collab_loadings,
    finance_factor,
    switches_of,
    with_late_move,
)
from features.simulator.timeline import LOOK_AHEAD_WEEKS, Timeline, timeline
from features.simulator.world import ACTIVE, POST, VoiceLaw
from tests.features.simulator_case import START

FOUR_YEARS = timeline(START, 208)


def changed(*changes: Change) -> World:
    return Regime("made_for_a_test", "to see", "nothing", changes).world


def test_a_change_sets_one_law_by_its_path_and_leaves_the_others() -> None:
    world = changed(Change("usage.core_loading", 0.5, "louder"), Change("price", PriceLaw(at=0.5), "early"))
    assert world.usage.core_loading == 0.5
    assert world.price == PriceLaw(at=0.5)
    assert world == World(usage=World().usage.model_copy(update={"core_loading": 0.5}), price=PriceLaw(at=0.5))
    assert changed() == World()


@pytest.mark.parametrize("law", ["usage.core_lauding", "prise", "usage.core_loading.more"])
def test_a_change_of_a_law_that_does_not_exist_is_refused(law: str) -> None:
    with pytest.raises(ValidationError):
        changed(Change(law, 1.0, "a slip of the pen"))


def test_a_later_law_is_written_down_only_where_it_differs() -> None:
    # So manifests of companies from before the law keep their bytes.
    document = World().model_dump(mode="json")
    assert "price" not in document
    assert "urgency_active" not in document["voice"]
    louder = VoiceLaw(urgency_active=(0.1, 0.2, 0.3, 0.4)).model_dump(mode="json")
    assert louder["urgency_active"] == [0.1, 0.2, 0.3, 0.4]
    assert "urgency_quiet" not in louder
    assert World.model_validate(document) == World()


@pytest.mark.parametrize("name", list(REGIMES))
def test_a_world_written_down_is_the_same_world_when_read(name: str) -> None:
    world = REGIMES[name].world
    assert World.model_validate(world.model_dump(mode="json")) == world


@pytest.mark.parametrize(
    ("share", "weeks", "week"), [(160 / 208, 208, 160), (160 / 208, 104, 80), (0.5, 3, 2), (0, 9, 0)]
)
def test_a_share_of_the_time_is_a_week(share: float, weeks: int, week: int) -> None:
    assert week_at(share, weeks) == week


@pytest.mark.parametrize(
    ("share", "count", "number"), [(0.02, 1500, 30), (0.02, 10, 1), (0.0, 10, 0), (0.4, 30, 12), (0.5, 0, 0)]
)
def test_a_share_of_accounts_is_at_least_one(share: float, count: int, number: int) -> None:
    assert some_of(share, count) == number


def test_without_switches_every_week_is_the_usual_one() -> None:
    np.testing.assert_array_equal(finance_factor(World(), FOUR_YEARS), np.ones(208 + LOOK_AHEAD_WEEKS))
    np.testing.assert_array_equal(added_logit(World(), FOUR_YEARS), np.zeros(208 + LOOK_AHEAD_WEEKS))
    loadings = collab_loadings(World(), FOUR_YEARS)
    assert loadings.shape == (208, 5)
    assert (loadings == World().usage.collab_loading).all()
    assert switches_of(World(), FOUR_YEARS, instances()) == ()


def test_switches_hold_from_the_monday_of_their_week() -> None:
    world = REGIMES["drift"].world
    factor, added, loadings = (law(world, FOUR_YEARS) for law in (finance_factor, added_logit, collab_loadings))
    assert (factor[159], factor[160], factor[-1]) == (1.0, 2.0, 2.0)
    assert (added[159], added[160], added[-1]) == (0.0, 0.4, 0.4)
    assert [loadings[103, phase] for phase in (ACTIVE, POST)] == [0.95, 0.70]
    assert [loadings[104, phase] for phase in (ACTIVE, POST)] == [0.10, 0.95]
    runs = with_late_move(instances(), world.late_move, FOUR_YEARS)
    told = [
        (switch.name, date(1970, 1, 1) + timedelta(switch.first_day)) for switch in switches_of(world, FOUR_YEARS, runs)
    ]
    assert told == [
        ("loading", date(2023, 1, 2)),
        ("instrumentation", date(2023, 7, 17)),
        ("price", date(2024, 1, 29)),
        ("calendar", date(2024, 3, 1)),
    ]


def differing(runs: tuple[Instance, ...]) -> list[str]:
    return [run.name for run in runs if run not in instances()]


@pytest.mark.parametrize(
    ("start", "weeks", "moved"),
    [
        # The move itself must fit: the window of 2022 would end on 24 April.
        (date(2021, 1, 4), 68, "march_madness_2022"),
        (date(2021, 1, 4), 66, "march_madness_2021"),
        (date(2021, 1, 4), 208, "march_madness_2024"),
    ],
)
def test_the_last_run_that_fits_with_its_move_is_moved(start: date, weeks: int, moved: str) -> None:
    assert differing(with_late_move(instances(), LateMove(), timeline(start, weeks))) == [moved]


def test_a_run_that_was_cancelled_or_had_begun_before_is_not_moved() -> None:
    with pytest.raises(UsageError):
        with_late_move(instances(), LateMove(), timeline(date(2021, 3, 15), 50))
    with pytest.raises(UsageError) as refusal:
        with_late_move(instances(), LateMove(), Timeline(date(2020, 1, 6), 40))
    assert refusal.value.found == "2020-01-06 to 2020-10-12"
    assert with_late_move(instances(), None, Timeline(date(2020, 1, 6), 40)) == instances()


def test_another_campaign_can_be_moved_by_another_law() -> None:
    law = LateMove(campaign="big_game", by_days=7, known_days_before=30)
    runs = with_late_move(instances(), law, FOUR_YEARS)
    assert differing(runs) == ["big_game_2024"]
    moved = next(run for run in runs if run.name == "big_game_2024")
    assert (moved.first, moved.last) == (date(2024, 1, 22), date(2024, 2, 18))
    assert moved.beliefs[-1].known_from == date(2024, 1, 15) - timedelta(days=30)


@pytest.mark.parametrize(
    ("world", "name"), [(World(rollout=RolloutLaw()), "rollout"), (World(treatment=TreatmentLaw()), "treatment")]
)
def test_a_switch_is_named_for_what_begins_in_the_middle(world: World, name: str) -> None:
    assert [switch.name for switch in switches_of(world, FOUR_YEARS, instances())] == [name]


def test_campaign_has_no_regime_file(tmp_path: Path) -> None:
    write_regime(tmp_path, REGIMES["campaign"])
    assert list(tmp_path.iterdir()) == []
