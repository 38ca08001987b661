"""What would a new model change, and who agrees to it?"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption
from training.roles import Decision, Role

VersionArgument = Annotated[str, typer.Argument(help="A registered version.")]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (preview, approve):
        command(app)(work)
    command(app, "model-card")(card)


def preview(place: Home, progress: Progress, *, version: VersionArgument, as_of: AsOfOption) -> Answer:
    """Show who would change band, and how much revenue would move, if a version went live."""
    from training import lifecycle

    told, page = lifecycle.preview(place, version, parse_moment(as_of), progress=progress)
    return Answer([*told.lines(), f"page: {page}"], {**told.model_dump(mode="json"), "page": str(page)})


def approve(
    place: Home,
    clock: Clock,
    *,
    version: VersionArgument,
    role: Annotated[Role, typer.Option("--as", help="In which role you answer for it.")],
    why: Annotated[str, typer.Option(help="The reason; kept in the record.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an approval back.")] = False,
) -> Answer:
    """Approve of a version that you have seen the preview of, or take the approval back."""
    from training import lifecycle

    decision = Decision.WITHDRAW if withdraw else Decision.APPROVE
    done = lifecycle.decide(place, version, role, decision, said=(getpass.getuser(), why), at=clock())
    against = f"instead of version {done.against}" if done.against else "as the first model"
    verb = "approves of" if done.decision is Decision.APPROVE else "takes back the approval of"
    document = {"version": done.version, "against": done.against, "role": done.role, "decision": done.decision}
    return Answer([f"{done.who} ({done.role}) {verb} version {done.version} {against}"], document)


def card(
    place: Home,
    *,
    version: VersionArgument,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder to write to; by default its reports.")
    ] = None,
) -> Answer:
    """Write the model card of a version: made from what, how good, for whom not, who agreed (Markdown and HTML)."""
    from training.card import model_card

    markdown, page = model_card(place, version).write(out or place.reports / version)
    return Answer([f"model card: {page}", f"as Markdown: {markdown}"], {"html": str(page), "markdown": str(markdown)})
