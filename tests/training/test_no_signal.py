"""Data that carries nothing ends in "no usable signal": its own exit code, and nothing that could be promoted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import GateRefused, NoUsableSignal, exit_code
from features.settings import Home
from tests.training.judged_case import NOON, SMALL_PLAN, SOUND, portfolio, weekly
from training import promotions
from training.evaluate import Beside, evaluate
from training.gates import verdict
from training.trust import trust
from training.verdict import SIGNAL_GATES, Cause, Verdict


def dealt_out(rows: pd.DataFrame) -> pd.DataFrame:
    """The same outcomes; what is stated of an account belongs to another one with as much time to its decision."""
    draw, stated = np.random.default_rng(1), [name for name in rows if str(name).startswith(("risk_", "interval_"))]
    due = rows["days_to_decision"].le(90).astype(int) + rows["days_to_decision"].le(180)
    parts = [part.index.to_numpy() for _, part in rows.groupby([rows["as_of"], due])]
    source = np.arange(len(rows))
    for places in parts:
        source[places] = draw.permutation(places)
    dealt = rows.copy()
    dealt[[*stated, "health"]] = rows[[*stated, "health"]].to_numpy()[source]
    return dealt


def judged(rows: pd.DataFrame, weeks: pd.DataFrame) -> Verdict:
    evaluation = evaluate(rows, model_version="9", beside=Beside(watched=weeks), plan=SMALL_PLAN)
    found = verdict(evaluation, SOUND)
    assert trust(evaluation, found).answer.startswith("No. The data shows no usable signal")
    return found


@pytest.fixture(scope="module")
def noise() -> Verdict:
    rows = dealt_out(portfolio(500, skill=0.9, seed=3).judged)
    return judged(rows, dealt_out(weekly(500, weeks=16, skill=0.9, seed=3)))


@pytest.fixture(scope="module")
def tiny() -> Verdict:
    # As many customers as a small public data set has leavers with a story: nothing can be told from so few.
    return judged(portfolio(60, skill=0.7, seed=4).judged, weekly(60, weeks=16, skill=0.7, seed=4))


@pytest.mark.parametrize("name", ["noise", "tiny"])
def test_it_ends_in_no_usable_signal_with_an_exit_code_of_its_own(name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NoUsableSignal) as refused:
        request.getfixturevalue(name).raise_if_refused()
    assert exit_code(refused.value) == 9
    assert "renewal dates" in refused.value.todo


@pytest.mark.parametrize("name", ["noise", "tiny"])
def test_nothing_of_it_goes_live(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    home, found = Home(root=tmp_path / "home"), request.getfixturevalue(name)
    with pytest.raises(GateRefused, match="refused by"):
        promotions.promote(home, "9", who="ada", why="", verdict=found.model_dump(mode="json"), at=NOON)
    assert promotions.current(home) is None


def test_outcomes_dealt_out_show_no_skill_though_there_are_enough(noise: Verdict) -> None:
    causes = {gate.code: gate.cause for gate in noise.gates}
    assert causes["enough_outcomes"] is Cause.NONE
    assert causes["better_than_timing"] is Cause.FAILED


def test_too_few_leavers_are_told_as_such_and_never_as_a_broken_model(tiny: Verdict) -> None:
    causes = {gate.code: gate.cause for gate in tiny.refusals}
    assert {causes[code] for code in SIGNAL_GATES} == {Cause.TOO_FEW_OUTCOMES}
    assert Cause.NOT_MEASURED not in causes.values()
