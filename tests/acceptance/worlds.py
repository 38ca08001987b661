"""Which company is a requirement measured on, and how does it get from tables to a judged model?

Each of the four steps is one command: simulate, ingest, build, train. The company lives four years or more; its
first half year is the look-back of the first snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from features.vocabulary import parse_moment
from tests.walk_case import Told

from .mondays import mondays_between
from .product import DONE, NO_SIGNAL, QUARANTINED, REFUSED, Place, StepFailedError, Tell
from .verdicts import Line, Measured, Outcome

START, WEEKS, LOOK_BACK = "2021-01-04", 208, 26
LAST = "2024-12-30"
"""The last snapshot of a company that lives as long as usual."""
FOUR_WEEKLY, WEEKLY = 4, 1
RIGHT_LEVEL = (0.8, 1.25)
"""Observed over expected that counts as true (issue 4)."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Where companies are kept, and how much is spent on each; without ``accounts`` and ``seeds`` what a case asks."""

    work: Path
    trials: int
    tell: Tell
    code: str
    accounts: int | None = None
    seeds: tuple[int, ...] = ()
    every: int = FOUR_WEEKLY

    def seed_or(self, usual: int) -> int:
        """The seed of a case that asks one company."""
        return self.seeds[0] if self.seeds else usual


@dataclass(frozen=True, slots=True)
class World:
    """One made-up company and the folder it lives in."""

    case: str
    regime: str
    accounts: int
    seed: int
    effort: Effort
    start: str = START
    weeks: int = WEEKS

    @property
    def name(self) -> str:
        """The world in words."""
        return f"{self.regime}, {self.accounts:,} accounts, seed {self.seed}"

    @property
    def place(self) -> Place:
        """Its folder: cases that ask the same company share it."""
        folder = f"{self.regime}-{self.accounts}-{self.seed}"
        return Place(self.effort.work / folder, self.effort.tell)

    def ready(self) -> World:
        """Simulated, ingested and built; itself."""
        place = self.place
        company = ("--accounts", self.accounts, "--seed", self.seed, "--weeks", self.weeks, "--start", self.start)
        place.step("simulate", "simulate", "--regime", self.regime, *company, "--out", place.company)
        place.step("ingest", "ingest", place.company, allowed=(DONE, QUARANTINED))
        place.build(self._monday(LOOK_BACK), self.last, self.effort.every)
        return self

    def watched_mondays(self) -> list[datetime]:
        """Every fourth Monday of which snapshots are there."""
        return mondays_between(self._monday(LOOK_BACK), self.last, every=FOUR_WEEKLY)

    @property
    def last(self) -> str:
        """The last snapshot."""
        return self._monday(self.weeks)

    def _monday(self, week: int) -> str:
        return (parse_moment(self.start) + timedelta(weeks=week)).date().isoformat()

    def trained(self, name: str = "train", *, as_of: str = LAST, recipe: Path | None = None) -> Told:
        """What the training said; a verdict that refuses the model is an answer, too."""
        place = self.place
        words = ["--as-of", as_of, "--trials", self.effort.trials, "--truth", place.truth]
        words += ["--recipe", recipe] if recipe else []
        told = place.step(name, "train", *words, allowed=(DONE, REFUSED, NO_SIGNAL))
        if "version" not in told.document:
            raise StepFailedError(f"{place.root.name}: {name} made no model\n{told.stdout}\n{told.stderr}")
        return told

    def truth(self, table: str) -> pd.DataFrame:
        """A table of the truth."""
        rows: pd.DataFrame = pq.read_table(self.place.truth / f"{table}.parquet").to_pandas()
        return rows

    def line(self, asked: str, found: Measured | str, outcome: Outcome, note: str = "") -> Line:
        """A requirement of this world with what was measured."""
        number = found if isinstance(found, Measured) else Measured(value=None)
        return Line(
            case=self.case,
            world=self.name,
            asked=asked,
            measured=found if isinstance(found, str) else found.told(),
            outcome=outcome,
            note=note,
            code=self.effort.code,
            **number.model_dump(),
        )


def one_command_each(world: World) -> Line:
    """Issue 3 asks this of every regime; of the build only what was done by the command counts."""
    steps = (
        ("simulate", "ingest", "build", "train") if world.effort.every == WEEKLY else ("simulate", "ingest", "train")
    )
    codes = {name: None if (said := world.place.said(name)) is None else said.code for name in steps}
    kept = all(codes[name] in allowed for name, allowed in _ANSWERS.items() if name in codes)
    # A clean company whose rows are refused is no clean company.
    kept = kept and (codes["ingest"] == QUARANTINED) == (world.regime == "dirty")
    meaning = {
        QUARANTINED: "4 = rows in quarantine",
        REFUSED: "8 = a gate refused the model",
        NO_SIGNAL: "9 = too few outcomes for the gates",
    }
    return world.line(
        f"{', '.join(steps)}: one command each",
        f"exit codes {', '.join(str(code) for code in codes.values())}",
        Outcome.PASS if kept else Outcome.FAIL,
        ", ".join(told for code, told in meaning.items() if code in codes.values()),
    )


_ANSWERS = {"simulate": (DONE,), "ingest": (DONE, QUARANTINED), "build": (DONE,), "train": (DONE, REFUSED, NO_SIGNAL)}


def estimate(document: dict[str, Any]) -> Measured:
    """An estimate of a JSON document of ours."""
    return Measured(value=document["value"], low=document["low"], high=document["high"])
