"""What would the leads' weights have done, and are they in force?

Input: a home with a model, a file of weights, a date. Every snapshot up to ``as_of`` that the model did not learn from
is scored again and asked.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from features.errors import UsageError
from features.progress import Progress, silent
from features.settings import Home
from training.evaluation import EvaluationPlan
from training.material import gather
from training.model import load_bundle
from training.policy import PolicyWeights
from training.policy_backtest import PolicyBacktest, backtest
from training.policy_log import PolicyChange, put_in_force
from training.promotions import require_current
from training.tested_rows import judged_rows
from training.untouched import untouched


def weigh(home: Home, weights: Path, as_of: datetime, *, progress: Progress = silent) -> PolicyBacktest:
    """Backtest a file of weights against the live model on what is known at ``as_of``; nothing is changed.

    Raises:
        ConfigError: the file cannot be read.
        MissingStateError: no model is live, or nothing is built.
        UsageError: the date lies before the end of what the model learnt from.
    """
    asked = PolicyWeights.read(weights)
    bundle = load_bundle(require_current(home).folder)
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    if as_of < cut:
        # At an earlier date the block that the model was kept from cannot be told from what it learnt from.
        raise UsageError(
            "the weights cannot be tried on what the live model learnt from",
            expected=f"a date from {cut.date()} on, when its data ended",
            found=str(as_of.date()),
            todo="give a later --as-of",
        )
    material = gather(home, as_of, bundle.config, progress=progress)
    kept = untouched(material, [bundle])
    rows = judged_rows(kept, bundle.score(kept.snapshots), bundle.config)
    plan = EvaluationPlan(headline_days=bundle.config.headline_days)
    return backtest(rows, asked, model_version=bundle.version, plan=plan)


def activate(
    home: Home, weights: Path, as_of: datetime, *, said: tuple[str, str], at: datetime, progress: Progress = silent
) -> tuple[PolicyBacktest, PolicyChange]:
    """Backtest, then put weights in force (``said``: who, why); the backtest is kept with them. Raises as above."""
    found = weigh(home, weights, as_of, progress=progress)
    change = PolicyChange(at, said[0], said[1], PolicyWeights.read(weights), found.model_dump(mode="json"))
    return found, put_in_force(home, change)
