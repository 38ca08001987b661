"""Which exports can be read as they are?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, command

group = typer.Typer(no_args_is_help=True, help="The exports that can be read as they are.")


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
