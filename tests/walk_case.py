"""The main job on a small made-up company, by the commands a person would type, once per test run.

600 accounts over three years. The company was chosen among eighty, by its truth alone, as one where chance makes
neither skill nor calibration look bad: with 48 leavers to judge by, an honest model is refused on many others.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pandas as pd
import pyarrow.parquet as pq
from typer.testing import CliRunner

from features.settings import Home
from features.vocabulary import parse_moment
from features.warehouse import THREADS_VARIABLE
from pulse import app

ACCOUNTS, WEEKS, SEED, TRIALS = 600, 156, 26, 4
START, FIRST, LAST = "2021-01-04", "2021-07-05", "2024-01-01"
"""First day of the company, first and last snapshot. All Mondays."""

WHY = "the walk's model"
THREADS = "2"


@dataclass(frozen=True)
class Told:
    """What one command said: exit code, both streams and its JSON document."""

    code: int
    stdout: str
    stderr: str
    document: dict[str, Any]


def pulse(*arguments: object, home: Path) -> Told:
    """Run a command in this process, with ``--home`` and ``--json``; a defect of ours is raised, not told."""
    with TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        words = [*map(str, arguments), "--home", str(home), "--json", str(answer)]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        document = json.loads(answer.read_text(), parse_constant=_no_json) if answer.exists() else {}
    return Told(done.exit_code, done.stdout, done.stderr, document)


@dataclass(frozen=True)
class Walk:
    """A home in which the whole job was done, and what each command said. Read it; to change it, take a copy."""

    root: Path
    raw: Path
    scored: Path
    told: Mapping[str, Told]

    @property
    def home(self) -> Home:
        """The home."""
        return Home(root=self.root)

    @property
    def last(self) -> datetime:
        """The newest snapshot: scored, and online."""
        return parse_moment(LAST)

    @property
    def scores(self) -> pd.DataFrame:
        """The score file."""
        return pq.read_table(self.scored).to_pandas()

    @property
    def explained(self) -> str:
        """The account that was explained."""
        return str(self.told["explain"].document["account_id"])

    def copy(self, target: Path) -> Walk:
        """A home of one's own: what is never written again is shared, everything else is copied."""
        shutil.copytree(self.root, target, copy_function=_shared_or_copied)
        return replace(self, root=target)

    def run(self, *arguments: object) -> Told:
        """Run a command on this home."""
        return pulse(*arguments, home=self.root)


def walk(folder: Path) -> Walk:
    """Do the whole job in a folder; every step must succeed."""
    root, raw, scored = folder / "home", folder / "company", folder / "scores.parquet"
    told: dict[str, Told] = {}

    def step(name: str, *arguments: object) -> None:
        told[name] = pulse(name, *arguments, home=root)
        assert told[name].code == 0, f"{name}: {told[name].stdout}\n{told[name].stderr}"

    with _threads(THREADS):
        company = ("--accounts", ACCOUNTS, "--seed", SEED, "--weeks", WEEKS, "--start", START)
        step("simulate", *company, "--out", raw)
        step("ingest", raw)
        step("build", "--from", FIRST, "--to", LAST)
        step("train", "--as-of", LAST, "--trials", TRIALS, "--truth", raw / "truth")
        step("promote", "1", "--why", WHY)
        step("score", "--as-of", LAST, "--out", scored)
        step("explain", _most_at_risk(scored), "--as-of", LAST)
    return Walk(root, raw, scored, told)


def _most_at_risk(scored: Path) -> str:
    scores = pq.read_table(scored).to_pandas()
    at_risk = scores[scores["band"] != "lost_pending"]
    return str(at_risk.sort_values("risk_90", kind="stable")["account_id"].iloc[-1])


def _shared_or_copied(source: str, target: str) -> None:
    # Stored Parquet files are replaced, never written into; a hard link costs nothing.
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@contextmanager
def _threads(number: str) -> Iterator[None]:
    before = os.environ.get(THREADS_VARIABLE)
    os.environ[THREADS_VARIABLE] = number
    try:
        yield
    finally:
        os.environ.pop(THREADS_VARIABLE)
        if before is not None:
            os.environ[THREADS_VARIABLE] = before


def _no_json(word: str) -> NoReturn:
    raise AssertionError(f"{word} is no JSON")
