"""How is a version tried on live traffic: unseen, or for a share of the accounts?"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import Answer, Clock, command
from features.settings import Home

if TYPE_CHECKING:
    from training.challengers import ChallengerChange

shadow = typer.Typer(
    no_args_is_help=True, help="Let a version score what the live one is asked, unseen; compare what they say."
)
canary = typer.Typer(no_args_is_help=True, help="Let a version answer for a share of the accounts; stop or promote it.")

VersionArgument = Annotated[str, typer.Argument(help="A registered version.")]
WhyOption = Annotated[str, typer.Option(help="The reason; kept in the log.")]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(shadow, name="shadow")
    app.add_typer(canary, name="canary")


@command(shadow, "start")
def start_shadow(
    place: Home, clock: Clock, *, version: VersionArgument, why: WhyOption = "tried on the command line"
) -> Answer:
    """Let a version score along, unseen; needs no verdict. Services begin once they have proved it."""
    from training.challenging import start_shadow as start

    return _told(start(place, version, who=getpass.getuser(), why=why, at=clock()))


@command(shadow, "stop")
def stop_shadow(place: Home, clock: Clock, *, why: WhyOption = "stopped on the command line") -> Answer:
    """End the shadow; what it scored is kept."""
    from training.challengers import Mode, stop

    return _told(stop(place, Mode.SHADOW, who=getpass.getuser(), why=why, at=clock()))


@command(shadow)
def report(
    place: Home,
    *,
    version: Annotated[str | None, typer.Argument(help="The shadow; by default the one that scored last.")] = None,
    beside: Annotated[
        str | None, typer.Option(help="The served version; by default the one it ran beside last.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder to write to; by default the version's reports.")
    ] = None,
) -> Answer:
    """Compare: who would change band, how much value moves, how fast it is (a page, Markdown and JSON)."""
    from serving.shadow_scores import ShadowScores
    from training.rehearsal import rehearsal
    from training.rehearsal_page import write_rehearsal

    kept = ShadowScores(place)
    chosen = version or kept.newest_shadow() or "VERSION"
    told = rehearsal(kept.read(chosen), chosen, served=beside)
    page = write_rehearsal(told, out or place.reports / told.version)
    return Answer([*told.lines(), f"page: {page}"], {**told.model_dump(mode="json"), "page": str(page)})


@command(canary, "start")
def start_canary(
    place: Home,
    clock: Clock,
    *,
    version: VersionArgument,
    why: WhyOption,
    share: Annotated[float, typer.Option(help="Part of the accounts it answers for, at most 0.5.")] = 0.1,
) -> Answer:
    """Let a version answer for a share of the accounts; needs a passed verdict, and the approvals of a promotion."""
    from training.challenging import start_canary as start

    return _told(start(place, version, share, said=(getpass.getuser(), why), at=clock()))


@command(canary, "stop")
def stop_canary(place: Home, clock: Clock, *, why: WhyOption) -> Answer:
    """End the canary; within two seconds the live model answers for everybody."""
    from training.challengers import Mode, stop

    return _told(stop(place, Mode.CANARY, who=getpass.getuser(), why=why, at=clock()))


@command(canary)
def promote(place: Home, clock: Clock, *, why: WhyOption) -> Answer:
    """Put the canary live for everybody, as `pulse promote` does."""
    from training.challengers import Mode
    from training.challenging import promote_running

    done = promote_running(place, Mode.CANARY, who=getpass.getuser(), why=why, at=clock())
    document = {"action": done.action, "from": done.version_from, "to": done.version_to, "why": done.why}
    return Answer([f"version {done.version_to} is live, in place of {done.version_from}"], document)


def _told(change: ChallengerChange) -> Answer:
    return Answer([change.line()], change.document())
