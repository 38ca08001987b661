"""Did acting on alerts help?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.console import Answer, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption

if TYPE_CHECKING:
    from training.acting import Impact

ControlOption = Annotated[str, typer.Option(help="Name of the arm that was held out.")]

group = typer.Typer(no_args_is_help=True, help="Did acting on alerts help? Arms drawn at random answer.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="impact")


@command(group)
def trend(
    place: Home,
    progress: Progress,
    *,
    as_of: AsOfOption,
    since: Annotated[str | None, typer.Option(help="When acting began; by default the first alert.")] = None,
    control: ControlOption = "control",
) -> Answer:
    """Tell whether fewer accounts leave: between the arms, and before and after with trend and season taken out."""
    from training.acting import impact

    begun = parse_moment(since) if since else None
    return _answer(place, impact(place, "trend", parse_moment(as_of), control=control, since=begun, progress=progress))


@command(group)
def engagement(place: Home, progress: Progress, *, as_of: AsOfOption, control: ControlOption = "control") -> Answer:
    """Tell whether people use the tools more in the 13 weeks after an alert, against the held-out arm."""
    from training.acting import impact

    return _answer(place, impact(place, "engagement", parse_moment(as_of), control=control, progress=progress))


@command(group)
def revenue(place: Home, progress: Progress, *, as_of: AsOfOption, control: ControlOption = "control") -> Answer:
    """Tell whether more revenue is kept and won in the year after an alert: renewals, contract value, upsell."""
    from training.acting import impact

    return _answer(place, impact(place, "revenue", parse_moment(as_of), control=control, progress=progress))


def _answer(place: Home, found: Impact) -> Answer:
    from training import impact_report

    page = impact_report.store(place, found)
    return Answer([*impact_report.lines(found), f"page: {page}"], {**found.model_dump(mode="json"), "page": str(page)})
