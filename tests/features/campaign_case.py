"""A small vendor with three customers and no campaign yet, in a home of its own; and the commands at a given time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import typer
from typer.testing import CliRunner

from features.build import build_snapshots, snapshot_dataset
from features.commands import campaigns
from features.console import HomeOption, Setting
from features.settings import Home
from features.sources import ingest
from features.vocabulary import parse_moment
from tests.features.source_case import write_text

FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = {"a1": "America/New_York", "a2": "Asia/Tokyo", "a3": "Europe/Paris"}


def vendor(folder: Path) -> Home:
    """The home, with accounts and contracts since January 2025."""
    home, raw = Home(root=folder / "home"), folder / "raw"
    write_text(
        raw,
        "accounts_history.csv",
        "account_id,valid_from,name,segment,hq_tz",
        *(f"{name},2025-01-06T00:00:00Z,Studio {name},studio,{zone}" for name, zone in ZONES.items()),
    )
    write_text(
        raw,
        "contracts_history.csv",
        "contract_id,valid_from,account_id,signed_on,start_on,end_on,term_months,auto_renew,billing_interval,currency,"
        "tcv_minor,acv_minor,product_family,pilot",
        *(
            f"c-{name},2025-01-06T00:00:00Z,{name},2025-01-06,2025-01-06,2028-01-05,36,true,year,USD,300,100,suite,false"
            for name in ZONES
        ),
    )
    report = ingest(home, raw, mapping=None, now=FOUNDED)
    assert report.refused == 0, report.lines()
    return home


def join(home: Home, folder: Path, instance: str, *rows: str, now: str) -> None:
    """Say who takes part: ``account,participation,confidence`` per row, known from ``now``."""
    told = folder / f"parts-{now}"
    lines = [f"{row.split(',')[0]},{instance},{now}T00:00:00Z,{row.split(',', 1)[1]}" for row in rows]
    header = "account_id,campaign_instance_id,known_from,participation,confidence"
    write_text(told, "account_campaigns_history.csv", header, *lines)
    assert ingest(home, told, mapping=None, now=parse_moment(now), live=True).refused == 0


class Said(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str
    document: dict[str, Any]


def say(home: Home, *words: object, now: str) -> Said:
    """Run `pulse campaigns ...` at a time."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def options(context: typer.Context, home: HomeOption = None) -> None:
        context.obj = Setting(home, lambda: parse_moment(now))

    campaigns.add_to(app)
    with TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        line = ["campaigns", *map(str, words), "--home", str(home.root), "--json", str(answer)]
        done = CliRunner().invoke(app, line, catch_exceptions=False, env={"COLUMNS": "200"})
        document = json.loads(answer.read_text()) if answer.exists() else {}
    return Said(done.exit_code, done.stdout, done.stderr, document)


def done(home: Home, *words: object, now: str) -> Said:
    """The same, for a command that has to succeed."""
    said = say(home, *words, now=now)
    assert said.code == 0, said.err
    return said


def phases(home: Home, first: str, last: str) -> dict[str, dict[str, str]]:
    """Build the snapshots of a range: account to phase, by Monday."""
    build_snapshots(home, parse_moment(first), parse_moment(last))
    return stored_phases(home)


def stored_phases(home: Home) -> dict[str, dict[str, str]]:
    """The phases in the snapshots as they are stored."""
    found: dict[str, dict[str, str]] = {}
    for path in snapshot_dataset(home, "context").files():
        for row in pq.read_table(path, columns=["account_id", "as_of", "phase"]).to_pylist():
            found.setdefault(f"{row['as_of']:%Y-%m-%d}", {})[row["account_id"]] = row["phase"]
    return found
