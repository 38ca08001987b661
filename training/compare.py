"""Which way of scoring is better on these accounts, and is the difference more than luck?

The whole experiment on one screen: material, the same rows without a campaign calendar, every arm with the same effort,
one judgement on the untouched last weeks, a report, and a run in MLflow. Nothing is registered and nothing goes live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import DataContractError, UsageError
from features.phase_blind import phase_blind_features
from features.progress import Progress, silent
from features.settings import Home
from training.config import TrainingConfig
from training.contrasts import compared
from training.dataset import KEY
from training.experiment import ArmFacts, Comparison, ComparisonPlan
from training.experiment_words import findings, lines
from training.labels import horizon_labels
from training.material import Material, gather
from training.periods import Floats
from training.power import least_relative_fall
from training.registry import ComparedArm, ComparedRun, ModelRegistry
from training.rival_fits import Ground, Stated, arms_stated, same_rows
from training.rivals import Rival, rivals_named
from training.splits import split
from training.tested_rows import undecided
from training.truth import read_truth


@dataclass(frozen=True, slots=True)
class Asked:
    """Which arms are compared, how, and the truth/ folder of a made-up company where there is one."""

    arms: tuple[str, ...]
    plan: ComparisonPlan
    truth: Path | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison, where its report lies, and the MLflow run that keeps it."""

    comparison: Comparison
    report: Path
    run_id: str

    def lines(self) -> list[str]:
        """The comparison in words."""
        return [*lines(self.comparison), f"report: {self.report}"]

    def document(self) -> dict[str, Any]:
        """The whole comparison."""
        told = self.comparison.model_dump(mode="json")
        return {"run_id": self.run_id, "report": str(self.report), "comparison": told}


def compare(
    home: Home, as_of: datetime, *, config: TrainingConfig, asked: Asked, now: datetime, progress: Progress = silent
) -> Compared:
    """Make every arm on what is known at ``as_of``, compare them on the untouched last weeks, report and keep it.

    Raises:
        UsageError: fewer than two arms, an unknown one, or another target than churn.
        NoUsableSignal: too few outcomes, or too short a history, to learn from.
        MissingStateError: no features are built, or the folder holds no truth.
    """
    rivals = rivals_named(asked.arms)
    _require_churn(config)
    truth = read_truth(asked.truth) if asked.truth else None
    material = gather(home, as_of, config, progress=progress)
    blind = None
    if any(rival.blind for rival in rivals):
        built = phase_blind_features(home, material.snapshots[KEY], progress=progress)
        blind = same_rows(built, material)
    ground = ground_of(material, blind, config, asked.plan)
    comparison = judged(arms_stated(rivals, ground, progress=progress), ground, asked.plan, truth=truth)
    return kept(home, comparison, config, at=now)


def ground_of(material: Material, blind: pd.DataFrame | None, config: TrainingConfig, plan: ComparisonPlan) -> Ground:
    """What every arm stands on: the rows, the folds before the final block, and the rows of it that are judged."""
    blocks = split(material.as_ofs, material.data_cut, config)
    tested = blocks.final.test(material.cohort) & undecided(material)
    return Ground(material, blind, blocks, tested, config, plan.repeats)


def judged(
    stated: Sequence[Stated], ground: Ground, plan: ComparisonPlan, *, truth: pd.DataFrame | None = None
) -> Comparison:
    """Compare what the arms state on the judged rows.

    Raises:
        DataContractError: the truth does not know every judged row.
    """
    tested = ground.material.at(pd.Series(ground.tested))
    days = plan.headline_days
    labels = horizon_labels(tested.cohort, tested.decided, data_cut=tested.data_cut, config=ground.config)
    rows = pd.concat(
        [tested.cohort[[*KEY, "cluster_id"]], tested.snapshots[["phase", "days_to_decision", "is_evergreen"]]], axis=1
    )
    risks = {one.rival.name: one.risks for one in stated}
    arms = {one.rival.name: _facts(one.rival, one) for one in stated}
    slices = compared(rows, labels[f"y_{days}"].to_numpy(np.float64), risks, plan)
    graded = None
    if truth is not None:
        graded = compared(rows, _true_chances(rows, truth, days), risks, plan, graded_by_truth=True)
    base = slices["pooled"].base_rate
    accounts = int(rows["account_id"].nunique())
    first = stated[0].rival.name
    return Comparison(
        data_cut=tested.data_cut,
        first_as_of=rows["as_of"].min().to_pydatetime(),
        last_as_of=rows["as_of"].max().to_pydatetime(),
        snapshots=int(rows["as_of"].nunique()),
        rows=len(rows),
        accounts=accounts,
        plan=plan,
        first_arm=first,
        arms=arms,
        slices=slices,
        truth=graded,
        least_relative_fall=None if base is None else least_relative_fall(base, accounts),
        findings=findings(first, arms, slices, graded),
    )


def _require_churn(config: TrainingConfig) -> None:
    if config.target.recurs:
        raise UsageError(
            "arms are compared by who leaves",
            expected="a recipe with target churn",
            found=f"target {config.target}",
            todo=f"judge a model of {config.target} with `pulse train --target {config.target}`",
        )


def _facts(rival: Rival, one: Stated) -> ArmFacts:
    return ArmFacts(title=rival.title, about=rival.about, settings=one.settings)


def _true_chances(rows: pd.DataFrame, truth: pd.DataFrame, days: int) -> Floats:
    known = rows[KEY].merge(truth[[*KEY, f"p_{days}"]], on=KEY, how="left", validate="one_to_one")
    chances: Floats = known[f"p_{days}"].to_numpy(np.float64)
    lacking = int((~((chances >= 0) & (chances <= 1))).sum())
    if lacking:
        raise DataContractError(
            "the truth does not fit the judged rows",
            expected="a chance from 0 to 1 for every judged row",
            found=f"{lacking} of {len(rows)} rows without",
            todo="grade with the truth table of the same simulated run, or without truth",
        )
    return chances


def kept(home: Home, comparison: Comparison, config: TrainingConfig, *, at: datetime) -> Compared:
    """Write the report and the document of a comparison, and keep both as a run in MLflow."""
    # Drawing libraries take seconds to import and are needed nowhere else.
    from training.experiment_report import render  # noqa: PLC0415
    from training.forest_plot import forest  # noqa: PLC0415

    pictures = [forest(comparison, truth=truth) for truth in (False, True) if comparison.truth or not truth]
    page, document = render(comparison, pictures, made_at=at), comparison.model_dump_json(indent=1)
    run = ComparedRun(
        params=_params(comparison, config),
        arms=[ComparedArm(name, arm.settings, comparison.metrics(name)) for name, arm in comparison.arms.items()],
        documents={"comparison.html": page, "comparison.json": document},
    )
    run_id = ModelRegistry(home).record_comparison(run, at=at)
    folder = home.reports / f"comparison-{comparison.data_cut.date()}-{run_id[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(document)
    report = folder / "comparison.html"
    report.write_text(page)
    return Compared(comparison, report, run_id)


def _params(comparison: Comparison, config: TrainingConfig) -> Mapping[str, object]:
    arms = ",".join(comparison.arms)
    return {"arms": arms, "as_of": comparison.data_cut.date(), "trials": config.trials, "seed": config.seed}
