"""What are the leads' weights worth, and which are in force?"""

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

FileArgument = Annotated[Path, typer.Argument(dir_okay=False, help="YAML file: a name and a weight per subcategory.")]
WhyOption = Annotated[str, typer.Option(help="The reason; kept in the record.")]

group = typer.Typer(
    no_args_is_help=True,
    help="Weights of the leads: tried on the past, and put in force as a second order beside the model's.",
)


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="weights")


@command(group, "try")
def try_out(place: Home, progress: Progress, *, weights: FileArgument, as_of: AsOfOption) -> Answer:
    """Ask what weights would have been worth; nothing is changed."""
    from training.weighing import weigh

    found = weigh(place, weights, parse_moment(as_of), progress=progress)
    return Answer(found.lines(), found.model_dump(mode="json"))


@command(group)
def activate(
    place: Home, progress: Progress, clock: Clock, *, weights: FileArgument, as_of: AsOfOption, why: WhyOption
) -> Answer:
    """Try weights on the past and put them in force: pages and API offer an order by them; no score changes."""
    from training import weighing

    said = (getpass.getuser(), why)
    found, change = weighing.activate(place, weights, parse_moment(as_of), said=said, at=clock(), progress=progress)
    return Answer([*found.lines(), change.line()], {"backtest": found.model_dump(mode="json"), "at": change.at})


@command(group)
def end(place: Home, clock: Clock, *, why: WhyOption) -> Answer:
    """Put the weights out of force."""
    from training import policy_log

    change = policy_log.end(place, who=getpass.getuser(), why=why, at=clock())
    return Answer([change.line()], {"at": change.at})


@command(group, "list")
def list_changes(place: Home) -> Answer:
    """List every change of the weights; the last line is what is in force."""
    from training.policy_log import policy_changes

    changes = policy_changes(place)
    document = [
        {"at": one.at, "who": one.who, "why": one.why, "weights": one.weights and one.weights.model_dump()}
        for one in changes
    ]
    lines = [one.line() for one in changes] or ["no weights were ever in force: only the model orders accounts"]
    return Answer(lines, {"changes": document})
