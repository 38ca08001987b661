"""Does a dirty company cost little, and is exactly the planted dirt refused?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .verdicts import Line, Measured, Outcome, at_least, holds
from .worlds import Effort, World, estimate, one_command_each

ACCOUNTS, SEED = 1500, 90013
KEPT = 0.85
"""Issue 3: at most 15 % of the clean average precision is lost."""


def measure(effort: Effort) -> Iterator[Line]:
    """The dirty company beside its clean twin of the same seed."""
    accounts = effort.accounts or ACCOUNTS
    clean = World("dirty", "campaign", accounts, effort.seed_or(SEED), effort).ready()
    dirty = World("dirty", "dirty", accounts, effort.seed_or(SEED), effort).ready()
    yield from _refused(dirty)
    yield from _precision(clean.trained().document["evaluation"], dirty.trained().document["evaluation"], dirty)
    yield one_command_each(clean)
    yield one_command_each(dirty)


def _refused(world: World) -> Iterator[Line]:
    dirt, said = world.truth("dirt"), world.place.said("ingest")
    tables: list[dict[str, Any]] = said.document["tables"] if said else []
    planted: Counter[Any] = Counter(dirt[dirt["refused"] > 0].groupby(["table", "rule"])["refused"].sum().to_dict())
    refused: Counter[Any] = Counter(
        {(each["table"], rule): rows for each in tables for rule, rows in each["quarantined"].items()}
    )
    off = {key for key in planted | refused if planted[key] != refused[key]}
    told = f"{refused.total():,} rows refused, {planted.total():,} planted, in {len(planted)} pairs of table and rule"
    equal, note = not off and bool(planted), f"different: {len(off)} pairs" if off else ""
    yield world.line("quarantine counts equal planted counts, by table and rule", told, holds(equal), note)
    repeats = Counter(dirt[dirt["known"] > 0].groupby("table")["known"].sum().to_dict())
    known = Counter({each["table"]: each["known"] for each in tables if each["known"]})
    told = f"{known.total():,} rows known, {repeats.total():,} planted"
    yield world.line("exact repeats equal planted ones, by table", told, holds(known == repeats and bool(repeats)))


def _precision(clean: dict[str, Any], dirty: dict[str, Any], world: World) -> Iterator[Line]:
    pairs = {
        "with true chances, where decisions are due": ("ap_window", True),
        "with true chances, all accounts": ("ap_pooled", True),
        "by outcomes, all accounts": ("ap_pooled", False),
    }
    for how, (name, by_truth) in pairs.items():
        both = [_ap(each, name, by_truth=by_truth) for each in (clean, dirty)]
        kept = None if None in (both[0].value, both[1].value) else (both[1].value or 0.0) / (both[0].value or 1.0)
        outcome = at_least(KEPT, Measured(value=kept))
        told = f"clean {both[0].told(3)}, dirty {both[1].told(3)}"
        if not by_truth and outcome is Outcome.FAIL and (both[1].high or 0) >= KEPT * (both[0].low or 0):
            outcome = Outcome.UNDERPOWERED
        yield world.line(f"at least {KEPT:.0%} of the clean AP is kept, {how}", Measured(value=kept), outcome, told)


def _ap(evaluation: dict[str, Any], name: str, *, by_truth: bool) -> Measured:
    horizons = evaluation["truth"]["horizons"] if by_truth else evaluation["horizons"]
    return estimate(horizons["90"][name])
