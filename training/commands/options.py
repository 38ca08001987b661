"""Which options do several commands share?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

AsOfOption = Annotated[str, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD: nothing later is known.")]
WhyOption = Annotated[str, typer.Option(help="The reason; kept in the promotion log.")]
TruthOption = Annotated[Path | None, typer.Option(help="truth/ folder of a simulated company, to grade by.")]
RecipeOption = Annotated[str | None, typer.Option(help="Settings in YAML, or the name of a recipe we bring.")]
TargetOption = Annotated[
    str | None, typer.Option(help="What to foresee: churn (default), contraction or upsell; only churn goes live.")
]
CandidatesOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Columns you think of adding: judged, and refused where they leak.")
]


class FitEngine(StrEnum):
    """Who makes the final fit."""

    LOCAL = "local"
    DASK = "dask"


EngineOption = Annotated[
    FitEngine, typer.Option(help="Who makes the final fit: this machine, or a Dask cluster with --scheduler.")
]
SchedulerOption = Annotated[str | None, typer.Option(help="Address of the Dask scheduler, tcp://HOST:PORT.")]


class Refit(StrEnum):
    """Steps of the ladder that refit a model without learning anew."""

    INTERCEPT = "intercept"
    PLATT = "platt"
