"""How does a model come to life, from rows to a verdict, and how does it go live?

The whole story on one screen. Everything is known at ``as_of`` at the latest; the last weeks are touched once, by the
judgement; nothing goes live but by a passed verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.errors import MissingStateError
from features.progress import Progress, silent
from features.settings import Home
from training import promotions
from training.bundle import Bundle
from training.calibrate import Calibration, calibrate
from training.candidates import read_candidates
from training.config import TrainingConfig
from training.dataset import training_rows
from training.fit import Fitted, fit_hazard
from training.judging import judge
from training.leak_report import LeakReport
from training.leaks import look_for_leaks
from training.material import Material, gather
from training.model import load_bundle, prove_in_child
from training.packing import Provenance, make_bundle, write_bundle
from training.promotions import Promotion
from training.reference import reference_portfolio
from training.registry import ModelRegistry, Trial
from training.reliability import choose_half_weight_weeks
from training.search import SearchOutcome, search
from training.splits import Fold, split
from training.telling import Judged, Listing, Trained, facts_of, store_report
from training.truth import read_truth


def train(
    home: Home,
    as_of: datetime,
    *,
    config: TrainingConfig,
    now: datetime,
    truth: Path | None = None,
    progress: Progress = silent,
) -> Trained:
    """Search, fit, calibrate and judge a model on what is known at ``as_of``, and register it with its verdict.

    Raises:
        NoUsableSignal: too few outcomes, or too short a history, to learn from.
        LeakFound: a feature knows the outcome before it happened.
        MissingStateError: no features are built.
    """
    true_chances = read_truth(truth) if truth else None
    material = gather(home, as_of, config, progress=progress)
    look_for_leaks(material, config).require_none()
    learnt = _learn(material, config, progress)

    registry = ModelRegistry(home)
    booster = learnt.fitted.booster
    opened = registry.open_version(booster, inputs=booster.feature_name(), params=learnt.params())
    bundle = _packed(learnt, material, opened.version, config)
    folder = write_bundle(home.bundles / opened.version, bundle, learnt.portfolio)

    judgement = judge(bundle, folder, material, learnt.final, truth=true_chances, progress=progress)
    report = store_report(home, judgement, facts_of(bundle, learnt.past, material.census, judgement, now))
    registry.record_trials(opened, [Trial(t.number, t.params, t.value) for t in learnt.found.trials], at=now)
    registry.close_version(
        opened,
        bundle=folder,
        documents={"report": report},
        metrics=judgement.evaluation.metrics(),
        verdict=judgement.verdict.model_dump(mode="json"),
        at=now,
    )
    fitted = learnt.fitted
    return Trained(opened.version, judgement, report, events=fitted.events, notes=fitted.notes, census=material.census)


def leakcheck(
    home: Home,
    as_of: datetime,
    *,
    config: TrainingConfig,
    candidates: Path | None = None,
    progress: Progress = silent,
) -> LeakReport:
    """Ask every feature, and every column of a file of candidates, whether it knows outcomes that had not happened."""
    material = gather(home, as_of, config, progress=progress)
    offered = read_candidates(candidates, material.snapshots) if candidates else None
    return look_for_leaks(material, config, candidates=offered)


def evaluate(
    home: Home, version: str | None, *, now: datetime, truth: Path | None = None, progress: Progress = silent
) -> Judged:
    """Judge a registered model again on its own untouched last weeks; by default the live one, else the newest."""
    true_chances = read_truth(truth) if truth else None
    chosen = ModelRegistry(home).version(version or _default_version(home)).version
    folder = home.bundles / chosen
    bundle = load_bundle(folder)
    data_cut = datetime.fromisoformat(bundle.facts["data_cut"])
    material = gather(home, data_cut, bundle.config, progress=progress)
    final = split(material.as_ofs, data_cut, bundle.config).final
    judgement = judge(bundle, folder, material, final, truth=true_chances, progress=progress)
    rows = training_rows(material.cohort, material.snapshots, material.decided, data_cut=data_cut, config=bundle.config)
    past = rows[final.train(rows)]
    report = store_report(home, judgement, facts_of(bundle, past, material.census, judgement, now))
    return Judged(version=chosen, judgement=judgement, report=report)


def promote(home: Home, version: str, *, who: str, why: str, at: datetime) -> Promotion:
    """Put a version live by its verdict, after its files were proved in a process of their own.

    Raises:
        GateRefused: it has no passed verdict.
        IntegrityError: its files are not the ones that were registered.
    """
    registry = ModelRegistry(home)
    registered = registry.version(version)
    prove_in_child(home.bundles / version)
    promotion = promotions.promote(home, version, who=who, why=why, verdict=registered.verdict or {}, at=at)
    registry.mirror_champion(version)
    return promotion


def rollback(home: Home, *, who: str, why: str, at: datetime) -> Promotion:
    """Put the version live again that was live before."""
    promotion = promotions.rollback(home, who=who, why=why, at=at)
    ModelRegistry(home).mirror_champion(promotion.version_to)
    return promotion


def models(home: Home) -> Listing:
    """Every registered version, newest first, and the promotion log."""
    return Listing(ModelRegistry(home).versions(), promotions.log(home))


def _default_version(home: Home) -> str:
    champion = promotions.current(home)
    if champion is not None:
        return champion.version
    versions = ModelRegistry(home).versions()
    if not versions:
        raise MissingStateError(
            "there is no model to judge",
            expected="a registered model",
            found="none",
            todo="run `pulse train --as-of DATE`",
        )
    return versions[0].version


@dataclass(frozen=True, slots=True)
class _Learnt:
    # What came out of the rows before the final block.
    past: pd.DataFrame
    found: SearchOutcome
    fitted: Fitted
    calibration: Calibration
    half_weight_weeks: float
    portfolio: pd.DataFrame
    final: Fold

    def params(self) -> dict[str, object]:
        found = {"rounds": self.found.rounds, "within_window_log_loss": self.found.value}
        return {**self.found.params, **found, "trials": len(self.found.trials)}


def _learn(material: Material, config: TrainingConfig, progress: Progress) -> _Learnt:
    blocks = split(material.as_ofs, material.data_cut, config)
    rows = training_rows(
        material.cohort, material.snapshots, material.decided, data_cut=material.data_cut, config=config
    )
    past = rows[blocks.final.train(rows)].reset_index(drop=True)
    found = search(past, blocks.walk_forward, config, progress=progress)
    fitted = fit_hazard(past, found.params, found.rounds, config)
    calibration = calibrate(found.out_of_fold, config)
    return _Learnt(
        past=past,
        found=found,
        fitted=fitted,
        calibration=calibration,
        half_weight_weeks=choose_half_weight_weeks(found.out_of_fold, calibration, config),
        portfolio=reference_portfolio(material.snapshots, blocks.final.test_first, config),
        final=blocks.final,
    )


def _packed(learnt: _Learnt, material: Material, version: str, config: TrainingConfig) -> Bundle:
    seen = learnt.past["as_of"]
    return make_bundle(
        learnt.fitted,
        learnt.calibration,
        learnt.portfolio,
        half_weight_weeks=learnt.half_weight_weeks,
        provenance=Provenance(version, seen.min(), seen.max(), material.data_cut),
        config=config,
    )
