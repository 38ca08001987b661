"""When health falls and invoices stay punctual, does the full model warn in time where a finance-only one cannot?

Both models learnt only from before the rollout. From its first week on they are lived week by week, with the new alerts
that customer success can work on, as the report of a training counts them: with one for every renewal, timing alone
flags three of four. A leaver counts when the rollout took the account; a warning is in time 8 weeks before it decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from features.catalogue import FEATURES, MODEL_FEATURES
from features.vocabulary import Subcategory, parse_moment
from training.capacity_replay import rankings
from training.detection import Leavers, measured
from training.episodes import Walk, begun_by_rank
from training.evaluation import CHAMPION, EvaluationPlan
from training.judged import Judged
from training.material import gather
from training.model import load_bundle
from training.weeks import gather_weeks, scored_weeks, still_open, timing_risk

from .verdicts import Line, Measured, Outcome, holds
from .worlds import LAST, Effort, World, one_command_each

ACCOUNTS, SEED = 1500, 90026
"""90016 is used up: there it was seen that as many alerts as renewals miss nobody, whatever ranks them."""
TRAINED = "2023-07-03"
"""The last outcome it learns from lies half a year and more before: before the rollout of January 2023."""
ROLLOUT = "2023-01-02"
FLAGGED = 0.5


def measure(effort: Effort) -> Iterator[Line]:
    """Both models on those whom the rollout took and who left."""
    world = World("shock", "shock", effort.accounts or ACCOUNTS, effort.seed_or(SEED), effort).ready()
    world.place.step("build-weekly", "build", "--from", ROLLOUT, "--to", LAST)
    told = world.trained(as_of=TRAINED)
    yield one_command_each(world)
    finance = world.trained("train-finance", as_of=TRAINED, recipe=_finance_only(world.place.root))
    full, leavers = early_share(world, told.document["version"])
    alone, _ = early_share(world, finance.document["version"])
    reaches = full.high is not None and full.high >= FLAGGED
    kept = full.value is not None and full.value >= FLAGGED
    yield world.line(
        f"the full model flags at least {FLAGGED:.0%} of hit leavers 8 weeks before notice",
        full,
        Outcome.PASS if kept else Outcome.UNDERPOWERED if reaches else Outcome.FAIL,
        f"{leavers} leavers that the rollout took",
    )
    missed = alone.value is not None and full.value is not None and alone.value < min(FLAGGED, full.value)
    yield world.line(f"a finance-only model misses them (below {FLAGGED:.0%}, and below the full one)", alone,
                     holds(missed), f"the full model {full.told()}")  # fmt: skip


def _finance_only(folder: Path) -> Path:
    kept = {feature.name for feature in FEATURES if feature.subcategory is Subcategory.FINANCIAL}
    recipe = folder / "finance-only.yaml"
    recipe.write_text(yaml.safe_dump({"vetoed_features": [name for name in MODEL_FEATURES if name not in kept]}))
    return recipe


def early_share(world: World, version: str) -> tuple[Measured, int]:
    """Share of hit leavers with a right alert at least 8 weeks before they decided, and how many they are."""
    home, bundle = world.place.home, load_bundle(world.place.home.bundles / version)
    begin, end = parse_moment(ROLLOUT), parse_moment(LAST)
    material = gather(home, end, bundle.config)
    weeks = still_open(gather_weeks(home, material, begin, end - bundle.config.settling))
    rows = scored_weeks(bundle, weeks, timing_risk(material, weeks.snapshots, begin, bundle.config))
    judged = Judged.of(rows, EvaluationPlan(headline_days=bundle.config.headline_days))
    walk, leavers = Walk.of(judged.rows), Leavers.of(judged)
    alerts = begun_by_rank(walk, rankings(judged)[CHAMPION], walk.paced(judged.plan.capacity))
    taken = set(world.truth("rollout_accounts")["account_id"])
    hit = leavers.chosen(judged.rows["account_id"].iloc[leavers.rows].isin(taken).to_numpy())
    found = measured(judged, hit, alerts).record().early_before_decision
    return Measured(value=found.value, low=found.low, high=found.high), len(hit.rows)
