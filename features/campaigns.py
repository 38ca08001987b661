"""What does the campaign calendar mean for one account, and what was believed of it when?

Grain in: ``campaigns``, ``campaign_instances_history``, ``account_campaigns_history``, ``accounts_history``. Grain out:
one row per account, campaign instance and stretch of time in which nothing about it changed,
``[known_at, superseded_at)``; at any moment at most one row per account and instance is in force. Local dates become
UTC moments by the rules of their IANA zone. Pure but for the four queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from features.beliefs import NOTHING, Row, Timeline, changes, timelines
from features.errors import DataContractError
from features.query_engine import QueryEngine
from features.vocabulary import Phase

TRUSTED = 0.5
"""Participation with less confidence than this is a guess (the segment's rate, say), not a campaign of the account."""

REMEMBERED = timedelta(days=400)
"""An account stays ``off`` rather than ``none`` this long after a campaign: a yearly one may slip by a month."""

DEFAULT_PRE_DAYS = 28
DEFAULT_POST_DAYS = 42
"""Where neither the instance nor its campaign says how long: four weeks of ramp, six of wrap-up."""

_COLUMNS = {
    "campaigns": "campaign_id, known_from, available_at, row_hash, op, default_pre_days, default_post_days",
    "campaign_instances_history": "campaign_instance_id, known_from, available_at, row_hash, op, campaign_id, label, "
    "active_start_local, active_end_local, tz_policy, event_tz, pre_days, post_days, status",
    "account_campaigns_history": "account_id, campaign_instance_id, known_from, available_at, row_hash, op, "
    "participation, confidence, own_active_start_local, own_active_end_local",
    "accounts_history": "account_id, valid_from, available_at, row_hash, op, hq_tz",
}
_MOMENT = pa.timestamp("us", tz="UTC")
_TYPES = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "datetime": _MOMENT, "datetime | None": _MOMENT}


@dataclass(frozen=True, slots=True)
class CampaignWindow:
    """What was believed of one account's part in one campaign instance during ``[known_at, superseded_at)``.

    ``superseded_at`` is None while the belief stands. pre is ``[pre_start, active_start)``, active
    ``[active_start, active_end)``, post ``[active_end, post_end)``. ``takes_part`` is 0 for what has no phase:
    declined, cancelled, under :data:`TRUSTED`, or an end before its start.
    """

    account_id: str
    campaign_id: str
    campaign_instance_id: str
    label: str
    participation: str
    confidence: float
    status: str
    takes_part: int
    known_at: datetime
    superseded_at: datetime | None
    pre_start: datetime
    active_start: datetime
    active_end: datetime
    post_end: datetime

    def phase_at(self, moment: datetime) -> Phase | None:
        """The live phase at a moment, both the window's own rules applied; None outside of the window."""
        if not self.takes_part or not self.pre_start <= moment < self.post_end:
            return None
        if moment < self.active_start:
            return Phase.PRE
        return Phase.ACTIVE if moment < self.active_end else Phase.POST

    def believed_at(self, moment: datetime) -> bool:
        """Was this the belief in force at the moment?"""
        return self.known_at <= moment and (self.superseded_at is None or moment < self.superseded_at)


SCHEMA = pa.schema([(field.name, _TYPES[str(field.type)]) for field in fields(CampaignWindow)])
"""Columns of the table ``campaign_windows``; never read ``superseded_at`` but to ask which row is in force."""


@dataclass(frozen=True, slots=True)
class PhaseAnswer:
    """The phase of an account at a moment: the strongest live one, all live instances, and the rule that decided."""

    phase: Phase
    live: tuple[tuple[CampaignWindow, Phase], ...]
    n_pre: int
    n_active: int
    n_post: int
    conflict: bool
    rule: str


