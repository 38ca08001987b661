"""What is told, and kept, about an ablation?

Input: an :class:`Ablation`. Output: lines for people and a JSON document beside the reports of the version.
"""

from __future__ import annotations

from pathlib import Path

from features.settings import Home
from training.ablation_parts import Ablation, ArmWithout
from training.findings import with_interval


def lines(found: Ablation) -> list[str]:
    """The ablation in words; every number speaks about accounts whose decision is due, unless it says otherwise."""
    due, everyone = with_interval(found.whole.auc_window), with_interval(found.whole.auc_pooled)
    left = f"{found.outcomes} accounts left within {found.headline_days} days"
    told = [
        f"version {found.version}: {found.fits} fits with its own settings, judged on {found.rows} rows ({left})",
        f"AUC of the whole model: {due}, over all accounts {everyone}",
        "what is lost without a part (AUC of the whole less AUC without it):",
        *(_arm(name, arm) for name, arm in found.without.items()),
    ]
    if found.alone:
        told += ["what a part can do alone, beside timing (its own AUC):"]
        told += [f"  {name:<16}{with_interval(arm.ranking.auc_window)}" for name, arm in found.alone.items()]
    if found.seasons or found.too_thin:
        told += ["campaign years (July to June) that a refit saw nothing of:"]
        told += [
            f"  {year:<16}AUC {with_interval(season.auc_window)}: {', '.join(season.words)}"
            for year, season in found.seasons.items()
        ]
        told += [
            f"  {year:<16}not judged: {outcomes} accounts left in the other years, too few to learn from"
            for year, outcomes in found.too_thin.items()
        ]
    return told


def store(home: Home, found: Ablation) -> Path:
    """Write the document beside the reports of the version; its path."""
    folder = home.reports / found.version
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "ablation.json"
    written.write_text(found.model_dump_json(indent=1))
    return written


def _arm(name: str, arm: ArmWithout) -> str:
    return f"  {name:<16}{with_interval(arm.lead.auc_window, 3)}: {arm.words}"
