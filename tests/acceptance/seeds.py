"""Does a model keep its promises on companies whose seeds were never used while the code was written?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.walk_case import Told

from .graded import NOTHING, Covered, block_rows, coverage, true_over_stated
from .verdicts import Line, Outcome, at_least, inside, share
from .worlds import RIGHT_LEVEL, Effort, World, estimate, one_command_each

ACCOUNTS = 3000
SEEDS = (90053, 90054, 90055)
"""A seed whose miss was looked into is used up: 90001 to 90008, 90031 to 90033, 90041 to 90044 and 90051 are."""
LEAST_SHARE = 0.75
LEAST_EXPECTED = 20
"""Leavers that a phase must be expected to have before it is asked (issue 4)."""
NOMINAL, POINTS = 0.90, 0.05


def measure(effort: Effort) -> Iterator[Line]:
    """Every requirement of every seed, then the coverage of all of them together."""
    together, seeds = NOTHING, effort.seeds or SEEDS
    for seed in seeds:
        world = World("seeds", "campaign", effort.accounts or ACCOUNTS, seed, effort).ready()
        told = world.trained()
        yield one_command_each(world)
        yield from _promises(world, told)
        rows = block_rows(world.place.home, told.document["version"], world.truth("oracle"))
        yield from _levels(world, told.document["evaluation"], rows)
        found = coverage(rows)
        together += found
        yield from ranges(world, found)
    everyone = World("seeds", "campaign", effort.accounts or ACCOUNTS, seeds[0], effort)
    for line in ranges(everyone, together) if len(seeds) > 1 else ():
        seen = ", ".join(map(str, seeds))
        yield line.model_copy(update={"world": f"campaign, {everyone.accounts:,} accounts, seeds {seen} together"})


def _promises(world: World, told: Told) -> Iterator[Line]:
    verdict, graded = told.document["verdict"], told.document["evaluation"]["truth"]["horizons"][str(90)]
    refused = [gate["code"] for gate in verdict["gates"] if not gate["passed"]]
    yield world.line(
        "every gate passes on an honest company (not asked by the issue)",
        "passed" if verdict["passed"] else f"refused by {', '.join(refused)}",
        Outcome.PASS if verdict["passed"] else Outcome.FAIL,
    )
    found = estimate(graded["share_of_oracle_skill"])
    auc, best = estimate(graded["auc_window"]).told(3), estimate(graded["oracle_auc_window"]).told(3)
    yield world.line(
        f"share of the oracle's skill within the renewal window at least {LEAST_SHARE}",
        found,
        at_least(LEAST_SHARE, found),
        f"soft AUC {auc}, the oracle's {best}",
    )


def _levels(world: World, evaluation: dict[str, Any], rows: pd.DataFrame) -> Iterator[Line]:
    whole = evaluation["horizons"]["90"]["calibration"]
    phases = {name: group["calibration"] for name, group in evaluation["phases"].items()}
    for name, group in {"all accounts": whole, **phases}.items():
        expected = group["expected"] or 0.0
        if expected < LEAST_EXPECTED:
            continue
        yield from _level(world, name, group, rows if name == "all accounts" else rows[rows["phase"] == name])


def _level(world: World, name: str, group: dict[str, Any], rows: pd.DataFrame) -> Iterator[Line]:
    found, true = estimate(group["ratio"]), true_over_stated(rows)
    band = f"{RIGHT_LEVEL[0]} to {RIGHT_LEVEL[1]}"
    note = f"{group['observed']:.0f} row-outcomes of {group['expected']:.1f} stated"
    yield world.line(f"O/E in {band}, {name}", found, inside(*RIGHT_LEVEL, found, lucky=True), note)
    yield world.line(f"true over stated risk in {band}, {name}", true, inside(*RIGHT_LEVEL, true, lucky=False))


def ranges(world: World, found: Covered, who: str = "") -> Iterator[Line]:
    """Do stated ranges hold the share that left as often as they say, and the true chance at least as often?

    Coverage is defined by what can be seen: the share that left of a cell in the mean range of the cell
    (docs/models.md). The true chance has no luck of its own, so a range that is right for the one is wide for it.
    """
    true, left = share(found.true_inside, found.cells), share(found.left_inside, found.cells)
    low, high = NOMINAL - POINTS, NOMINAL + POINTS
    asked = f"ranges hold the share that left of a cell {NOMINAL:.0%} of the time within {POINTS:.0%}{who}"
    yield world.line(asked, left, inside(low, high, left, lucky=True), f"{found.cells} cells")
    asked = f"ranges hold the mean true chance of a cell at least {NOMINAL:.0%} of the time{who}"
    sides = f"{found.cells} cells; {found.true_below} true chances below, {found.true_above} above"
    yield world.line(asked, true, at_least(NOMINAL, true), sides)
