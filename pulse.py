"""What can a person ask of campaign-pulse on the command line?

The commands, and the only place besides the service that reads the clock. Heavy rooms are imported inside the commands,
so that `pulse --help` is quick.
"""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from features.commands import add_data_commands
from features.console import Answer, HomeOption, Setting, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from serving.commands import add_serving_commands
from training.commands import add_training_commands
from training.commands.options import AsOfOption

DEMO_START = datetime(2021, 1, 4, tzinfo=UTC)
DEMO_SCORED_WEEKS = 26
"""The demo scores half a year of Mondays, so that the pages have a trend to show."""
DEMO_SEED = 5
"""The demo's company. With a hundred leavers to judge by, chance now and then refuses an honest model; this one was
chosen among ten, by its truth alone, as the one in which as many left in every phase as were bound to."""

TrialsOption = Annotated[int, typer.Option(min=1, help="Trials of the search.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port of the service.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"campaign-pulse {version('campaign-pulse')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Say which version this is, and end.")
]


@app.callback()
def options(context: typer.Context, home: HomeOption = None, *, version: VersionOption = False) -> None:  # noqa: ARG001
    """Campaign-phase customer health and churn for vendors of design tools. Health: 0 to 100, 100 = healthy."""
    context.obj = Setting(home, _now)
    # Read when LightGBM is loaded. Threads that spin while they wait for each other take a core from whoever has work:
    # beside one, 150 rounds on two threads took 13 to 18 s, and 2 to 3 s so; alone on the machine 1.4 and 1.6 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@command(app)
def ingest(
    place: Home,
    progress: Progress,
    *,
    folder: Annotated[Path, typer.Argument(help="Folder with one file per table, or any layout with a mapping.")],
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of one that comes with us.")] = None,
    live: Annotated[bool, typer.Option("--live", help="A live feed: rows count as known from now.")] = False,
) -> Answer:
    """Bring raw tables in; bad rows go to quarantine with a reason."""
    from features.sources import ingest as take_in

    report = take_in(place, folder, mapping=mapping, now=_now(), live=live, progress=progress)
    return Answer(report.lines(), report.document(), report.quarantined_error())


@command(app)
def explain(
    place: Home,
    *,
    account: Annotated[str, typer.Argument(help="Account id.")],
    as_of: AsOfOption,
) -> Answer:
    """Say why one account scores as it does, in points per subcategory and in words."""
    from serving.scorer import Scorer

    explanation = Scorer.open(place).explain_at(account, parse_moment(as_of))
    return Answer(explanation.lines(), explanation.document())


@command(app)
def serve(
    place: Home,
    *,
    host: Annotated[str, typer.Option(help="Address to bind; one that others can reach needs a key.")] = "127.0.0.1",
    port: PortOption = 3000,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Judge freshness at this date, not at now.")] = None,
) -> Answer:
    """Serve scores, explanations and pages until stopped."""
    return _serve(place, host=host, port=port, as_of=parse_moment(as_of) if as_of else None)


@command(app)
def status(
    place: Home,
    progress: Progress,
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Read every stored file and compare its hash.")] = False,
) -> Answer:
    """Tell what is loaded, built and live."""
    from features.standing import standing_of, verify_files
    from training.promotions import current

    verified = verify_files(place, progress=progress) if verify else None
    standing, champion = standing_of(place), current(place)
    live = champion.version if champion else "none yet: run `pulse train`, then `pulse promote`"
    lines = [f"home: {place.root}", f"live model: {live}", *standing.lines()]
    document = {"tables": standing.tables, "snapshots": standing.snapshots, "live": champion and champion.version}
    return Answer(lines, {**document, "verified": verified})


@command(app)
def demo(
    place: Home,
    progress: Progress,
    *,
    accounts: Annotated[int, typer.Option(min=100, help="Accounts of the made-up company.")] = 1500,
    weeks: Annotated[int, typer.Option(min=150, help="Weeks of history.")] = 208,
    trials: TrialsOption = 12,
    seed: Annotated[int, typer.Option(help="Seed of the company and of the search.")] = DEMO_SEED,
    serve_after: Annotated[bool, typer.Option("--serve/--no-serve", help="Start the service at the end.")] = True,
    port: PortOption = 3000,
) -> Answer:
    """Run the whole main job on a made-up company, then serve it."""
    from features.publish import publish_snapshots
    from features.simulator import simulate as make_company
    from features.sources import ingest as take_in
    from serving.scorer import Scorer
    from training import lifecycle
    from training.config import TrainingConfig

    raw, end = place.prepare().root / "demo-company", DEMO_START + timedelta(weeks=weeks)
    world: dict[str, Any] = {"regime": "campaign", "accounts": accounts, "seed": seed, "weeks": weeks}
    make_company(**world, start=DEMO_START.date(), out=raw, progress=progress)
    lines = take_in(place, raw, mapping=None, now=_now(), live=False, progress=progress).lines()[:1]
    lines += publish_snapshots(place, DEMO_START + timedelta(weeks=26), end, progress=progress).lines()
    config = TrainingConfig(trials=trials, seed=seed)
    trained = lifecycle.train(place, end, config=config, truth=raw / "truth", now=_now(), progress=progress)
    if failure := trained.failure():
        return Answer([*lines, *trained.lines()], trained.document(), failure)
    lifecycle.promote(place, trained.version, who=_who(), why="the demo's model", at=_now())
    scorer, out = Scorer.open(place), place.root / "scores.parquet"
    for done in range(1, DEMO_SCORED_WEEKS + 1):
        scores = scorer.score_cohort(end - timedelta(weeks=DEMO_SCORED_WEEKS - done), now=_now())
        progress("score the last weeks", done, DEMO_SCORED_WEEKS)
    scores.write(out)
    lines += [*trained.lines(), *scores.lines(), f"scores of {end.date()}: {out}"]
    if not serve_after:
        return Answer(lines, {"training": trained.document(), "scores": scores.document()})
    typer.echo("\n".join(lines))
    return _serve(place, host="127.0.0.1", port=port, as_of=end)


add_data_commands(app)
add_training_commands(app)
add_serving_commands(app)


def main() -> None:
    """Entry point of the `pulse` command."""
    app()


def _serve(place: Home, *, host: str, port: int, as_of: datetime | None) -> Answer:
    from serving.launch import serve as run_service

    def announce(url: str) -> None:
        typer.echo(f"pages on {url}/  API on {url}/v1/  stop with Ctrl-C")

    run_service(place, host=host, port=port, as_of=as_of, announce=announce)
    return Answer(["service stopped"])


def _now() -> datetime:
    return datetime.now(UTC)


def _who() -> str:
    return getpass.getuser()


if __name__ == "__main__":
    main()
