"""How does a command speak: lines for people, one JSON document for programs, an exit code for both?

A command is a function of the home and its own options that returns an :class:`Answer`; :func:`command` gives it
``--home`` and ``--json`` and maps failures to exit codes. Where it declares ``progress`` it gets a listener, where it
declares ``clock`` the clock that the program brought with it (:class:`Setting`): no room reads the clock by itself.
Each room keeps its commands in its own ``commands.py``; ``pulse.py`` puts them together.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from features.errors import PulseError, exit_code
from features.progress import Progress
from features.settings import Home

HomeOption = Annotated[
    Path | None, typer.Option("--home", file_okay=False, help="Where all state lives (default: .pulse)")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", dir_okay=False, help="Also write the answer as one JSON document.")
]
_GIVEN = ("place", "progress", "clock")

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Answer:
    """What a command tells: lines, a document, and a failure that is reported after both (partial success)."""

    lines: list[str]
    document: dict[str, Any] = field(default_factory=dict)
    failure: PulseError | None = None


@dataclass(frozen=True)
class Setting:
    """What the program knows before a command runs: the home named before it, if any, and what time it is."""

    home: Path | None
    clock: Clock


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function ``(place, [progress], [clock], *options) -> Answer`` as a command, by default of its name."""

    def register(work: Callable[..., Answer]) -> Callable[..., None]:
        @wraps(work)
        def run(context: typer.Context, home: Path | None, json_file: Path | None, **options: Any) -> None:
            setting: Setting = context.obj
            chosen = home or setting.home
            place = Home(root=chosen.resolve()) if chosen else Home.from_environment()
            _answer(lambda progress: work(**wanted(place, progress, setting.clock), **options), json_file)

        def wanted(*given: Any) -> dict[str, Any]:
            declared = inspect.signature(work).parameters
            return {part: thing for part, thing in zip(_GIVEN, given, strict=True) if part in declared}

        run.__signature__ = _signature(work)  # type: ignore[attr-defined]
        run.__annotations__ = {name: kind.annotation for name, kind in _signature(work).parameters.items()}
        return app.command(name)(run)

    return register


def _signature(work: Callable[..., Answer]) -> inspect.Signature:
    own = [part for name, part in inspect.signature(work, eval_str=True).parameters.items() if name not in _GIVEN]
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        inspect.Parameter("home", keyword, default=None, annotation=HomeOption),
        inspect.Parameter("json_file", keyword, default=None, annotation=JsonOption),
    ]
    return inspect.Signature([*(part.replace(kind=keyword) for part in own), *added])


def _answer(work: Callable[[Progress], Answer], json_file: Path | None) -> None:
    try:
        with _bars() as progress:
            answer = work(progress)
    except Exception as failure:  # noqa: BLE001  of all others, those of the storage are told; the rest is a defect
        answer = Answer([], failure=_told(failure))
    for line in answer.lines:
        typer.echo(line)
    facts = {"failure": answer.failure.facts()} if answer.failure else {}
    if json_file is not None:
        told = json.dumps({**answer.document, **facts}, indent=2, default=str, allow_nan=False)
        try:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(f"{told}\n")
        except OSError as failure:
            _fail(_told(failure))
    if answer.failure:
        _fail(answer.failure)


def _told(failure: Exception) -> PulseError:
    from features.storage_failure import storage_failure  # noqa: PLC0415  wanted when something went wrong

    known = failure if isinstance(failure, PulseError) else storage_failure(failure)
    if known is None:
        raise failure
    return known


def _fail(failure: PulseError) -> NoReturn:
    typer.echo(f"error: {failure.title}", err=True)
    typer.echo(f"  expected: {failure.expected}", err=True)
    typer.echo(f"  found: {failure.found}", err=True)
    typer.echo(f"  what to do: {failure.todo}", err=True)
    raise typer.Exit(exit_code(failure))


@contextmanager
def _bars() -> Iterator[Progress]:
    # Imported here: drawing bars must not slow `pulse --help` down.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stages: dict[str, Any] = {}
    with ExitStack() as drawing:
        bars = Bars(*columns, console=Console(stderr=True))

        def show(stage: str, done: int, total: int) -> None:
            if not stages:
                # Not before: even bars without a stage would end in an empty line.
                drawing.enter_context(bars)
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done, total=total)

        yield show
