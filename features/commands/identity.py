"""Who is who: which ids stand for one account, which belong together, and who is left out?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.settings import Home

group = typer.Typer(no_args_is_help=True, help="Accounts under several ids, families of accounts, and who is left out.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="identity")


@command(group)
def status(
    place: Home,
    clock: Clock,
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD; default: now.")
    ] = None,
) -> Answer:
    """Count aliases, mergers, families, rows without an account, and accounts and users that are left out."""
    from features.identity_report import identity_report
    from features.vocabulary import parse_moment

    report = identity_report(place, clock() if as_of is None else parse_moment(as_of))
    return Answer(report.lines(), report.document())
