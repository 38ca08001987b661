"""Would the same data tell the same reasons, had another seed and another draw of accounts made the model?

Input: a bundle, the person-periods it learnt from, the judged rows. Each refit uses the settings and rounds that were
found, a seed of its own, and accounts drawn with replacement; calibration stays. Output grain: the judged rows, with
what moved for a sample of them. It costs :data:`REFITS` times what the final fit costs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from features.progress import Progress, silent
from features.vocabulary import Subcategory
from training.boosting import model_text
from training.bundle import Bundle, owners_of
from training.explainer import Explainer
from training.fit import refitted
from training.model import native_booster
from training.periods import Floats
from training.scorecard import points_of, summed
from training.weeks import STRONGEST, Integers, overlap

REFITS = 3
"""Models; a mean over three tells whether reasons hold or not."""
KEPT, TOP_KEPT, MOVED = "refit_reasons_kept", "refit_top_kept", "refit_moved_"
_EXPLAINED = 400
"""Rows of each kind behind it; half a width of the interval is then about 0.03."""
_SEED_STEP = 7_919
"""Between the seeds of refits, far from those of the search."""


def refitted_columns(
    bundle: Bundle, past: pd.DataFrame, tested: pd.DataFrame, portfolio: pd.DataFrame, *, progress: Progress = silent
) -> pd.DataFrame:
    """What a refit moves, per tested row; NaN outside a sample.

    Columns: the mean share of the three strongest reasons that a refit has among its three, the share of refits with
    the same strongest subcategory, and how far each subcategory's points move, in points of health.
    ``portfolio`` are the feature rows that points are counted against.
    """
    asked, usual = _spread_out(len(tested)), portfolio.iloc[_spread_out(len(portfolio))].reset_index(drop=True)
    rows = tested.iloc[asked].reset_index(drop=True)
    own = _points(bundle, rows, usual)
    parts = _by_part(bundle, own)
    kept, top, moved = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros_like(parts)
    for refit in range(REFITS):
        other = _points(_refit(bundle, past, refit), rows, usual)
        other_parts = _by_part(bundle, other)
        kept += overlap(_strongest(own), _strongest(other)) / REFITS
        top += (np.abs(parts).argmax(axis=1) == np.abs(other_parts).argmax(axis=1)) / REFITS
        moved += np.abs(other_parts - parts) / REFITS
        progress("refit", refit + 1, REFITS)
    columns = {KEPT: kept, TOP_KEPT: top, **{f"{MOVED}{part}": moved[:, at] for at, part in enumerate(Subcategory)}}
    return pd.DataFrame({name: _placed(values, asked, len(tested)) for name, values in columns.items()})


def redrawn(past: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Person-periods of accounts drawn with replacement, as many as there are; a row drawn twice weighs twice."""
    accounts = sorted(past["account_id"].unique())
    draws = np.random.default_rng(seed).multinomial(len(accounts), np.full(len(accounts), 1 / len(accounts)))
    times = past["account_id"].map(dict(zip(accounts, draws.tolist(), strict=True)))
    return past.assign(weight=past["weight"] * times)[(times > 0).to_numpy()].reset_index(drop=True)


def _refit(bundle: Bundle, past: pd.DataFrame, refit: int) -> Bundle:
    seed = bundle.config.seed + _SEED_STEP * (refit + 1)
    config = bundle.config.model_copy(update={"seed": seed})
    facts, rows = bundle.facts, redrawn(past, seed)
    booster = refitted(rows, facts["params"], int(facts["rounds"]), config, events=int(facts["events"]))
    owners = owners_of(bundle.features, bundle.subcategories)
    explainer = Explainer(native_booster(model_text(booster)), owners, len(Subcategory))
    return replace(bundle, explainer=explainer)


def _points(bundle: Bundle, rows: pd.DataFrame, usual: pd.DataFrame) -> Floats:
    told, mean = bundle.contributions(rows)[:, :-1], bundle.contributions(usual)[:, :-1].mean(axis=0)
    points: Floats = points_of(told, mean, bundle.calibration.slope, bundle.config.scale)
    return points[:, : len(bundle.model_features)]


def _by_part(bundle: Bundle, points: Floats) -> Floats:
    owners = owners_of(bundle.features, bundle.subcategories)[: points.shape[1]]
    places = [[at for at, owner in enumerate(owners) if owner == part] for part in range(len(Subcategory))]
    return np.column_stack([summed(points, own) for own in places])


def _strongest(points: Floats) -> Integers:
    order: Integers = np.argsort(-np.abs(points), axis=1, kind="stable")[:, :STRONGEST]
    return order


def _spread_out(rows: int) -> Integers:
    return np.unique(np.linspace(0, rows - 1, _EXPLAINED).astype(np.int64))


def _placed(values: Floats, asked: Integers, rows: int) -> Floats:
    placed = np.full(rows, np.nan)
    placed[asked] = values
    return placed
