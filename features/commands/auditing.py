"""How does a person check that no snapshot knows the future?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment

SAMPLED = 3
"""Snapshots that are drawn when a person names neither dates nor a number."""


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    command(app)(audit)


def audit(
    place: Home,
    progress: Progress,
    *,
    date: Annotated[list[str] | None, typer.Option(help="A built Monday, YYYY-MM-DD; may be repeated.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Also so many built snapshots, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same sample.")] = 0,
) -> Answer:
    """Rebuild snapshots from raw tables cut at their date and compare every cell: nothing may differ."""
    from features.audit import audit as audit_snapshots
    from features.audit import sample_of

    drawn = sample if sample is not None else 0 if date else SAMPLED
    named = {parse_moment(text) for text in date or ()}
    report = audit_snapshots(place, sorted(named | set(sample_of(place, drawn, seed))), progress=progress)
    return Answer(report.lines(), report.document(), report.failure())
