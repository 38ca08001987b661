"""What does the whole company tell about one account, and where is it kept between two builds?

Some steps sum over all accounts: levels and multipliers of a segment, shares of the cohort that a small count is drawn
to, from when a source was there. They are the company's norms. Each build keeps its answers for its last Monday, so
that one account can be computed anew without all the others. A norm that is used after that Monday is moved on: what it
says of Monday ``m`` counts for the moment that lies as long after ``m`` as the moment asked for lies after the last
Monday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from features.errors import MissingStateError
from features.manifest import Dataset, stored_file
from features.query_engine import QueryEngine
from features.settings import Home

OTHER_ACCOUNTS = "other_accounts"
"""The states of all accounts at that Monday: an event of the market may name another account than the one computed."""

LIFE = timedelta(days=8)
"""Builds are weekly, with a day of grace for a late one: norms that are older count for nobody."""


@dataclass(frozen=True, slots=True)
class _Norm:
    time: str
    """The column of time: ``as_of`` (moments) or ``on_date`` (days)."""
    is_history: bool
    """Does a later step read what it said of earlier weeks?"""


NORMS = {
    "segment_levels": _Norm("as_of", is_history=True),
    "phase_multipliers": _Norm("as_of", is_history=True),
    "wrap_thresholds": _Norm("as_of", is_history=True),
    "mood_levels": _Norm("as_of", is_history=False),
    "source_starts": _Norm("as_of", is_history=False),
    "revision_levels": _Norm("on_date", is_history=False),
    "output_quality_rates": _Norm("as_of", is_history=False),
    "late_invoice_rates": _Norm("as_of", is_history=False),
    "ticket_rates": _Norm("on_date", is_history=False),
    "sentiment_rates": _Norm("as_of", is_history=False),
    "segment_losses": _Norm("on_date", is_history=False),
}
"""The steps that sum over all accounts; every other step speaks of one account, or of the world outside."""

ONLY_FOR_NORMS = ("wrap_scores", "phase_sums")
"""Steps that nothing but a norm reads."""


def norms_dataset(home: Home) -> Dataset:
    """The norms of the newest build; a file per step."""
    return Dataset(home.root / "norms")


def store_norms(engine: QueryEngine, home: Home, as_of: datetime) -> None:
    """Keep what the steps of a build in this engine say of its last Monday, unless norms of a later one are kept."""
    dataset = norms_dataset(home)
    kept = _as_of(dataset)
    if kept is not None and kept > as_of:
        return
    weeks = engine.fetch("SELECT MIN(week_start) AS first FROM weeks").column("first")
    facts = {"as_of": as_of.isoformat(), "first_week": weeks[0].as_py().isoformat()}
    staged = []
    for name, query in _queries(as_of).items():
        path, rows = dataset.staging(name), engine.fetch(query)
        pq.write_table(rows, path, compression="zstd", coerce_timestamps="us")
        staged.append((path, stored_file(path, name=name, rows=rows.num_rows, facts=facts)))
    dataset.commit(staged)


def norms_as_of(home: Home, moment: datetime) -> datetime:
    """The Monday of the kept norms, which count for this moment.

    Raises:
        MissingStateError: none are kept, or they are of a later Monday, or older than :data:`LIFE`.
    """
    kept = _as_of(norms_dataset(home))
    if kept is None or not kept <= moment <= kept + LIFE:
        raise MissingStateError(
            "what the whole company tells is not built for this moment",
            expected=f"a build whose last Monday lies in the {LIFE.days} days up to {moment.isoformat()}",
            found=f"one of {kept.date()}" if kept else "none",
            todo="run `pulse build` up to the last Monday",
        )
    return kept


def first_week_of(home: Home, as_of: datetime) -> datetime:
    """The week with which the company's history begins, moved on as norms are to ``as_of`` (a midnight)."""
    entry = norms_dataset(home).entries()[0]
    return datetime.fromisoformat(entry.facts["first_week"]) + (as_of - datetime.fromisoformat(entry.facts["as_of"]))


def name_norms(engine: QueryEngine, home: Home, as_of: datetime) -> None:
    """Give the kept norms, moved on to ``as_of`` (a midnight), and ``other_accounts`` their names in an engine."""
    dataset = norms_dataset(home)
    kept = _as_of(dataset)
    days = (as_of - kept).days if kept else 0
    for entry, file in zip(dataset.entries(), dataset.files(), strict=True):
        time = NORMS[entry.name].time if entry.name in NORMS else "as_of"
        moved = f"{time} + {days}" if time == "on_date" else f"{time} + INTERVAL {days} DAY"
        engine.keep(entry.name, f"SELECT * REPLACE ({moved} AS {time}) FROM {_read(engine, entry.name, file)}")


def with_others(sql: str) -> str:
    """The step ``account_states`` over one account's rows, with other accounts that an event of the market names.

    Their segment counts for it.
    """
    return (
        f"SELECT * FROM ({sql}) UNION ALL SELECT * FROM {OTHER_ACCOUNTS} "
        "WHERE account_id IN (SELECT account_id FROM market_events) "
        "AND account_id NOT IN (SELECT account_id FROM accounts_history)"
    )


def _read(engine: QueryEngine, name: str, file: Path) -> str:
    stored = f"_stored_{name}"
    engine.name(stored, [file])
    return f'"{stored}"'


def _queries(as_of: datetime) -> dict[str, str]:
    last = f"TIMESTAMPTZ '{as_of.isoformat()}'"
    at_last = {"as_of": f"as_of = {last}", "on_date": f"on_date = CAST({last} AS DATE)"}
    queries = {
        name: f'SELECT * FROM "{name}"' + ("" if norm.is_history else f" WHERE {at_last[norm.time]}")
        for name, norm in NORMS.items()
    }
    return {**queries, OTHER_ACCOUNTS: f"SELECT * FROM account_states WHERE {at_last['as_of']}"}


def _as_of(dataset: Dataset) -> datetime | None:
    said = {entry.facts["as_of"] for entry in dataset.entries()}
    return datetime.fromisoformat(max(said)) if said else None
