"""What waits in quarantine, and how does a person bring it in after all?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home

group = typer.Typer(no_args_is_help=True, help="See rows that were refused, and bring them in once they are repaired.")

LoadOption = Annotated[str | None, typer.Option(help="Only the rows of this load.")]
TableOption = Annotated[str | None, typer.Option(help="Only the rows of this table.")]
LoadArgument = Annotated[str, typer.Argument(help="Id of the load, as `pulse quarantine list` tells it.")]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="quarantine")


@command(group, "list")
def count(place: Home, *, load: LoadOption = None, table: TableOption = None) -> Answer:
    """Count the refused rows per table, load, column and rule; no cell is shown."""
    from features.sources.waiting import Chosen, count_waiting, counts_document

    counted = count_waiting(place, Chosen(load, table))
    if not counted:
        return Answer(["nothing lies in quarantine"], counts_document(counted))
    lines = [f"{sum(each.rows for each in counted):,} rows lie in quarantine"]
    lines += [
        f"  {each.table:<28}{each.load:<32}{each.column or 'whole row':<24}{each.rule:<14}{each.rows:>10,}"
        for each in counted
    ]
    return Answer(lines, counts_document(counted))


@command(group)
def show(
    place: Home,
    *,
    load: LoadArgument,
    table: TableOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many rows at most.")] = 20,
) -> Answer:
    """Show the refused rows of a load with their cells: these are customers' data."""
    from features.sources.waiting import Chosen, read_waiting, waiting_paths

    paths = waiting_paths(place, Chosen(load, table))
    rows = [row for path in paths for row in read_waiting(path).rows]
    lines = [f"{len(rows):,} rows; to repair one, edit `cells` in its file and run `pulse quarantine replay {load}`"]
    lines += [f"  {path}" for path in paths]
    for row in rows[:limit]:
        lines += [str(row.refusal), f"  {json.dumps(row.cells, ensure_ascii=False)}"]
    if len(rows) > limit:
        lines.append(f"{len(rows) - limit:,} more: --limit {len(rows)}")
    document = {"files": [str(path) for path in paths], "rows": [row.model_dump() for row in rows[:limit]]}
    return Answer(lines, {**document, "of": len(rows)})


@command(group)
def replay(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    load: Annotated[str | None, typer.Argument(help="Id of the load; without it every load is replayed.")] = None,
    table: TableOption = None,
    mapping: Annotated[str | None, typer.Option(help="The repaired mapping, if it lies elsewhere now.")] = None,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where the load's files lie now, if a mapping looks in them.")
    ] = None,
) -> Answer:
    """Check refused rows again after a repair: good ones are taken, the others stay with their new reason."""
    from features.sources.replay import Ways, replay
    from features.sources.waiting import Chosen

    ways = Ways(mapping, folder)
    report = replay(place, Chosen(load, table), now=clock(), ways=ways, progress=progress)
    return Answer(report.lines(), report.document(), report.refused_error())
