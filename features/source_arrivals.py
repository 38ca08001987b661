"""What did each source deliver, and when, as far as it was known at a moment?

Grain in: canonical tables. Grain out: one :class:`Delivery` per ``source_system`` and canonical table with any row, and
one :class:`Company` for what all of them are compared with. A row counts from its ``available_at`` on, in the week in
which it came: what comes later changes neither the present nor any week before it. Corrections and tombstones count
too, they are deliveries. Weeks run from Monday to Monday, and a week holds what was known when it closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.events import TABLES
from features.steps import name_run, run_steps
from features.vocabulary import WEEK, snapshot_at_or_before
from features.warehouse import Engine

LOOK_BACK_WEEKS = 108
"""Two years of weeks to compare with, so that a yearly campaign was seen at least once, and the four judged."""

WINDOW_WEEKS = 8
"""Completeness asks which accounts a source told of in so many weeks."""

HEARTBEATS = "source_heartbeats"
_STEPS = (
    "account_states",
    "contract_states",
    "live_contracts",
    "cohort",
    "usage_starts",
    "account_weeks",
    "phase_weeks",
)

ARRIVALS = """
SELECT
    t.source_system,
    CAST(t.available_at AS DATE) AS arrived_on,
    DATE_TRUNC('week', t.available_at - INTERVAL 1 MICROSECOND) AS week_start,
    COUNT(*) AS n_rows,
    MAX(t.event_at) AS newest_event_at,
    MAX(t.available_at) AS newest_available_at
FROM {table} AS t
CROSS JOIN asked AS q
WHERE t.available_at <= q.as_of
GROUP BY
    t.source_system, CAST(t.available_at AS DATE), DATE_TRUNC('week', t.available_at - INTERVAL 1 MICROSECOND)
"""

ACCOUNTS_TOLD = """
SELECT
    t.source_system,
    CAST(FLOOR((DATE_DIFF('day', CAST(t.available_at - INTERVAL 1 MICROSECOND AS DATE), CAST(q.closed_at AS DATE)) - 1)
        / 56) AS BIGINT) AS window_back,
    COUNT(DISTINCT t.account_id) AS accounts
FROM {table} AS t
INNER JOIN cohort AS c
    ON t.account_id = c.account_id
CROSS JOIN asked AS q
WHERE t.available_at <= q.closed_at AND c.cohort_status = 'at_risk'
GROUP BY
    t.source_system,
    CAST(FLOOR((DATE_DIFF('day', CAST(t.available_at - INTERVAL 1 MICROSECOND AS DATE), CAST(q.closed_at AS DATE)) - 1)
        / 56) AS BIGINT)
"""

PHASE_DAYS = """
SELECT
    p.week_start,
    CAST(SUM(p.pre_days) AS BIGINT) AS pre_days,
    CAST(SUM(p.active_days) AS BIGINT) AS active_days,
    CAST(SUM(p.post_days) AS BIGINT) AS post_days,
    CAST(SUM(p.quiet_days) AS BIGINT) AS quiet_days
FROM phase_weeks AS p
INNER JOIN account_weeks AS a
    ON p.account_id = a.account_id AND p.week_start = a.week_start
WHERE a.is_live = 1
GROUP BY p.week_start
"""

KNOWN_CAMPAIGNS = """
SELECT COUNT(*) AS windows
FROM campaign_windows AS w
CROSS JOIN asked AS q
WHERE w.takes_part = 1 AND w.known_at <= q.closed_at
"""

AT_RISK = "SELECT COUNT(*) AS accounts FROM cohort WHERE cohort_status = 'at_risk'"

LAST_HEARTBEATS = """
WITH known AS (
    SELECT
        h.source_system,
        h.table_name,
        h.watermark_at,
        h.steward_id,
        h.ok,
        h.op,
        ROW_NUMBER() OVER (
            PARTITION BY h.source_system, h.table_name
            ORDER BY h.watermark_at DESC, h.available_at DESC, h.row_hash
        ) AS recency
    FROM source_heartbeats AS h
    CROSS JOIN asked AS q
    WHERE h.available_at <= q.as_of
)

SELECT
    source_system,
    table_name,
    watermark_at,
    steward_id,
    ok
