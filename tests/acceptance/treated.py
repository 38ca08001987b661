"""Is the planted effect of working on alerts found again, and nothing where there is none?

Alerts stand in the tables with their arm, decisions in the contract events; ``pulse impact trend`` compares the arms.
The regime is solved for the effect that is asked back.
"""

from __future__ import annotations

from collections.abc import Iterator

from typer.main import get_command

from pulse import app

from .verdicts import Line, Measured, Outcome, holds
from .worlds import LAST, Effort, World, estimate, one_command_each

ACCOUNTS, SEED = 1500, 90015
PLANTED = -0.13
"""Relative change of leavers in the treated arm that the regime is solved for (features/simulator/special_laws.py)."""
REGIMES = {"treated": PLANTED, "treated_null": 0.0}


def measure(effort: Effort) -> Iterator[Line]:
    """Both worlds: with an effect, and the same without one (A/A)."""
    for regime, planted in REGIMES.items():
        world = World("treated", regime, effort.accounts or ACCOUNTS, effort.seed_or(SEED), effort).ready()
        world.trained()
        yield one_command_each(world)
        yield _recovered(world, planted)


def _recovered(world: World, planted: float) -> Line:
    asked = f"the interval of the change in leavers holds the planted {planted:+.0%}"
    if "impact" not in getattr(get_command(app), "commands", {}):
        return world.line(asked, "no command measures an effect of alerts", Outcome.FAIL)
    told = world.place.step("impact", "impact", "trend", "--as-of", LAST)
    effect = told.document["effects"][0]
    found = estimate(effect["change"])
    arms = f"{effect['worked_accounts']} accounts worked on, {effect['held_out_accounts']} held out"
    return world.line(asked, found, recovered(found, planted), f"{arms}; least effect that shows: {effect['least']}")


def recovered(found: Measured, planted: float) -> Outcome:
    """The interval holds what was planted, and tells it from nothing: else the world is too small for the question."""
    if found.low is None or found.high is None:
        return Outcome.UNDERPOWERED
    covers = found.low <= planted <= found.high
    if covers and planted and found.low <= 0 <= found.high:
        return Outcome.UNDERPOWERED
    return holds(covers)
