"""What is told, and kept, about a training, a judgement and the models there are?

Input: judgements and registered versions. Output: lines for people, JSON documents for programs, report files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import GateRefused, NoUsableSignal, PulseError
from features.settings import Home
from training.bundle import Bundle
from training.capacity import outcome_count
from training.challengers import ChallengerChange
from training.config import TrainingConfig
from training.decisions import TermCensus
from training.findings import arm_name, calibration_finding, skill_finding, with_interval
from training.governance import Approval
from training.judging import Judgement
from training.promotions import Promotion
from training.registry import RegisteredVersion
from training.report import ModelFacts, render
from training.target import Target, target_of

_SUMMARY = (
    "A discrete-time hazard in LightGBM that states the chance that an account decides to leave within 30, 60, 90 and "
    "180 days, and a health score (0 to 100, 100 = healthy) that leaves timing out."
)
_OTHER_SUMMARY = (
    "A discrete-time hazard in LightGBM for another target than leaving. Wherever this report says that an account "
    "left, read that it {happened}: its annual value was decided to {moved} or more at once. Accounts that leave are "
    "censored. It can never go live as the model of who leaves."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement of a registered version and where its report lies."""

    version: str
    judgement: Judgement
    report: Path

    def lines(self) -> list[str]:
        """The judgement in words."""
        verdict, evaluation = self.judgement.verdict, self.judgement.evaluation
        refused = [f"  refused by {gate.code}: {gate.reason}" for gate in verdict.refusals]
        passed = "passed every gate" if verdict.passed else f"refused by {len(verdict.refusals)} gates"
        return [
            f"model version {self.version} {passed}",
            *refused,
            skill_finding(evaluation),
            calibration_finding(evaluation.headline.calibration.ratio),
            *self._skill_lines(),
            *self._truth_lines(),
            f"report: {self.report}",
        ]

    def document(self) -> dict[str, Any]:
        """The whole evaluation and verdict."""
        return {
            "version": self.version,
            "verdict": self.judgement.verdict.model_dump(mode="json"),
            "evaluation": self.judgement.evaluation.model_dump(mode="json"),
            "report": str(self.report),
        }

    def failure(self) -> PulseError | None:
        """Why the model may not go live; None when it may."""
        try:
            self.judgement.verdict.raise_if_refused()
        except (GateRefused, NoUsableSignal) as refusal:
            return refusal
        return None

    def _skill_lines(self) -> list[str]:
        arms, deltas = self.judgement.evaluation.arms, self.judgement.evaluation.deltas
        days = self.judgement.evaluation.plan.headline_days
        lines = [f"AUC where a decision falls within {days} days, and over all accounts (where timing flatters):"]
        for name in ("champion", *deltas):
            near, far = with_interval(arms[name].auc_window), with_interval(arms[name].auc_pooled)
            lines.append(f"  {arm_name(name):<22}{near}, {far}")
        return lines

    def _truth_lines(self) -> list[str]:
        truth = self.judgement.evaluation.truth
        if truth is None:
            return []
        graded = truth.horizons[self.judgement.evaluation.plan.headline_days]
        return [
            "graded with the true chances:",
            f"  AUC within window {with_interval(graded.auc_window)}",
            f"  the best possible {with_interval(graded.oracle_auc_window)}",
            f"  share of the oracle's skill {with_interval(graded.share_of_oracle_skill)}",
            f"  true / stated risk {with_interval(graded.calibration)}",
        ]


@dataclass(frozen=True, slots=True)
class Trained(Judged):
    """A judgement of the version that was just made."""

    events: int
    notes: tuple[str, ...]
    census: tuple[TermCensus, ...]

    def lines(self) -> list[str]:
        """What was learnt from, then the judgement."""
        told = super(Trained, self).lines()
        seen = [f"  {part.line()}" for part in self.census]
        notes = [f"note: {note}" for note in self.notes]
        target, _ = target_of(self.version)
        return [f"learnt from {self.events} accounts that {target.happened}; decisions seen:", *seen, *notes, *told]


