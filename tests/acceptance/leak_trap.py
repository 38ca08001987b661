"""Is a training that would read leaking columns stopped, with all of them named?"""

from __future__ import annotations

from collections.abc import Iterator

from .product import DONE, LEAKED
from .verdicts import Line, holds
from .worlds import LAST, Effort, World, one_command_each

ACCOUNTS, SEED = 1000, 90011


def measure(effort: Effort) -> Iterator[Line]:
    """The clean tables pass; the export beside them is refused column by column."""
    world = World("leak_trap", "leak_trap", effort.accounts or ACCOUNTS, effort.seed_or(SEED), effort).ready()
    clean = world.trained()
    yield one_command_each(world)
    place, asked = world.place, ("--as-of", LAST)
    export = place.company / "accounts_current.parquet"
    planted = set(world.truth("leaks")["column"])
    found = place.step("leakcheck", "leakcheck", *asked, "--candidates", export, allowed=(DONE, LEAKED))
    named = {leak["column"] for leak in found.document["leaks"]} if found.code == LEAKED else set()
    told = f"{len(named & planted)} of {len(planted)} named: {', '.join(sorted(named & planted)) or 'none'}"
    yield world.line("the leak check names every planted column", told, holds(planted <= named))
    others = sorted(named - planted)
    yield world.line("and accuses no other column", ", ".join(others) or "no other", holds(not others))
    before = len(place.step("models", "models").document["versions"])
    words = (*asked, "--trials", 1, "--candidates", export)
    refused = place.step("train-trapped", "train", *words, allowed=(DONE, LEAKED))
    after = len(place.step("models-after", "models").document["versions"])
    yield world.line(
        "training with the export is blocked, and nothing is registered",
        f"exit code {refused.code}, {after - before} versions registered",
        holds(refused.code == LEAKED and after == before),
    )
    yield world.line(
        "training without it is not blocked",
        f"exit code {clean.code}",
        holds(clean.code != LEAKED),
    )
