"""How does a person make a model and judge it?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import Answer, Clock, command
from features.errors import UsageError
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import (
    AsOfOption,
    CandidatesOption,
    EngineOption,
    FitEngine,
    RecipeOption,
    SchedulerOption,
    TargetOption,
    TruthOption,
)

if TYPE_CHECKING:
    from training.effort import Cluster


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (train, leakcheck, evaluate):
        command(app)(work)


def train(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    as_of: AsOfOption,
    recipe: RecipeOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of the search (default: 40).")] = None,
    seed: Annotated[int | None, typer.Option(help="Same data and seed, same model.")] = None,
    target: TargetOption = None,
    truth: TruthOption = None,
    candidates: CandidatesOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted search of the same data and settings.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that search at once and share the cores.")] = 1,
    minutes: Annotated[
        float, typer.Option(min=0, help="End the search after so long with the best so far; 0 = no limit.")
    ] = 0,
    engine: EngineOption = FitEngine.LOCAL,
    scheduler: SchedulerOption = None,
) -> Answer:
    """Search, fit, calibrate and judge a model; register it with its verdict. Nothing goes live by itself."""
    from training import lifecycle
    from training.effort import Effort
    from training.recipe import recipe_named

    effort = Effort(
        resume=resume,
        workers=workers,
        limit=timedelta(minutes=minutes) if minutes else None,
        cluster=_cluster(engine, scheduler),
    )
    cut, config = parse_moment(as_of), recipe_named(recipe, trials=trials, seed=seed, target=target)
    if candidates:
        lifecycle.leakcheck(place, cut, config=config, candidates=candidates, progress=progress).require_none()
    trained = lifecycle.train(place, cut, config=config, truth=truth, now=clock(), effort=effort, progress=progress)
    return Answer(trained.lines(), trained.document(), trained.failure())


def leakcheck(
    place: Home,
    progress: Progress,
    *,
    as_of: AsOfOption,
    recipe: RecipeOption = None,
    candidates: CandidatesOption = None,
) -> Answer:
    """Ask every feature, and columns of your own, whether it knows outcomes that had not happened."""
    from training import lifecycle
    from training.recipe import recipe_named

    config = recipe_named(recipe, trials=None, seed=None)
    report = lifecycle.leakcheck(place, parse_moment(as_of), config=config, candidates=candidates, progress=progress)
    return Answer(report.lines(), report.document(), report.failure())


def evaluate(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    model: Annotated[str | None, typer.Option(help="Version; by default the live one, else the newest.")] = None,
    truth: TruthOption = None,
) -> Answer:
    """Judge a registered model again on its untouched last weeks."""
    from training import lifecycle

    judged = lifecycle.evaluate(place, model, truth=truth, now=clock(), progress=progress)
    return Answer(judged.lines(), judged.document())


def _cluster(engine: FitEngine, scheduler: str | None) -> Cluster | None:
    if engine is FitEngine.DASK:
        from training.dask_engine import DaskCluster

        return DaskCluster.at(scheduler)
    if scheduler:
        raise UsageError(
            "only Dask has a scheduler", expected="--engine dask beside --scheduler", found=engine, todo="add it"
        )
    return None
