"""What is told, and kept, about an ablation?

Input: an :class:`Ablation`. Output: lines for people; a JSON document, a page as Markdown and the same as HTML with its
picture, beside the reports of the version. Nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.settings import Home
from training.ablation_parts import Ablation, ArmWithout
from training.ablation_words import brief, without_told
from training.figure import Picture
from training.findings import with_interval
from training.markdown_page import page_from, written
from training.report import environment


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


@dataclass(frozen=True, slots=True)
class StoredAblation:
    """Where an ablation lies, in its three forms."""

    document: Path
    markdown: Path
    page: Path


def store(home: Home, found: Ablation) -> StoredAblation:
    """Write ``ablation.json``, ``.md`` and ``.html`` beside the reports of the version."""
    from training.ablation_plot import ablation_picture  # noqa: PLC0415  drawing libraries take seconds to import

    folder = home.reports / found.version
    folder.mkdir(parents=True, exist_ok=True)
    stored = StoredAblation(*(folder / f"ablation.{form}" for form in ("json", "md", "html")))
    stored.document.write_text(found.model_dump_json(indent=1))
    stored.markdown.write_text(markdown_of(found, picture=""))
    stored.page.write_text(page_of(found, ablation_picture(found)))
    return stored


def markdown_of(found: Ablation, *, picture: str) -> str:
    """The page as Markdown; ``picture`` stands where a picture belongs."""
    return written("ablation.md", found=found, brief=brief(found), without_told=without_told, picture=picture)


def page_of(found: Ablation, picture: Picture) -> str:
    """The page as HTML without outside references, its picture inside."""
    title = f"What version {found.version} owes to its parts"
    figure = environment().get_template("figure.html").render(picture=picture)
    return page_from(markdown_of(found, picture=_PLACE), title=title).replace(f"<p>{_PLACE}</p>", figure)


_PLACE = "PICTURE-OF-THE-ABLATION"


def _arm(name: str, arm: ArmWithout) -> str:
    return f"  {name:<16}{with_interval(arm.lead.auc_window, 3)}: {arm.words}"
