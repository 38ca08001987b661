"""What does the model owe to each part of its inputs, and does it hold in a season that it never saw?

Input: a registered version and its material. Every refit uses the settings and rounds that the search found, on what
was final before the final block; only what it may see differs. Output: :class:`Ablation`. It costs one fit for the
whole, two per subcategory and one per campaign year: about twenty, as much as two trials of the search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from features.catalogue import MODEL_FEATURES, feature_named
from features.progress import Progress, silent
from features.settings import Home
from features.vocabulary import Subcategory
from training.ablation_parts import Ablation, ArmWithout, SeasonLeftOut
from training.arms import compared_arms
from training.boosting import margins
from training.bundle import Bundle
from training.capacity import outcome_count
from training.config import TrainingConfig
from training.dataset import training_rows
from training.estimates import Question
from training.evaluation import CHAMPION, EvaluationPlan
from training.fit import fit_hazard
from training.inputs import numbers_of
from training.judged import Judged
from training.material import Material, gather
from training.metrics import Floats
from training.periods import TIMING_INPUTS, Timing, timing_inputs
from training.reading import lead_in_words, read_in_words
from training.splits import Mask, block_of
from training.tested_rows import judged_rows, undecided

_FIRST_MONTH = 7
"""A campaign year begins in July, between the seasons: award season and March Madness lie in one year."""
_WITHOUT, _ALONE = "without_", "only_"
_LEAST_SNAPSHOTS = 6
"""Half a campaign year of snapshots is the least that is called one."""


@dataclass(frozen=True, slots=True)
class _Bench:
    # The rows to learn from, the settings that were found, and the rows that are judged.
    past: pd.DataFrame
    params: Mapping[str, Any]
    rounds: int
    tested: Material
    config: TrainingConfig


def ablation(
    home: Home, bundle: Bundle, *, alone: bool = True, seasons: bool = True, progress: Progress = silent
) -> Ablation:
    """Refit without each subcategory, with it alone, and without each campaign year.

    Raises:
        MissingStateError: no snapshot is built.
        NoUsableSignal: too few outcomes to learn from.
    """
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    material = gather(home, cut, bundle.config, progress=progress)
    bench = _bench(material, bundle)
    seen = {CHAMPION: tuple(MODEL_FEATURES), **_seen_by(alone=alone)}
    years = _years(bench) if seasons else []
    total = len(seen) + len(years)
    risks = {}
    for done, (name, kept) in enumerate(seen.items(), start=1):
        risks[name] = _raw_risk(_refitted(bench, kept), bench.tested.snapshots, bench.config)
        progress("refit", done, total)
    left_out: dict[str, SeasonLeftOut | int] = {}
    for done, year in enumerate(years, start=len(seen) + 1):
        left_out[f"{year}/{(year + 1) % 100:02d}"] = _season(material, bench, bundle, year)
        progress("refit", done, total)
    return _document(bundle, _judged(bench.tested, bundle, risks), seen, left_out)


def _bench(material: Material, bundle: Bundle) -> _Bench:
    config, final = bundle.config, block_of(material.as_ofs, bundle.facts, bundle.config)
    rows = training_rows(
        material.cohort, material.snapshots, material.decided, data_cut=material.data_cut, config=config
    )
    past = rows[final.train(rows)].reset_index(drop=True)
    tested = material.at(pd.Series(final.test(material.cohort) & undecided(material)))
    return _Bench(past, bundle.facts["params"], int(bundle.facts["rounds"]), tested, config)


def _seen_by(*, alone: bool) -> dict[str, tuple[str, ...]]:
    parts = {part: [name for name in MODEL_FEATURES if feature_named(name).subcategory is part] for part in Subcategory}
    present = {part: names for part, names in parts.items() if names}
    seen = {
        f"{_WITHOUT}{part}": tuple(name for name in MODEL_FEATURES if name not in names)
        for part, names in present.items()
    }
    return seen | ({f"{_ALONE}{part}": tuple(names) for part, names in present.items()} if alone else {})


def _refitted(bench: _Bench, kept: Sequence[str], chosen: Mask | None = None) -> Any:
    rows = bench.past if chosen is None else bench.past[chosen].reset_index(drop=True)
    hidden = [name for name in MODEL_FEATURES if name not in kept]
    return fit_hazard(rows.drop(columns=hidden), bench.params, bench.rounds, bench.config).booster


def _raw_risk(booster: Any, snapshots: pd.DataFrame, config: TrainingConfig) -> Floats:
    """The risk of the headline horizon before calibration: its order is what is judged."""
    features = [name for name in booster.feature_name() if name not in TIMING_INPUTS]
    numbers, timing, ones = numbers_of(snapshots, features), Timing.of(snapshots), np.ones(len(snapshots))
    staying = np.ones(len(snapshots))
    for low, high in config.intervals_days:
        if high <= config.headline_days:
            inputs = np.hstack([numbers, timing_inputs(timing, low * ones, high * ones)])
            staying *= expit(-margins(booster, inputs))
    return 1.0 - staying


def _judged(tested: Material, bundle: Bundle, risks: Mapping[str, Floats]) -> Judged:
    rows = judged_rows(tested, bundle.score(tested.snapshots), bundle.config)
    headline = f"risk_{bundle.config.headline_days}"
    columns = {headline if name == CHAMPION else f"{headline}_{name}": risk for name, risk in risks.items()}
    return Judged.of(rows.assign(**columns), EvaluationPlan(headline_days=bundle.config.headline_days))


def _years(bench: _Bench) -> list[int]:
    """The campaign years, by the year of their July, with enough snapshots, and others beside them to learn from."""
    years, counts = np.unique(campaign_year(pd.Series(bench.past["as_of"].unique())), return_counts=True)
    enough = [int(year) for year, count in zip(years, counts, strict=True) if count >= _LEAST_SNAPSHOTS]
    return enough if len(years) > 1 else []


def campaign_year(moments: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    """The year in whose July the campaign year of each moment began."""
    return moments.dt.year - (moments.dt.month < _FIRST_MONTH)


def _season(material: Material, bench: _Bench, bundle: Bundle, year: int) -> SeasonLeftOut | int:
    """Ranking in one year by a model whose periods all closed before it, or were seen after it.

    Where too few accounts left in these to learn from, only their number.
    """
    begin, end = (pd.Timestamp(year=one, month=_FIRST_MONTH, day=1, tz="UTC") for one in (year, year + 1))
    apart = ((bench.past["closes_at"] <= begin) | (bench.past["as_of"] >= end)).to_numpy()
    outcomes = outcome_count(bench.past[apart])
    if outcomes < bench.config.least_events:
        return outcomes
    booster = _refitted(bench, MODEL_FEATURES, apart)
    inside = (campaign_year(material.cohort["as_of"]) == year).to_numpy() & undecided(material)
    tested = material.at(pd.Series(inside))
    judged = _judged(tested, bundle, {CHAMPION: _raw_risk(booster, tested.snapshots, bench.config)})
    days = bench.config.headline_days
    everyone = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    due = everyone.among(judged.in_window(days))
    risk = judged.arm(CHAMPION)
    far, near = everyone.ranked(risk), due.ranked(risk)
    auc = due.estimate(near.auc)
    return SeasonLeftOut(
        rows=len(everyone.rows),
        auc_window=auc,
        auc_pooled=everyone.estimate(far.auc),
        ap_window=due.estimate(near.ap),
        words=read_in_words(auc).words,
    )


def _document(
    bundle: Bundle,
    judged: Judged,
    seen: Mapping[str, Sequence[str]],
    left_out: Mapping[str, SeasonLeftOut | int],
) -> Ablation:
    seasons = {year: found for year, found in left_out.items() if isinstance(found, SeasonLeftOut)}
    found = compared_arms(judged)
    outcomes = found.arms[CHAMPION].auc_pooled.outcomes or 0

    def arms(prefix: str) -> dict[str, ArmWithout]:
        return {
            name.removeprefix(prefix): ArmWithout(
                features=len(seen[name]),
                ranking=found.arms[name],
                lead=found.deltas[name],
                words=lead_in_words("auc_window", found.deltas[name].auc_window, outcomes),
            )
            for name in seen
            if name.startswith(prefix)
        }

    return Ablation(
        version=bundle.version,
        headline_days=bundle.config.headline_days,
        rows=len(judged.rows),
        outcomes=outcomes,
        fits=len(seen) + len(seasons),
        whole=found.arms[CHAMPION],
        without=arms(_WITHOUT),
        alone=arms(_ALONE),
        seasons=seasons,
        too_thin={year: found for year, found in left_out.items() if isinstance(found, int)},
    )