FROM known
WHERE recency = 1 AND op = 'upsert'
"""

QUERIES = (ARRIVALS, ACCOUNTS_TOLD, PHASE_DAYS, KNOWN_CAMPAIGNS, AT_RISK, LAST_HEARTBEATS)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a source last said of itself: complete until when, whether all is well (null: not said), who keeps it."""

    complete_until: datetime
    ok: bool | None
    steward: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one source delivered for one table.

    ``days`` are the days on which anything came, in order; ``rows`` per week that had closed, a week without is not in
    it. ``accounts`` is how many of the accounts now at risk it told of in the last :data:`WINDOW_WEEKS` weeks (0), in
    those before (1) and so on; None for a table that names no account.
    """

    source_system: str
    table: str
    newest_event_at: datetime
    newest_available_at: datetime
    days: tuple[date, ...]
    rows: Mapping[datetime, int]
    accounts: Mapping[int, int] | None
    heartbeat: Heartbeat | None


@dataclass(frozen=True, slots=True)
class Company:
    """What all deliveries are compared with.

    ``closed_at`` is the end of the last full week. ``mixes`` gives, per week, the shares of account-days before, in,
    after and outside of campaigns, by what was believed when the week closed; empty while no campaign was known.
    """

    as_of: datetime
    closed_at: datetime
    at_risk: int
    mixes: Mapping[datetime, tuple[float, ...]]


def read_arrivals(engine: Engine, as_of: datetime, scratch: Path) -> tuple[Company, tuple[Delivery, ...]]:
    """What was delivered by ``as_of``, by source and table, from an engine with every canonical table.

    Raises:
        DataContractError: a zone in the calendar or of an account is no IANA zone.
    """
    closed_at = snapshot_at_or_before(as_of)
    moment = pa.timestamp("us", tz="UTC")
    asked = {"as_of": pa.array([as_of], moment), "closed_at": pa.array([closed_at], moment)}
    engine.name_rows("asked", pa.table(asked))
    name_run(engine, (closed_at,), first_week=closed_at - LOOK_BACK_WEEKS * WEEK)
    run_steps(engine, _STEPS, scratch)
    company = Company(as_of, closed_at, _fetch(engine, AT_RISK)[0]["accounts"], _mixes(engine))
    beats = {(row["source_system"], row["table_name"]): row for row in _fetch(engine, LAST_HEARTBEATS)}
    found = [each for name in TABLES if name != HEARTBEATS for each in _deliveries(engine, name, closed_at, beats)]
    return company, tuple(sorted(found, key=lambda each: (each.source_system, each.table)))


def _deliveries(
    engine: Engine, table: str, closed_at: datetime, beats: Mapping[tuple[str, str], dict[str, Any]]
) -> list[Delivery]:
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _fetch(engine, ARRIVALS.format(table=table)):
        by_source[row["source_system"]].append(row)
    told: dict[str, dict[int, int]] | None = None
    if by_source and any(column.name == "account_id" for column in TABLES[table].columns):
        told = defaultdict(dict)
        for row in _fetch(engine, ACCOUNTS_TOLD.format(table=table)):
            told[row["source_system"]][row["window_back"]] = row["accounts"]
    return [
        Delivery(
            source_system=source,
            table=table,
            newest_event_at=max(row["newest_event_at"] for row in rows),
            newest_available_at=max(row["newest_available_at"] for row in rows),
            days=tuple(sorted({row["arrived_on"] for row in rows})),
            rows=_weekly(rows, closed_at),
            accounts=None if told is None else told.get(source, {}),
            heartbeat=_heartbeat(beats.get((source, table))),
        )
        for source, rows in by_source.items()
    ]


def _weekly(rows: list[dict[str, Any]], closed_at: datetime) -> dict[datetime, int]:
    weeks: dict[datetime, int] = defaultdict(int)
    for row in rows:
        if row["week_start"] + timedelta(days=7) <= closed_at:
            weeks[row["week_start"]] += row["n_rows"]
    return dict(weeks)


def _mixes(engine: Engine) -> dict[datetime, tuple[float, ...]]:
    if not _fetch(engine, KNOWN_CAMPAIGNS)[0]["windows"]:
        return {}
    mixes = {}
    for row in _fetch(engine, PHASE_DAYS):
        days = (row["pre_days"], row["active_days"], row["post_days"], row["quiet_days"])
        mixes[row["week_start"]] = tuple(count / sum(days) for count in days)
    return mixes


def _heartbeat(row: dict[str, Any] | None) -> Heartbeat | None:
    return None if row is None else Heartbeat(row["watermark_at"], row["ok"], row["steward_id"])


def _fetch(engine: Engine, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.fetch(query).to_pylist()
    return rows
