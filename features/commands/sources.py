"""Which exports can be read as they are, and do the sources that were loaded still tell?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.settings import Home

group = typer.Typer(no_args_is_help=True, help="The exports that can be read as they are, and how the sources do.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="sources")


@command(group, "list")
def list_mappings(
    *,
    notes: Annotated[bool, typer.Option("--notes", help="Also tell what to know before relying on each.")] = False,
) -> Answer:
    """List the mappings we bring: product, the files each expects, the canonical tables it fills."""
    from features.sources.brought import brought

    every = brought()
    lines = [f"{len(every)} mappings come with us; use one with `pulse ingest FOLDER --mapping NAME`"]
    for each in every:
        lines += each.lines()
        lines += [f"  note     {note}" for note in each.mapping.notes] if notes else []
    return Answer(lines, {"sources": [each.document() for each in every]})


@command(group)
def status(
    place: Home,
    clock: Clock,
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD; default: now.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail while a source is late or silent, or none told.")
    ] = False,
) -> Answer:
    """Tell of each source whether it is fresh, complete and at its usual rate, and who keeps it."""
    from features.source_health import source_health
    from features.vocabulary import parse_moment

    report = source_health(place, clock() if as_of is None else parse_moment(as_of))
    return Answer(report.lines(), report.document(), report.failure() if strict else None)
