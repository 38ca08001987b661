"""What would a model have done on past weeks, and what does it owe to each part of its inputs?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption

ModelOption = Annotated[str | None, typer.Option(help="Version; by default the live one, else the newest.")]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (pilot, ablation):
        command(app)(work)


def pilot(
    place: Home,
    progress: Progress,
    *,
    as_of: AsOfOption,
    model: ModelOption = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First week to replay; by default the first it never learnt from.")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Prices of interventions in YAML, to speak of spending.")
    ] = None,
) -> Answer:
    """Replay a model over weeks that it never saw, against renewal dates and the calendar, with as many alerts."""
    from training import lifecycle, pilot_report
    from training.pilot import pilot as replay
    from training.spending import CostTable

    table = CostTable.read(costs) if costs else None
    begin = parse_moment(first) if first else None
    bundle = lifecycle.bundle_of(place, model)
    told = replay(place, bundle, parse_moment(as_of), first=begin, costs=table, progress=progress)
    page = pilot_report.store(place, told)
    return Answer([*pilot_report.lines(told), f"page: {page}"], {**told.model_dump(mode="json"), "page": str(page)})


def ablation(
    place: Home,
    progress: Progress,
    *,
    model: ModelOption = None,
    alone: Annotated[bool, typer.Option("--alone/--no-alone", help="Also fit each part with nothing else.")] = True,
    seasons: Annotated[
        bool, typer.Option("--seasons/--no-seasons", help="Also leave out each campaign year in turn.")
    ] = True,
) -> Answer:
    """Refit a model without each part of its inputs and without each campaign year: about twenty fits."""
    from training import ablation_report, lifecycle
    from training.ablation import ablation as refit

    found = refit(place, lifecycle.bundle_of(place, model), alone=alone, seasons=seasons, progress=progress)
    stored = ablation_report.store(place, found)
    document = {**found.model_dump(mode="json"), "document": str(stored.document), "page": str(stored.page)}
    return Answer([*ablation_report.lines(found), f"page: {stored.page}"], document)
