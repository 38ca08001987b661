"""Do ranges hold what they say over all companies that other cases made a model of?

A company gives some eight cells, too few to tell 90 % from 80 %. None of the seeds was used before its case was
measured. Ranges were never changed by looking at one; what counts as coverage here (the share that left, not the true
chance) was settled after those of three companies had been seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import campaign_effect, seeds, thin, treated
from .graded import NOTHING, block_rows, coverage
from .verdicts import Line
from .worlds import Effort, World

COMPANIES = (
    *(("campaign", seeds.ACCOUNTS, seed) for seed in seeds.SEEDS),
    ("no_campaign_effect", campaign_effect.ACCOUNTS, campaign_effect.SEED),
    ("thin", thin.ACCOUNTS, thin.SEED),
    *((regime, treated.ACCOUNTS, treated.SEED) for regime in treated.REGIMES),
)


def measure(effort: Effort) -> Iterator[Line]:
    """One pair of lines over all of them."""
    together = NOTHING
    worlds = [World("ranges", *company, effort) for company in COMPANIES]
    for world in worlds:
        told = world.ready().trained()
        together += coverage(block_rows(world.place.home, told.document["version"], world.truth("oracle")))
    for line in seeds.ranges(worlds[0], together):
        yield line.model_copy(update={"world": f"{len(worlds)} companies together"})
