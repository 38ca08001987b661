"""Who changed what here, and was the record of it left alone?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.console import Answer, command
from features.settings import Home

if TYPE_CHECKING:
    from features.audit_log import Line

group = typer.Typer(no_args_is_help=True, help="Read and verify the record of sign-ins, keys, roles, models, exports.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="audit-log")


@command(group)
def verify(
    place: Home,
    *,
    head: Annotated[str | None, typer.Option(help="A newest hash noted before; must be in the record.")] = None,
) -> Answer:
    """See that no row was edited, deleted or put in between; tells the newest hash, to be noted elsewhere."""
    from features.audit_log import verify as verified

    found = verified(place, head=head)
    lines = [f"{found.rows:,} rows, each as it was written", f"newest hash: {found.head}"]
    return Answer(lines, {"rows": found.rows, "head": found.head})


@command(group)
def show(
    place: Home,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show so many of the newest rows.")] = 50,
) -> Answer:
    """Tell who did what, from what to what, newest first; people and keys by their ids."""
    from features.audit_log import read

    found = read(place, limit)
    return Answer([_told(line) for line in found] or ["nothing was done yet"], {"rows": [_row(line) for line in found]})


def _told(line: Line) -> str:
    deed = line.deed
    sides = [json.dumps(side, default=str) for side in (deed.before, deed.after) if side is not None]
    moved = f"  {' -> '.join(sides)}" if sides else ""
    return f"{line.seq:>6}  {deed.at:%Y-%m-%d %H:%M:%S}  {deed.who:<24}{deed.what:<18}{deed.subject}{moved}"


def _row(line: Line) -> dict[str, Any]:
    deed = line.deed
    return {
        "seq": line.seq,
        "at": deed.at,
        "who": deed.who,
        "what": deed.what,
        "subject": deed.subject,
        "before": deed.before,
        "after": deed.after,
        "request_id": line.request_id,
        "hash": line.hash,
    }
