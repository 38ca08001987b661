"""Where little is known of half of the accounts, do grades say so, and do ranges hold for them?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow.parquet as pq

from features.vocabulary import parse_moment

from .graded import block_rows, coverage, scored_at
from .seeds import ranges
from .verdicts import Line, Outcome, at_least, holds, share
from .worlds import LAST, Effort, World, one_command_each

ACCOUNTS, SEED = 1500, 90022
WEAK = ("C", "D")
WEEKS_FOR_B = 39
"""The rule of grades that is published (docs/models.md): below it an account cannot be better than C."""
LEAST_RIGHT = 0.95


def measure(effort: Effort) -> Iterator[Line]:
    """Grades against the truth about who is thin, ranges for thin and for all."""
    world = World("thin", "thin", effort.accounts or ACCOUNTS, effort.seed_or(SEED), effort).ready()
    told = world.trained()
    yield one_command_each(world)
    version = told.document["version"]
    yield from _grades(world, scored_at(world.place.home, version, parse_moment(LAST)))
    rows = block_rows(world.place.home, version, world.truth("oracle"))
    thin = rows["account_id"].isin(set(world.truth("thin_accounts")["account_id"]))
    weak = rows["grade"].isin(WEAK)
    yield from ranges(world, coverage(rows), ", all accounts")
    yield from ranges(world, coverage(rows[thin | weak]), ", thin accounts and grades C and D")
    yield _width(world, rows, weak)


def _grades(world: World, scores: pd.DataFrame) -> Iterator[Line]:
    thin = scores["account_id"].isin(set(world.truth("thin_accounts")["account_id"]))
    weak = scores["grade"].isin(WEAK)
    found = share(int((thin & weak).sum()), int(thin.sum()))
    asked = f"at least {LEAST_RIGHT:.0%} of the planted thin accounts are graded C or D"
    yield world.line(asked, found, at_least(LEAST_RIGHT, found), f"{int(thin.sum())} thin accounts at risk at {LAST}")
    contracts = pq.read_table(world.place.company / "contracts_history.parquet").to_pandas()
    since = parse_moment(LAST).date() - contracts.groupby("account_id")["start_on"].min()
    weeks = scores["account_id"].map(since.map(lambda span: span.days / 7))
    short = weeks < WEEKS_FOR_B
    agreed = share(int((short == weak).sum()), len(weak))
    asked = f"at least {LEAST_RIGHT:.0%} of all grades are C or D just where the history is below {WEEKS_FOR_B} weeks"
    shares = f"share of C and D {weak.mean():.1%}, of short histories {short.mean():.1%}"
    yield world.line(asked, agreed, at_least(LEAST_RIGHT, agreed), shares)
    unknown = scores.loc[scores["grade"] == "D", "band"]
    calm = unknown.isin(["unknown", "lost_pending"])
    told, outcome = f"{int(calm.sum())} of {len(calm)}", holds(bool(calm.all())) if len(calm) else Outcome.UNDERPOWERED
    yield world.line("grade D has the band unknown", told, outcome)


def _width(world: World, rows: pd.DataFrame, weak: pd.Series[bool]) -> Line:
    found = wider_at_like_risk(rows, weak)
    told = f"{found:.2f} times as wide as those of A and B at the same risk, median"
    return world.line("thin accounts (C and D) get wider ranges", told, holds(found > 1))


def wider_at_like_risk(rows: pd.DataFrame, weak: pd.Series[bool]) -> float:
    """How many times as wide the range of a weak row is as the usual one of the others in its tenth of risk; median.

    Apart by risk, since ranges of small risks are wide for their risk, whoever they are of. NaN where no tenth has
    both kinds.
    """
    width = rows["interval_high"] - rows["interval_low"]
    tenth = pd.qcut(rows["risk_90"], 10, labels=False, duplicates="drop")
    usual = tenth[weak].map(width[~weak].groupby(tenth[~weak]).median())
    return float((width[weak] / usual).median())