def campaign_windows(engine: QueryEngine) -> pa.Table:
    """The table ``campaign_windows`` of a run, columns as in :data:`SCHEMA`, sorted by account, instance and known_at.

    Raises:
        DataContractError: a zone in the calendar or of an account is no IANA zone.
    """
    windows = list(windows_from({name: _fetch(engine, name) for name in _COLUMNS}))
    return pa.table({name: [getattr(window, name) for window in windows] for name in SCHEMA.names}, schema=SCHEMA)


def account_windows(engine: QueryEngine, account_id: str) -> tuple[CampaignWindow, ...]:
    """The windows of one account, read for it alone."""
    return tuple(windows_from({name: _fetch(engine, name, account_id) for name in _COLUMNS}))


def windows_from(tables: dict[str, list[dict[str, Any]]]) -> Iterator[CampaignWindow]:
    """The same from rows in memory, one list of rows per table."""
    campaigns = timelines(tables["campaigns"], key=["campaign_id"], held_from="known_from")
    instances = timelines(tables["campaign_instances_history"], key=["campaign_instance_id"], held_from="known_from")
    accounts = timelines(tables["accounts_history"], key=["account_id"], held_from="valid_from")
    taking_part = timelines(
        tables["account_campaigns_history"], key=["account_id", "campaign_instance_id"], held_from="known_from"
    )
    for (account_id, instance_id), part in sorted(taking_part.items()):
        instance = instances.get((instance_id,), NOTHING)
        defaults = [campaigns[key] for key in _campaign_keys(instance) if key in campaigns]
        yield from _windows(part, instance, accounts.get((account_id,), NOTHING), defaults)


def windows_of(windows: pa.Table, account_id: str) -> tuple[CampaignWindow, ...]:
    """The windows of one account from the table ``campaign_windows``."""
    rows = windows.filter(pa.compute.equal(windows.column("account_id"), account_id)).to_pylist()
    return tuple(CampaignWindow(**row) for row in rows)


def phase_at(
    windows: Sequence[CampaignWindow], moment: datetime, *, believed_at: datetime | None = None
) -> PhaseAnswer:
    """The phase of one account at a moment, by what was believed at ``believed_at`` (by default: at the moment itself).

    ``off`` = an active window overlapped the :data:`REMEMBERED` days up to the moment; ``none`` = nothing did.
    """
    known = [window for window in windows if window.believed_at(believed_at or moment) and window.takes_part]
    live = [(window, phase) for window in known if (phase := window.phase_at(moment)) is not None]
    counts = {phase: sum(1 for _, each in live if each is phase) for phase in (Phase.PRE, Phase.ACTIVE, Phase.POST)}
    phases = [phase for phase in Phase if counts.get(phase)]
    remembered = any(each.active_start <= moment < each.active_end + REMEMBERED for each in known)
    quiet = Phase.OFF if remembered else Phase.NONE
    return PhaseAnswer(
        phase=phases[0] if phases else quiet,
        live=tuple(sorted(live, key=lambda pair: (list(Phase).index(pair[1]), pair[0].campaign_instance_id))),
        n_pre=counts[Phase.PRE],
        n_active=counts[Phase.ACTIVE],
        n_post=counts[Phase.POST],
        conflict=len(phases) > 1,
        rule=_rule(phases, quiet),
    )


def phase_on(
    windows: Sequence[CampaignWindow], day: date, *, zone: str, believed_at: datetime | None = None
) -> PhaseAnswer:
    """The phase of one account on a day of its own zone, which is the phase at that day's noon.

    Windows begin at a midnight, so noon lies in the phase that holds most of the day wherever the event's zone is.

    Raises:
        DataContractError: the zone is no IANA zone.
    """
    return phase_at(windows, _local(day, time(12), zone), believed_at=believed_at)


def _rule(phases: Sequence[Phase], quiet: Phase) -> str:
    if len(phases) > 1:
        return f"{' and '.join(phases)} overlap: active before post before pre"
    if phases:
        return f"the only live phase is {phases[0]}"
    if quiet is Phase.OFF:
        return f"no window is live; a campaign ran within {REMEMBERED.days} days"
    return f"no campaign ran within {REMEMBERED.days} days"


