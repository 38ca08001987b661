"""Where campaigns change nothing, is no gain found from knowing them, and is that said in words?"""

from __future__ import annotations

from collections.abc import Iterator

from training.experiment_words import NO_CAMPAIGN_EFFECT

from .verdicts import Line, holds
from .worlds import LAST, Effort, World, estimate, one_command_each

ACCOUNTS, SEED, TRIALS, REPEATS = 1500, 90010, 3, 3


def measure(effort: Effort) -> Iterator[Line]:
    """The gain of phase-aware over phase-blind scoring, by outcomes and with true chances."""
    world = World(
        "no_campaign_effect", "no_campaign_effect", effort.accounts or ACCOUNTS, effort.seed_or(SEED), effort
    ).ready()
    world.trained()
    yield one_command_each(world)
    arms = ("--arms", "full,phase_blind", "--trials", TRIALS, "--repeats", REPEATS)
    told = world.place.step("compare", "compare", "--as-of", LAST, *arms, "--truth", world.place.truth)
    comparison = told.document["comparison"]
    for how, slices in (("by outcomes", comparison["slices"]), ("with true chances", comparison["truth"])):
        for name in ("window", "campaign"):
            contrast = slices[name]["contrasts"]["phase_blind"]["ap"]
            gain = estimate(contrast["gain"])
            covers = gain.low is not None and gain.high is not None and gain.low <= 0 <= gain.high
            where = "where decisions are due" if name == "window" else "in and just after campaigns"
            yield world.line(
                f"the interval of the phase-aware gain in AP covers 0, {where}, graded {how}",
                gain,
                holds(covers),
                ", ".join(contrast["words"]),
            )
    said = [sentence for sentence in comparison["findings"] if NO_CAMPAIGN_EFFECT.lower() in sentence.lower()]
    page = NO_CAMPAIGN_EFFECT in told.stdout
    yield world.line(
        f"the report says in words: {NO_CAMPAIGN_EFFECT.lower()}",
        said[0] if said else "; ".join(comparison["findings"]),
        holds(bool(said) and page),
    )
