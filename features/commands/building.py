"""How are feature snapshots built, and rebuilt when rows came late?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import Answer, Clock, command
from features.errors import UsageError
from features.progress import Progress
from features.settings import Home
from features.vocabulary import WEEK, parse_moment

if TYPE_CHECKING:
    from features.publish import Published

EngineOption = Annotated[
    str | None, typer.Option(help="duckdb (this machine) or spark; by default PULSE_ENGINE, or duckdb.")
]
MasterOption = Annotated[str | None, typer.Option(help="Spark master; by default PULSE_SPARK_MASTER, or this machine.")]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    command(app)(build)


def build(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    first: Annotated[str | None, typer.Option("--from", help="First date, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last date, YYYY-MM-DD.")] = None,
    look_back: Annotated[
        int | None, typer.Option(min=1, help="Instead of --from: so many days before --to, to take late rows in.")
    ] = None,
    late: Annotated[bool, typer.Option("--late", help="Also every stored snapshot that late rows change.")] = False,
    engine: EngineOption = None,
    master: MasterOption = None,
) -> Answer:
    """Build weekly feature snapshots (Mondays 00:00 UTC) and put the newest online.

    With --to alone: those that are missing since the newest one built.
    """
    from features.build import built_as_ofs
    from features.engine_place import EnginePlace
    from features.journal_work import store_before_build
    from features.publish import publish_late, publish_snapshots

    where = EnginePlace.from_environment(engine=engine, master=master)
    # What applications were told is taken must be there, also when no service runs that works it off.
    store_before_build(place, now=clock())
    lines: list[str] = []
    document: dict[str, object] = {}
    built = built_as_ofs(place)
    if last is not None and first is None and look_back is None and built and parse_moment(last) < built[-1] + WEEK:
        lines, document = [f"every snapshot up to {built[-1].date()} is built"], {"snapshots": 0}
    elif (asked := _range(first, last, look_back, late=late, built=built)) is not None:
        published = publish_snapshots(place, *asked, place=where, progress=progress)
        lines, document = published.lines(), published.document()
    if late:
        return _with_late(publish_late(place, place=where, progress=progress), lines, document)
    return _with_waiting(place, lines, document)


def _with_late(rebuilt: Published | None, lines: list[str], document: dict[str, object]) -> Answer:
    told = [f"late rows: {line}" for line in rebuilt.lines()] if rebuilt else ["no snapshot is changed by late rows"]
    return Answer([*lines, *told], {**document, "late": rebuilt.document() if rebuilt else None})


def _with_waiting(place: Home, lines: list[str], document: dict[str, object]) -> Answer:
    from features.build import late_as_ofs

    waiting = late_as_ofs(place)
    if waiting:
        span = f"{waiting[0].date()} to {waiting[-1].date()}"
        lines.append(f"rows that came late change {len(waiting)} other snapshots, {span}: run `pulse build --late`")
    return Answer(lines, {**document, "changed_by_late_rows": [as_of.date().isoformat() for as_of in waiting]})


def _range(
    first: str | None, last: str | None, look_back: int | None, *, late: bool, built: Sequence[datetime]
) -> tuple[datetime, datetime] | None:
    if first is None and last is None and look_back is None and late:
        return None
    if last is not None and first is None and look_back is None and built:
        return built[-1] + WEEK, parse_moment(last)
    if last is None or (first is None) == (look_back is None):
        raise UsageError(
            "these dates name no range",
            expected="--to with either --from or --look-back, or alone once a snapshot is built; or --late alone",
            found=", ".join(
                name
                for name, value in (("--from", first), ("--to", last), ("--look-back", look_back))
                if value is not None
            )
            or "none of them",
            todo="add the missing one",
        )
    until = parse_moment(last)
    return (until - timedelta(days=look_back) if look_back is not None else parse_moment(str(first))), until