def _fetch(engine: QueryEngine, table: str, account_id: str | None = None) -> list[dict[str, Any]]:
    fetched = engine.fetch(f"SELECT {_COLUMNS[table]} FROM {table}")
    if account_id is not None and "account_id" in fetched.column_names:
        fetched = fetched.filter(pa.compute.equal(fetched.column("account_id"), account_id))
    rows: list[dict[str, Any]] = fetched.to_pylist()
    return rows


def _campaign_keys(instance: Timeline) -> list[tuple[str]]:
    return sorted({(row["campaign_id"],) for row in instance.rows if row is not None})


def _windows(
    part: Timeline, instance: Timeline, account: Timeline, campaigns: Sequence[Timeline]
) -> Iterator[CampaignWindow]:
    last: CampaignWindow | None = None
    for known_at, until, (taken, run, home, *kinds) in changes((part, instance, account, *campaigns)):
        if taken is None or run is None or home is None:
            continue
        kind = next((row for row in kinds if row is not None and row["campaign_id"] == run["campaign_id"]), {})
        window = _window(taken, run, str(home["hq_tz"]), kind, (known_at, until))
        if last is not None and _goes_on(last, window):
            last = replace(last, superseded_at=until)
            continue
        if last is not None:
            yield last
        last = window
    if last is not None:
        yield last


def _goes_on(last: CampaignWindow, window: CampaignWindow) -> bool:
    # Something that no window shows changed, such as the account's owner: one belief goes on.
    unchanged = replace(last, known_at=window.known_at, superseded_at=window.superseded_at) == window
    return unchanged and last.superseded_at == window.known_at


def _window(taken: Row, run: Row, home_zone: str, kind: Row, known: tuple[datetime, datetime | None]) -> CampaignWindow:
    pre_days = _first(run["pre_days"], kind.get("default_pre_days"), DEFAULT_PRE_DAYS)
    post_days = _first(run["post_days"], kind.get("default_post_days"), DEFAULT_POST_DAYS)
    event_zone = run["event_tz"] if run["tz_policy"] == "event_tz" and run["event_tz"] else home_zone
    # The account's own dates are written on its own calendar, so its own midnight counts for them.
    start, start_zone = _own(taken["own_active_start_local"], home_zone) or (run["active_start_local"], event_zone)
    last, end_zone = _own(taken["own_active_end_local"], home_zone) or (run["active_end_local"], event_zone)
    end = last + timedelta(days=1)
    is_trusted = taken["participation"] != "declined" and taken["confidence"] >= TRUSTED
    return CampaignWindow(
        account_id=taken["account_id"],
        campaign_id=run["campaign_id"],
        campaign_instance_id=run["campaign_instance_id"],
        label=run["label"],
        participation=taken["participation"],
        confidence=taken["confidence"],
        status=run["status"],
        takes_part=int(is_trusted and run["status"] != "cancelled" and start < end),
        known_at=known[0],
        superseded_at=known[1],
        pre_start=_midnight(start - timedelta(days=pre_days), start_zone),
        active_start=_midnight(start, start_zone),
        active_end=_midnight(end, end_zone),
        post_end=_midnight(end + timedelta(days=post_days), end_zone),
    )


def _own(day: date | None, zone: str) -> tuple[date, str] | None:
    return None if day is None else (day, zone)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


@cache
def _midnight(day: date, zone: str) -> datetime:
    return _local(day, time(), zone)


def _local(day: date, clock: time, zone: str) -> datetime:
    try:
        return datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except (ZoneInfoNotFoundError, ValueError) as cause:
        raise DataContractError(
            "a zone in the campaign calendar or of an account is unknown",
            expected="an IANA zone such as America/New_York",
            found=repr(zone),
            todo="correct accounts_history.hq_tz or campaign_instances_history.event_tz and load again",
        ) from cause
