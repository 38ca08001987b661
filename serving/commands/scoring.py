"""Who leaves, by the live model: the cohort of a date, or whole files?"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from serving.batch.choice import ScoreEngine


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    for work in (score, features, replay):
        command(app)(work)


def score(
    place: Home,
    progress: Progress,
    clock: Clock,
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD: nothing later is known.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Instead of a date: Parquet file or folder of features to score.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--to", help="Beside --from: file ending with .parquet, or new folder, to write.")
    ] = None,
    engine: Annotated[ScoreEngine, typer.Option(help="Who scores the files of --from.")] = ScoreEngine.LOCAL,
    master: Annotated[str | None, typer.Option(help="Spark master; by default PULSE_SPARK_MASTER, or here.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the Dask scheduler, tcp://HOST:PORT.")] = None,
) -> Answer:
    """Score every account that could still leave at a date (appended to the ledger), or whole files of features."""
    if as_of is not None and out is not None and source is None and target is None and engine is ScoreEngine.LOCAL:
        from serving.scorer import Scorer

        scores = Scorer.open(place).score_cohort(parse_moment(as_of), now=clock(), progress=progress)
        scores.write(out)
        _exported(place, clock, "scores of a date")
        return Answer(scores.lines(), scores.document())
    if source is None or target is None or as_of is not None or out is not None:
        raise typer.BadParameter("give --as-of and --out, or --from and --to (and --engine)")
    from serving.batch.engines import Workers
    from serving.batch.files import score_files

    workers = Workers(engine, master, scheduler)
    report = score_files(place, source, target, now=clock(), workers=workers, progress=progress)
    _exported(place, clock, "scores of files")
    return Answer(report.lines(), report.document(), report.failure())


def features(
    place: Home,
    clock: Clock,
    *,
    as_of: Annotated[str, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD: nothing later is known.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> Answer:
    """Write every feature of each account that could still leave at a date: what `pulse score --from` takes."""
    from features.store import FeatureStore
    from serving.batch.export import export_features

    report = export_features(place, FeatureStore(place), parse_moment(as_of), out)
    _exported(place, clock, "features of a date")
    return Answer(report.lines(), report.document())


def replay(
    place: Home,
    progress: Progress,
    *,
    at: Annotated[str, typer.Option(help="The scores of this date (or of the newest before it), YYYY-MM-DD.")],
    account: Annotated[str | None, typer.Option(help="Account id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every account instead.")] = False,
) -> Answer:
    """Derive scores of the past again from what was known then, and say whether they come out byte for byte."""
    if (account is None) is not every:
        raise typer.BadParameter("give --account ACCOUNT, or --all")
    from serving.replay import replay as derive_again

    report = derive_again(place, parse_moment(at), account_id=account, progress=progress)
    return Answer(report.lines(), report.document(), report.failure())


def _exported(place: Home, clock: Clock, what: str) -> None:
    """Write down that rows of every account were taken away into a file."""
    from features.audit_log import Deed, What, append

    append(place, Deed(clock(), f"user {getpass.getuser()}", What.EXPORT, what))
