"""Does the live model still hold?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption, Refit


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (monitor, recalibrate):
        command(app)(work)


def monitor(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    as_of: AsOfOption,
    model: Annotated[str | None, typer.Option(help="Version; by default the live one.")] = None,
) -> Answer:
    """Watch a model: do risks come true, do features stand where they stood a year ago? Exit code 12 = look at it."""
    from training import lifecycle, watch_page

    found, page = lifecycle.monitor(place, parse_moment(as_of), version=model, at=clock(), progress=progress)
    document = {**found.model_dump(mode="json"), "page": str(page)}
    return Answer([*watch_page.lines(found), f"page: {page}"], document, watch_page.failure(found))


def recalibrate(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    as_of: AsOfOption,
    step: Annotated[Refit | None, typer.Option(help="By default what the watch advises.", show_default=False)] = None,
    model: Annotated[str | None, typer.Option(help="Version; by default the live one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would be worth.")] = False,
) -> Answer:
    """Put a model right that ranks well but states too much or too little: a new version, with a verdict of its own."""
    from training.recalibrating import propose, register
    from training.watch_parts import Step

    named = Step(step) if step else None
    asked = propose(place, parse_moment(as_of), step=named, version=model, progress=progress)
    document = {"advice": asked.watch.advice.model_dump(mode="json")}
    if asked.found is None:
        return Answer(asked.lines(), {**document, "registered": None})
    document["recalibration"] = asked.found.model_dump(mode="json")
    if dry_run or not asked.found.accepted:
        said = "nothing was registered: a dry run" if dry_run else f"nothing was registered: {asked.found.refused}"
        return Answer([*asked.lines(), said], {**document, "registered": None})
    version, verdict = register(place, asked, at=clock())
    passed = "passed every gate" if verdict.passed else f"was refused by {len(verdict.refusals)} gates"
    reasons = [f"  refused by {gate.code}: {gate.reason}" for gate in verdict.refusals]
    told = [f"registered as version {version}, which {passed}", *reasons]
    return Answer([*asked.lines(), *told], {**document, "registered": version, "passed": verdict.passed})
