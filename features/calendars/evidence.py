"""What was known at a moment that tells who takes part in campaigns, and how do guesses become rows?

Grain in: canonical tables, rows with ``available_at <= as_of`` only. Grain out: :class:`Known`; and rows of
``account_campaigns_history`` that can be known from ``as_of``. A guess never takes the place of what an account said.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.beliefs import timelines
from features.calendars.believed import PARTICIPATION, instances_in
from features.calendars.entries import INSTANCES
from features.calendars.inference import USUAL_WEEKS, Guess, Known, Part, guesses
from features.errors import UsageError
from features.identity import open_resolved
from features.settings import Home
from features.sources import IngestReport, ingest
from features.vocabulary import WEEK, snapshot_at_or_before
from features.warehouse import Engine, Warehouse

SOURCE = "campaign_inference"
_LOOKED_BACK = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Inferred:
    """How many guesses of each kind were written; ``report`` is what ingest told, None where there was none."""

    as_of: datetime
    counts: dict[str, int]
    report: IngestReport | None

    def lines(self) -> list[str]:
        """For people; the first line is the summary."""
        told = ", ".join(f"{count:,} {how}" for how, count in sorted(self.counts.items())) or "no new guess"
        return [f"as known on {self.as_of:%Y-%m-%d}: {told}", *(self.report.lines() if self.report else [])]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        report = self.report.document() if self.report else None
        return {"as_of": self.as_of.isoformat(), "guesses": self.counts, "ingest": report}


def infer(home: Home, as_of: datetime, *, now: datetime) -> Inferred:
    """Guess who takes part in what was live at ``as_of``, and write it as known from then.

    Raises:
        MissingStateError: no calendar or no account is loaded.
        UsageError: ``as_of`` has not come yet.
    """
    if as_of > now:
        raise UsageError(
            "what is to be known later cannot be guessed",
            expected="a date up to now",
            found=f"{as_of.date()}",
            todo="take an earlier date",
        )
    warehouse = Warehouse(home)
    warehouse.require_rows(INSTANCES, "accounts_history")
    with open_resolved(warehouse) as engine:
        made = list(guesses(known_at(engine, as_of)))
    if not made:
        return Inferred(as_of, {}, None)
    with TemporaryDirectory(prefix="pulse-inference-") as scratch:
        lines = (json.dumps(_row(guess, as_of)) for guess in made)
        (Path(scratch) / f"{PARTICIPATION}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        report = ingest(home, Path(scratch), mapping=None, now=now)
    return Inferred(as_of, dict(Counter(guess.participation for guess in made)), report)


def known_at(engine: Engine, as_of: datetime) -> Known:
    """Everything that tells who takes part, as known at a moment."""
    activity = _activity(engine, as_of)
    recent = (snapshot_at_or_before(as_of) - USUAL_WEEKS * WEEK).date()
    using = {account for account, weeks in activity.items() if max(weeks) >= recent}
    return Known(
        as_of=as_of,
        instances=instances_in(engine, as_of),
        segments={account: segment for account, segment in _segments(engine, as_of) if account in using},
        parts=_parts(engine, as_of),
        tagged=_tagged(engine, as_of),
        activity=activity,
    )


def _segments(engine: Engine, as_of: datetime) -> list[tuple[str, str]]:
    columns = "account_id, valid_from, available_at, row_hash, op, segment, is_internal, is_test"
    states = _states(engine, "accounts_history", columns, key=["account_id"])
    rows = ((account, state.at(as_of)) for (account,), state in states.items())
    return [(account, row["segment"]) for account, row in rows if row and not (row["is_internal"] or row["is_test"])]


def _parts(engine: Engine, as_of: datetime) -> dict[tuple[str, str], Part]:
    columns = "account_id, campaign_instance_id, known_from, available_at, row_hash, op, participation, confidence"
    key = ["account_id", "campaign_instance_id"]
    states = _states(engine, PARTICIPATION, columns, key=key, held_from="known_from")
    rows = ((name, state.at(as_of)) for name, state in states.items())
    return {(account, run): Part(row["participation"], row["confidence"]) for (account, run), row in rows if row}


def _tagged(engine: Engine, as_of: datetime) -> frozenset[tuple[str, str]]:
    columns = "project_id, valid_from, available_at, row_hash, op, account_id, campaign_instance_id, status_canonical"
    states = _states(engine, "projects_history", columns, key=["project_id"])
    rows = (row for state in states.values() if (row := state.at(as_of)) is not None)
    return frozenset(
        (row["account_id"], row["campaign_instance_id"])
        for row in rows
        if row["campaign_instance_id"] and row["status_canonical"] != "cancelled"
    )


def _states(
    engine: Engine, table: str, columns: str, *, key: list[str], held_from: str = "valid_from"
) -> dict[tuple[Any, ...], Any]:
    return timelines(engine.fetch(f"SELECT {columns} FROM {table}").to_pylist(), key=key, held_from=held_from)


def _activity(engine: Engine, as_of: datetime) -> dict[str, dict[date, float]]:
    # What counts differs between sources; within an account it does not, and only its ratio to itself is read.
    reach = (
        f"op = 'upsert' AND available_at <= TIMESTAMPTZ '{as_of.isoformat()}' "
        f"AND event_at < TIMESTAMPTZ '{as_of.isoformat()}' "
        f"AND event_at >= TIMESTAMPTZ '{(as_of - _LOOKED_BACK).isoformat()}'"
    )
    week = "CAST(DATE_TRUNC('week', event_at) AS DATE) AS week"
    rows = engine.fetch(
        f"SELECT account_id, week, SUM(actions) AS actions FROM ("
        f"SELECT account_id, {week}, COALESCE(events, sessions, 0) AS actions FROM usage_daily WHERE {reach} "
        f"UNION ALL SELECT account_id, {week}, 1 AS actions FROM usage_events WHERE {reach}) GROUP BY account_id, week"
    )
    found: dict[str, dict[date, float]] = defaultdict(dict)
    for row in rows.to_pylist():
        found[row["account_id"]][row["week"]] = float(row["actions"])
    return found


def _row(guess: Guess, as_of: datetime) -> dict[str, Any]:
    return {
        "source_system": SOURCE,
        "account_id": guess.account_id,
        "campaign_instance_id": guess.campaign_instance_id,
        "known_from": guess.known_from.isoformat(),
        "available_at": as_of.isoformat(),
        "participation": guess.participation,
        "confidence": guess.confidence,
        "evidence_ids": " ".join(guess.signs) or "segment",
    }