@dataclass(frozen=True, slots=True)
class Listing:
    """The registered versions, newest first; promotions, challengers and approvals, oldest first."""

    versions: Sequence[RegisteredVersion]
    log: Sequence[Promotion]
    approvals: Sequence[Approval] = ()
    others: Sequence[RegisteredVersion] = ()
    challengers: Sequence[ChallengerChange] = ()

    def lines(self) -> list[str]:
        """One line per version and per promotion."""
        live = self.log[-1].version_to if self.log else None
        others = [self._line(version, live=False) for version in self.others]
        if not self.versions:
            return ["no model is registered yet: run `pulse train --as-of DATE`", *others]
        versions = [self._line(version, live == version.version) for version in self.versions]
        log = [f"  {one.at:%Y-%m-%d %H:%M} {one.who}: {one.action} {one.version_to} ({one.why})" for one in self.log]
        return [
            "version  verdict     AUC within the renewal window",
            *versions,
            "promotions:",
            *(log or ["  none yet"]),
            *(["shadows and canaries:", *(f"  {one.line()}" for one in self.challengers)] if self.challengers else []),
            *self._approval_lines(),
            *(["models of other targets:", *others] if others else []),
        ]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "live": self.log[-1].version_to if self.log else None,
            "versions": [
                {"version": one.version, "verdict": one.verdict, "judged": one.judged, "metrics": one.metrics}
                for one in self.versions
            ],
            "others": [
                {"version": one.version, "verdict": one.verdict, "judged": one.judged, "metrics": one.metrics}
                for one in self.others
            ],
            "promotions": [
                {"at": one.at, "who": one.who, "why": one.why, "action": one.action}
                | {"from": one.version_from, "to": one.version_to}
                for one in self.log
            ],
            "challengers": [one.document() for one in self.challengers],
            "approvals": [
                {"at": one.at, "who": one.who, "role": one.role, "version": one.version, "against": one.against}
                | {"decision": one.decision, "why": one.why}
                for one in self.approvals
            ],
        }

    def _approval_lines(self) -> list[str]:
        if not self.approvals:
            return []
        told = [
            f"  {one.at:%Y-%m-%d %H:%M} {one.who} as {one.role}: {one.decision} {one.version}"
            f" against {one.against or 'no model'} ({one.why})"
            for one in self.approvals
        ]
        return ["approvals:", *told]

    @staticmethod
    def _line(version: RegisteredVersion, live: bool) -> str:
        auc = version.metrics.get("arm.champion.auc_window")
        told = "not known" if auc is None else f"{auc:.2f}"
        return f"{version.version:<8} {version.judged:<12}{told}{'  <- live' if live else ''}"


def summary_of(config: TrainingConfig) -> str:
    """What a model is, and what "left" means in its report."""
    if not config.target.recurs:
        return _SUMMARY
    fell = config.target is Target.CONTRACTION
    moved = f"fall by {config.contraction_share:.0%}" if fell else f"rise by {config.upsell_share:.0%}"
    return _OTHER_SUMMARY.format(happened=config.target.happened, moved=moved)


def facts_of(
    bundle: Bundle, past: pd.DataFrame, census: Sequence[TermCensus], judgement: Judgement, made_at: datetime
) -> ModelFacts:
    """What the report says about the model itself; ``past`` are the person-periods it learnt from."""
    return ModelFacts(
        summary=" ".join(
            [summary_of(bundle.config), *(f"{note[0].upper()}{note[1:]}." for note in bundle.facts["notes"])]
        ),
        data_cut=datetime.fromisoformat(bundle.facts["data_cut"]),
        trained_first_as_of=datetime.fromisoformat(bundle.facts["first_as_of"]),
        trained_last_as_of=datetime.fromisoformat(bundle.facts["last_as_of"]),
        training_rows=int(past[["account_id", "as_of"]].drop_duplicates().shape[0]),
        training_outcomes=outcome_count(past),
        features=len(bundle.model_features),
        decisions=tuple(part.line() for part in census),
        currency=judgement.currency,
        made_at=made_at,
    )


def store_report(home: Home, judgement: Judgement, facts: ModelFacts) -> Path:
    """Write the HTML report and the evaluation document of a version; the path of the report."""
    folder = home.reports / judgement.evaluation.model_version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(judgement.evaluation.model_dump_json(indent=1))
    (folder / "verdict.json").write_text(json.dumps(judgement.verdict.model_dump(mode="json"), indent=1))
    (folder / "facts.json").write_text(facts.model_dump_json(indent=1))
    report = folder / "report.html"
    report.write_text(render(judgement.evaluation, judgement.verdict, facts, judgement.pictures))
    return report
