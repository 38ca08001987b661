"""How does a person make a model and judge it?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption, CandidatesOption, RecipeOption, TruthOption


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
    truth: TruthOption = None,
    candidates: CandidatesOption = None,
) -> Answer:
    """Search, fit, calibrate and judge a model; register it with its verdict. Nothing goes live by itself."""
    from training import lifecycle
    from training.recipe import recipe_named

    cut, config = parse_moment(as_of), recipe_named(recipe, trials=trials, seed=seed)
    if candidates:
        lifecycle.leakcheck(place, cut, config=config, candidates=candidates, progress=progress).require_none()
    trained = lifecycle.train(place, cut, config=config, truth=truth, now=clock(), progress=progress)
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
