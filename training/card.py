"""What must somebody know before using a model: made from what, to say what, how good, for whom not, and who agreed?

Input: the stored documents of a version (evaluation, verdict, facts), its bundle's manifest, the promotion log and the
approvals. Output: a model card as Markdown, and as one HTML page made from that Markdown. Nothing is computed here.
After Mitchell et al. 2019.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import MissingStateError
from features.settings import Home
from features.vocabulary import Subcategory
from training.bundle_files import bundle_hash
from training.evaluation import Evaluation
from training.findings import arm_name, with_interval
from training.governance import Approval, approvals
from training.markdown_page import page_from, written
from training.promotions import Promotion, log
from training.report import ModelFacts
from training.segment_parts import LearnedWeights
from training.trust import trust
from training.verdict import Verdict

FACTS, EVALUATION, VERDICT = "facts.json", "evaluation.json", "verdict.json"


@dataclass(frozen=True, slots=True)
class Card:
    """A card in both forms."""

    version: str
    markdown: str
    html: str

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``model-card.md`` and ``model-card.html``; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / "model-card.md", folder / "model-card.html"
        for path, text in zip(paths, (self.markdown, self.html), strict=True):
            path.write_text(text)
        return paths


def model_card(home: Home, version: str) -> Card:
    """The card of a judged version.

    Raises:
        MissingStateError: the version was never judged, or by a release that kept no facts.
    """
    folder = home.reports / version
    missing = [name for name in (EVALUATION, VERDICT, FACTS) if not (folder / name).exists()]
    if missing:
        raise MissingStateError(
            f"there is no judgement of version {version} to make a card from",
            expected=f"{EVALUATION}, {VERDICT} and {FACTS} among the reports of the version",
            found=f"{', '.join(missing)} missing",
            todo=f"run `pulse evaluate --model {version}`, or `pulse models` to see the versions",
        )
    evaluation = Evaluation.model_validate_json((folder / EVALUATION).read_text())
    verdict = Verdict.model_validate_json((folder / VERDICT).read_text())
    facts = ModelFacts.model_validate_json((folder / FACTS).read_text())
    bundle = home.bundles / version
    markdown = written(
        "card.md",
        evaluation=evaluation,
        verdict=verdict,
        facts=facts,
        trust=trust(evaluation, verdict),
        arms=[(arm_name(name), arm) for name, arm in evaluation.arms.items()],
        weights=_weights(evaluation.weights),
        parts=[str(part) for part in Subcategory],
        settings=_settings(bundle),
        bundle_hash=bundle_hash(bundle) if bundle.exists() else "the bundle is not here",
        promotions=_told_promotions(log(home), version),
        approvals=_told_approvals(approvals(home), version),
    )
    return Card(version, markdown, page_from(markdown, title=f"Model card: version {version}"))


def _weights(weights: dict[str, LearnedWeights]) -> list[tuple[str, int, dict[str, str]]]:
    return [
        (name or "all", one.rows, {part: with_interval(share) for part, share in one.shares.items()})
        for name, one in weights.items()
    ]


def _settings(bundle: Path) -> dict[str, Any]:
    manifest = bundle / "manifest.json"
    if not manifest.exists():
        return {}
    document = json.loads(manifest.read_text())
    facts = document.get("facts", {})
    config = document.get("config", {})
    vetoed = ", ".join(config.get("vetoed_features", ())) or "none"
    fits = {"fits averaged": config.get("ensemble_size", 1), "rounds of each": facts.get("rounds")}
    loadings = "; ".join(f"{name} {loading:.2f}" for name, loading in facts.get("loadings", {}).items())
    begun = {"boosting starts from (log-odds per standard deviation)": loadings or "nothing"}
    return {"vetoed features": vetoed, "seed": config.get("seed"), **begun, **fits, **facts["params"]}


def _told_promotions(entries: Sequence[Promotion], version: str) -> list[str]:
    told = [
        f"{one.at:%Y-%m-%d %H:%M} {one.who}: {one.action} to version {one.version_to} ({one.why})"
        for one in entries
        if version in (one.version_to, one.version_from)
    ]
    live = bool(entries) and entries[-1].version_to == version
    return [*told, "It is live." if live else "It is not live."]


def _told_approvals(entries: Sequence[Approval], version: str) -> list[str]:
    return [
        f"{one.at:%Y-%m-%d %H:%M} {one.who} as {one.role}: {one.decision} against "
        f"{one.against or 'no live model'} ({one.why})"
        for one in entries
        if one.version == version
    ]
