"""How does a model come to life, from rows to a verdict, and how does it go live?

The whole story on one screen. Everything is known at ``as_of`` at the latest; the last weeks are touched once, by the
judgement; nothing goes live but by a passed verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.errors import MissingStateError, UsageError
from features.progress import Progress, silent
from features.settings import Home
from training import governance, promotions
from training.bundle import Bundle
from training.calibrate import Calibration, calibrate
from training.candidates import read_candidates
from training.challengers import challenger_changes
from training.config import TrainingConfig
from training.dataset import training_rows
from training.effort import ALONE, Effort
from training.fit import Fitted, fit_hazard
from training.given import given
from training.governance import Approval, Governance
from training.held_out import Caution, caution_of
from training.judging import judge
from training.leak_report import LeakReport
from training.leaks import look_for_leaks
from training.level import at_own_level
from training.material import Material, gather
from training.model import load_bundle, prove_in_child
from training.monitoring import monitor as watch_model
from training.packing import Provenance, make_bundle, write_bundle
from training.preview import Preview
from training.previewing import preview as preview_change
from training.previewing import stored_preview
from training.promotions import Promotion
from training.reference import reference_portfolio
from training.registry import ModelRegistry, RegisteredVersion, Trial
from training.roles import Decision, Role
from training.search import SearchOutcome, search
from training.splits import Fold, split
from training.target import Target, target_of
from training.telling import Judged, Listing, Trained, facts_of, store_report
from training.truth import truth_for
from training.watch_parts import Watch


def train(  # noqa: PLR0913 - a training is told all of these
    home: Home,
    as_of: datetime,
    *,
    config: TrainingConfig,
    now: datetime,
    truth: Path | None = None,
    effort: Effort = ALONE,
    progress: Progress = silent,
) -> Trained:
    """Search, fit, calibrate and judge a model on what is known at ``as_of``, and register it with its verdict.

    Raises:
        NoUsableSignal: too few outcomes, or too short a history, to learn from.
        LeakFound: a feature knows the outcome before it happened.
        MissingStateError: no features are built, or there is no search to go on with.
        ServiceUnavailable: a worker of the search died, or the cluster cannot fit.
    """
    true_chances = truth_for(truth, config.target)
    material = gather(home, as_of, config, progress=progress)
    leaks = look_for_leaks(material, config)
    leaks.require_none()
    # Kept in the home, so that an interrupted search can go on.
    learnt = _learn(material, config, progress, replace(effort, studies=home.studies))

    registry = ModelRegistry(home, config.target)
    opened = learnt.opened_in(registry)
    bundle = _packed(learnt, material, opened.version, config)
    folder = write_bundle(home.bundles / opened.version, bundle, learnt.portfolio)

    beside = given(home, opened.version, material, learnt.final, truth=true_chances, leaks=leaks)
    judgement = judge(bundle, folder, material, learnt.final, given=beside, progress=progress)
    report = store_report(home, judgement, facts_of(bundle, learnt.past, material.census, judgement, now))
    registry.record_trials(opened, [Trial(t.number, t.params, t.value) for t in learnt.found.trials], at=now)
    metrics, verdict = judgement.evaluation.metrics(), judgement.verdict.model_dump(mode="json")
    registry.close_version(
        opened, bundle=folder, documents={"report": report}, metrics=metrics, verdict=verdict, at=now
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
    reference = version or _default_version(home)
    target, _ = target_of(reference)
    true_chances = truth_for(truth, target)
    chosen = ModelRegistry(home, target).version(reference).version
    folder = home.bundles / chosen
    bundle = load_bundle(folder)
    _require_own_judgement(bundle)
    data_cut = datetime.fromisoformat(bundle.facts["data_cut"])
    material = gather(home, data_cut, bundle.config, progress=progress)
    final = split(material.as_ofs, data_cut, bundle.config).final
    leaks = look_for_leaks(material, bundle.config)
    beside = given(home, chosen, material, final, truth=true_chances, leaks=leaks)
    judgement = judge(bundle, folder, material, final, given=beside, progress=progress)
    rows = training_rows(material.cohort, material.snapshots, material.decided, data_cut=data_cut, config=bundle.config)
    past = rows[final.train(rows)]
    report = store_report(home, judgement, facts_of(bundle, past, material.census, judgement, now))
    return Judged(version=chosen, judgement=judgement, report=report)


def preview(home: Home, version: str, as_of: datetime, *, progress: Progress = silent) -> tuple[Preview, Path]:
    """Say who would change band and how much revenue would move, were this version live; the page's path, too.

    Raises:
        UsageError: the version is live, or there is no such version.
        MissingStateError: no snapshot is built near ``as_of``.
    """
    chosen, champion = ModelRegistry(home).version(version).version, promotions.current(home)
    if champion is not None and champion.version == chosen:
        raise UsageError(
            f"version {version} is live already",
            expected="a version that is not live",
            found="the live one",
            todo="run `pulse models` to see the others",
        )
    live = load_bundle(champion.folder) if champion else None
    return preview_change(home, load_bundle(home.bundles / chosen), live, as_of, progress=progress)


def decide(
    home: Home, version: str, role: Role, decision: Decision, *, said: tuple[str, str], at: datetime
) -> Approval:
    """Write down that a person (``said``: who, why) approves of a version, or takes the approval back.

    Raises:
        MissingStateError: what would change against the model live now was not shown yet.
        UsageError: no such version, one person in two roles, or nothing to withdraw.
    """
    chosen, champion = ModelRegistry(home).version(version).version, promotions.current(home)
    against = champion.version if champion else None
    seen = stored_preview(home, chosen)
    if seen is None or seen.live != against:
        raise MissingStateError(
            f"what version {version} would change has not been shown",
            expected="a preview against the model that is live now",
            found="none" if seen is None else "one against another model",
            todo=f"run `pulse preview {version} --as-of DATE` and read it",
        )
    approval = Approval(at, said[0], role, chosen, against, decision, said[1])
    return governance.record(home, approval, Governance.from_environment())


def promote(home: Home, version: str, *, who: str, why: str, at: datetime, rule: Governance | None = None) -> Promotion:
    """Put a version live by its verdict, after its files were proved in a process of their own.

    ``rule`` says whose approval it needs, by default the file that ``PULSE_GOVERNANCE`` names.

    Raises:
        GateRefused: it has no passed verdict, or an approval is missing.
        IntegrityError: its files are not the ones that were registered.
    """
    registry, champion = ModelRegistry(home), promotions.current(home)
    registered = registry.version(version)
    against = champion.version if champion else None
    governance.require_approvals(home, version, against=against, rule=rule or Governance.from_environment())
    prove_in_child(home.bundles / version)
    promotion = promotions.promote(home, version, who=who, why=why, verdict=registered.verdict or {}, at=at)
    registry.mirror_champion(version)
    return promotion


def monitor(
    home: Home, as_of: datetime, *, version: str | None, at: datetime, progress: Progress = silent
) -> tuple[Watch, Path]:
    """Watch a version (by default the live one) with what is known at ``as_of``, and keep a run of it; the page's path.

    Raises:
        MissingStateError: no model is live, or nothing is built.
        UsageError: the date lies before the end of what the model learnt from.
    """
    found, page = watch_model(home, as_of, version=version, progress=progress)
    ModelRegistry(home).record_watch(found.model_version, page, found.metrics(), at=at)
    return found, page


def rollback(home: Home, *, who: str, why: str, at: datetime) -> Promotion:
    """Put the version live again that was live before."""
    promotion = promotions.rollback(home, who=who, why=why, at=at)
    ModelRegistry(home).mirror_champion(promotion.version_to)
    return promotion


def models(home: Home) -> Listing:
    """Every registered version, newest first, the promotion log and the approvals."""
    others = [one for each in Target if each.recurs for one in ModelRegistry(home, each).versions()]
    versions, beside = ModelRegistry(home).versions(), challenger_changes(home)
    return Listing(versions, promotions.log(home), governance.approvals(home), others, beside)


def bundle_of(home: Home, version: str | None) -> Bundle:
    """The bundle of a registered version; by default the live one, else the newest."""
    return load_bundle(home.bundles / ModelRegistry(home).version(version or _default_version(home)).version)


def _require_own_judgement(bundle: Bundle) -> None:
    # Its line was fitted on rows of the block: nothing that was fitted may be judged by what it has seen.
    if (made_from := bundle.facts.get("recalibrated_from")) is not None:
        raise UsageError(
            f"version {bundle.version} was judged when it was made",
            expected="a version that was trained",
            found=f"version {made_from} with other chances, fitted on the same weeks",
            todo=f"run `pulse evaluate --model {made_from}`, or `pulse monitor --model {bundle.version}` later",
        )


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
    caution: Caution
    portfolio: pd.DataFrame
    final: Fold

    def opened_in(self, registry: ModelRegistry) -> RegisteredVersion:
        found = {"rounds": self.found.rounds, "within_window_log_loss": self.found.value}
        loadings = {f"loading_{name}": loading for name, loading in self.fitted.loadings.items()}
        params = {**self.found.params, **found, **loadings, "trials": len(self.found.trials)}
        return registry.open_version(self.fitted.booster, inputs=self.fitted.booster.feature_name(), params=params)


def _learn(material: Material, config: TrainingConfig, progress: Progress, effort: Effort = ALONE) -> _Learnt:
    blocks = split(material.as_ofs, material.data_cut, config)
    rows = training_rows(
        material.cohort, material.snapshots, material.decided, data_cut=material.data_cut, config=config
    )
    past = rows[blocks.final.train(rows)].reset_index(drop=True)
    found = search(past, blocks.walk_forward, config, effort=effort, progress=progress)
    fitted = fit_hazard(past, found.params, found.rounds, config, cluster=effort.cluster)
    platt = calibrate(found.out_of_fold, config)
    return _Learnt(
        past=past,
        found=found,
        fitted=replace(fitted, notes=tuple(dict.fromkeys((*fitted.notes, *found.notes)))),
        calibration=at_own_level(platt, fitted.booster, past, blocks.walk_forward),
        caution=caution_of(found, blocks, platt, snapshots=material.snapshots, decided=material.decided, config=config),
        portfolio=reference_portfolio(material.snapshots, blocks.final.test_first, config),
        final=blocks.final,
    )


def _packed(learnt: _Learnt, material: Material, version: str, config: TrainingConfig) -> Bundle:
    seen = learnt.past["as_of"]
    return make_bundle(
        learnt.fitted,
        learnt.calibration,
        learnt.portfolio,
        caution=learnt.caution,
        provenance=Provenance(version, seen.min(), seen.max(), material.data_cut),
        config=config,
    )
