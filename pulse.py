"""What can a person ask of campaign-pulse on the command line?

The commands, and the only place besides the service that reads the clock. Heavy rooms are imported inside the commands,
so that `pulse --help` is quick.
"""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from features.commands import add_data_commands
from features.console import Answer, HomeOption, Setting, command
from features.progress import Progress
from features.settings import Home
from features.vocabulary import parse_moment
from serving.commands import add_serving_commands

DEMO_START = datetime(2021, 1, 4, tzinfo=UTC)
DEMO_SCORED_WEEKS = 26
"""The demo scores half a year of Mondays, so that the pages have a trend to show."""
DEMO_SEED = 5
"""The demo's company. With a hundred leavers to judge by, chance now and then refuses an honest model; this one was
chosen among ten, by its truth alone, as the one in which as many left in every phase as were bound to."""

AsOfOption = Annotated[str, typer.Option("--as-of", help="The date to stand on, YYYY-MM-DD: nothing later is known.")]
WhyOption = Annotated[str, typer.Option(help="The reason; kept in the promotion log.")]
TruthOption = Annotated[Path | None, typer.Option(help="truth/ folder of a simulated company, to grade by.")]
RecipeOption = Annotated[str | None, typer.Option(help="Settings in YAML, or the name of a recipe we bring.")]
CandidatesOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Columns you think of adding: judged, and refused where they leak.")
]
TrialsOption = Annotated[int, typer.Option(min=1, help="Trials of the search.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port of the service.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def options(context: typer.Context, home: HomeOption = None) -> None:
    """Campaign-phase customer health and churn for vendors of design tools. Health: 0 to 100, 100 = healthy."""
    context.obj = Setting(home, _now)


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
def train(
    place: Home,
    progress: Progress,
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
    trained = lifecycle.train(place, cut, config=config, truth=truth, now=_now(), progress=progress)
    return Answer(trained.lines(), trained.document(), trained.failure())


@command(app)
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


@command(app)
def evaluate(
    place: Home,
    progress: Progress,
    *,
    model: Annotated[str | None, typer.Option(help="Version; by default the live one, else the newest.")] = None,
    truth: TruthOption = None,
) -> Answer:
    """Judge a registered model again on its untouched last weeks."""
    from training import lifecycle

    judged = lifecycle.evaluate(place, model, truth=truth, now=_now(), progress=progress)
    return Answer(judged.lines(), judged.document())


@command(app)
def models(place: Home) -> Answer:
    """List the registered models, their verdicts and the promotion log."""
    from training import lifecycle

    listing = lifecycle.models(place)
    return Answer(listing.lines(), listing.document())


@command(app)
def promote(
    place: Home,
    *,
    version: Annotated[str, typer.Argument(help="Version to put live.")],
    why: WhyOption = "promoted on the command line",
) -> Answer:
    """Put a version live; only a passed verdict opens the way."""
    from training import lifecycle

    return _promotion(lifecycle.promote(place, version, who=_who(), why=why, at=_now()))


@command(app)
def rollback(
    place: Home,
    *,
    why: WhyOption = "rolled back on the command line",
) -> Answer:
    """Put the version live again that was live before."""
    from training import lifecycle

    return _promotion(lifecycle.rollback(place, who=_who(), why=why, at=_now()))


@command(app)
def score(
    place: Home,
    progress: Progress,
    *,
    as_of: AsOfOption,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> Answer:
    """Score every account that could still leave; one row per account, appended to the ledger."""
    from serving.scorer import Scorer

    scores = Scorer.open(place).score_cohort(parse_moment(as_of), now=_now(), progress=progress)
    scores.write(out)
    return Answer(scores.lines(), scores.document())


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


def _promotion(done: Any) -> Answer:
    before = f" (before: version {done.version_from})" if done.version_from else ""
    document = {"action": done.action, "from": done.version_from, "to": done.version_to, "why": done.why}
    return Answer([f"version {done.version_to} is live{before}"], document)


def _now() -> datetime:
    return datetime.now(UTC)


def _who() -> str:
    return getpass.getuser()


if __name__ == "__main__":
    main()
