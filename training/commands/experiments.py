"""How does a person ask which way of scoring is better?"""

from __future__ import annotations

from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from training.commands.options import AsOfOption, RecipeOption, TruthOption


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    command(app)(compare)


def compare(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    as_of: AsOfOption,
    arms: Annotated[
        str, typer.Option(help="Separated by commas, the first against each other; a name twice is an A/A check.")
    ] = "full,phase_blind,traditional,timing",
    recipe: RecipeOption = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each search.")] = 5,
    seed: Annotated[int | None, typer.Option(help="Same data and seed, same comparison.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="Searches and fits of each arm with other seeds.")] = 3,
    effect: Annotated[float, typer.Option(min=0.001, help="Relative gain in average precision to look for.")] = 0.1,
    truth: TruthOption = None,
) -> Answer:
    """Compare ways of scoring on identical rows, with intervals and power; with --truth, free of luck."""
    from training.compare import Asked
    from training.compare import compare as compare_arms
    from training.experiment import ComparisonPlan
    from training.recipe import recipe_named

    config = recipe_named(recipe, trials=trials, seed=seed)
    plan = ComparisonPlan(headline_days=config.headline_days, repeats=repeats, ap_effect=effect)
    asked = Asked(tuple(name.strip() for name in arms.split(",") if name.strip()), plan, truth)
    told = compare_arms(place, parse_moment(as_of), config=config, asked=asked, now=clock(), progress=progress)
    return Answer(told.lines(), told.document())
