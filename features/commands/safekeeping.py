"""How is a home kept safe, brought back, and brought to another version?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home

group = typer.Typer(no_args_is_help=True, help="Which version do the tables of the state have, and how to change it.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="state")

    @command(app)
    def backup(
        place: Home,
        progress: Progress,
        clock: Clock,
        *,
        to: Annotated[Path, typer.Option(help="A new folder, or a new .tar or .tar.gz file, outside of the home.")],
    ) -> Answer:
        """Keep everything a home holds, while it is in use; every file with its hash."""
        from features.backup import back_up

        began = time.monotonic()
        kept = back_up(place, to.absolute(), now=clock(), progress=progress)
        took = time.monotonic() - began
        lines = [*kept.lines("kept"), f"  in {took:.1f} s, at {to}"]
        return Answer(lines, {**kept.document(), "seconds": round(took, 1), "at": str(to)})

    @command(app)
    def restore(
        place: Home,
        progress: Progress,
        *,
        source: Annotated[Path, typer.Argument(help="What `pulse backup` made.")],
    ) -> Answer:
        """Bring a backup back into an empty home; hashes are compared first, rows counted afterwards."""
        from features.backup import restore as bring_back

        began = time.monotonic()
        kept = bring_back(place, source.absolute(), progress=progress)
        took = time.monotonic() - began
        lines = [*kept.lines("restored"), f"  in {took:.1f} s, into {place.root}"]
        lines.append("  what is online in Redis or PostgreSQL is not in a backup: `pulse build` fills it")
        return Answer(lines, {**kept.document(), "seconds": round(took, 1)})


@command(group)
def status(place: Home) -> Answer:
    """Tell where the state lies, the version of its tables, and the version that this program wants."""
    from features.migrations import BEFORE, HEAD, revision_of, steps
    from features.state import engine_of, has_state
    from features.state_place import StatePlace

    where = StatePlace.from_environment().shown()
    found: str | None = None
    if has_state(place):
        with engine_of(place).connect() as connection:
            found = revision_of(connection) or BEFORE
    lines = [f"state: {where}", f"version: {found or 'no state yet'}; this program wants {HEAD}"]
    lines += [f"  {name}  {words}" for name, words in steps()]
    if found and found != HEAD:
        lines.append("the first command that uses it brings it there; so does `pulse state upgrade`")
    return Answer(lines, {"place": where, "version": found, "wanted": HEAD})


@command(group)
def upgrade(place: Home) -> Answer:
    """Bring the tables to this program's version, all steps or none; every command does so when it opens the state."""
    from features.migrations import HEAD
    from features.state import open_state

    open_state(place).connect().close()
    return Answer([f"the state has version {HEAD}"], {"version": HEAD})


@command(group)
def downgrade(
    place: Home,
    *,
    to: Annotated[str, typer.Option(help="A version that `pulse state status` lists; 0000: before there were any.")],
) -> Answer:
    """Bring the tables back for an older program, before it is installed; no row is lost."""
    from features.migrations import take_back
    from features.state import engine_of

    take_back(engine_of(place), to)
    return Answer([f"the state has version {to}: start the older program now"], {"version": to})
