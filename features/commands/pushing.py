"""How does one account's news reach its online features before Monday?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment


def add_to(app: typer.Typer) -> None:
    """Give a program the command."""

    @command(app)
    def push(
        place: Home,
        progress: Progress,
        clock: Clock,
        *,
        account: Annotated[str, typer.Argument(help="Account id.")],
        as_of: Annotated[
            str | None,
            typer.Option("--as-of", help="Moment to stand on, YYYY-MM-DD or with a time and a zone (default: now)."),
        ] = None,
    ) -> Answer:
        """Compute one account anew from all that is known at a moment, and put it online."""
        from features.push import push_account
        from features.store import FeatureStore

        moment = parse_moment(as_of) if as_of else clock()
        pushed = push_account(FeatureStore(place), account, moment, progress=progress)
        return Answer(pushed.lines(), pushed.document())
