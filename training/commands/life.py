"""Which models are there, and which of them is live?"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import Answer, Clock, command
from features.settings import Home
from training.commands.options import WhyOption

if TYPE_CHECKING:
    from training.promotions import Promotion


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (models, promote, rollback):
        command(app)(work)


def models(place: Home) -> Answer:
    """List the registered models, their verdicts and the promotion log."""
    from training import lifecycle

    listing = lifecycle.models(place)
    return Answer(listing.lines(), listing.document())


def promote(
    place: Home,
    clock: Clock,
    *,
    version: Annotated[str, typer.Argument(help="Version to put live.")],
    why: WhyOption = "promoted on the command line",
) -> Answer:
    """Put a version live; only a passed verdict opens the way."""
    from training import lifecycle

    return _promotion(lifecycle.promote(place, version, who=getpass.getuser(), why=why, at=clock()))


def rollback(
    place: Home,
    clock: Clock,
    *,
    why: WhyOption = "rolled back on the command line",
) -> Answer:
    """Put the version live again that was live before."""
    from training import lifecycle

    return _promotion(lifecycle.rollback(place, who=getpass.getuser(), why=why, at=clock()))


def _promotion(done: Promotion) -> Answer:
    before = f" (before: version {done.version_from})" if done.version_from else ""
    document = {"action": done.action, "from": done.version_from, "to": done.version_to, "why": done.why}
    return Answer([f"version {done.version_to} is live{before}"], document)
