"""When did the work for a campaign begin, beside the day that everybody planned by?

Grain in: the campaign calendar, who takes part, daily use. Grain out: one row per account and campaign instance whose
planned beginning lies in a span. Planned is what was believed four weeks before the beginning: a calendar that is put
right at the last moment was wrong for everybody who had planned by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

import numpy as np
import pandas as pd
import pyarrow as pa

from features.campaigns import CampaignWindow, campaign_windows
from features.identity import open_resolved
from features.query_engine import QueryEngine
from features.settings import Home
from features.vocabulary import WEEK, require_utc
from features.warehouse import Warehouse

COLUMNS = ("account_id", "campaign_id", "campaign_instance_id", "planned_on", "moved_days", "risen_days")
PLANNED_AHEAD = timedelta(weeks=4)
RISE = 1.5
"""Campaign level: so many times the account's usual week, as in the features."""
_USUAL_WEEKS, _LEAST_WEEKS, _SEEN_AFTER = 26, 8, 5

_CALENDAR = """
SELECT campaign_instance_id, active_start_local, GREATEST(known_from, available_at) AS known_at
FROM campaign_instances_history
WHERE op = 'upsert' AND status <> 'cancelled'
ORDER BY campaign_instance_id, GREATEST(known_from, available_at), row_hash
"""

_USE = """
SELECT s.place, DATE_TRUNC('week', CAST(u.usage_date AS TIMESTAMP)) AS week, CAST(SUM(u.events) AS DOUBLE) AS events
FROM campaign_starts AS s
INNER JOIN usage_daily AS u
    ON u.account_id = s.account_id AND u.usage_date >= s.first_on AND u.usage_date < s.until_on
WHERE u.available_at <= s.known_until AND u.op = 'upsert' AND u.feature_code = 'core'
GROUP BY s.place, DATE_TRUNC('week', CAST(u.usage_date AS TIMESTAMP))
"""


@dataclass(frozen=True, slots=True)
class _Start:
    window: CampaignWindow
    planned_on: date
    moved_days: int

    @property
    def ramp_on(self) -> date:
        """The Monday of the week in which the ramp was planned to begin."""
        ramp = self.planned_on - (self.window.active_start - self.window.pre_start)
        return _monday(ramp)


def campaign_starts(home: Home, *, since: datetime, until: datetime) -> pd.DataFrame:
    """Columns :data:`COLUMNS` for campaigns planned to begin in (since, until], as known at ``until``.

    ``moved_days``: from the planned beginning to the calendar's last word; ``risen_days``: to the Monday of the first
    of two weeks in a row at campaign level; null where use was not measured or did not rise by five weeks after it.
    Both may be negative. Dates of its own that an account gave are kept: its plan is that many days beside the
    calendar's.

    Raises:
        DataContractError: a zone in the calendar or of an account is no IANA zone.
    """
    cut = require_utc(until)
    with open_resolved(Warehouse(home)) as engine:
        plans = _plans(engine, cut)
        windows = [CampaignWindow(**row) for row in campaign_windows(engine).to_pylist()]
        found = [
            start
            for window in windows
            if window.takes_part and window.campaign_instance_id in plans and window.believed_at(cut)
            if since.date() < (start := _start(window, *plans[window.campaign_instance_id])).planned_on <= cut.date()
        ]
        rows = [
            (w.account_id, w.campaign_id, w.campaign_instance_id, start.planned_on, float(start.moved_days))
            for start in found
            for w in (start.window,)
        ]
        starts = pd.DataFrame(rows, columns=list(COLUMNS[:-1]))
        return starts.assign(risen_days=_risen(engine, found, cut))


def _start(window: CampaignWindow, planned: date, last: date) -> _Start:
    own = (window.active_start.date() - last).days
    # A zone's midnight may lie on the day before; only days of its own are kept.
    return _Start(window, planned + timedelta(days=own if abs(own) > 1 else 0), (last - planned).days)


def _plans(engine: QueryEngine, until: datetime) -> dict[str, tuple[date, date]]:
    """The planned beginning and the last word of each instance that was in the calendar four weeks ahead."""
    rows = engine.fetch(_CALENDAR).to_pylist()
    told = [row for row in rows if row["known_at"] <= until]
    plans = {}
    for instance, beliefs in groupby(told, key=lambda row: row["campaign_instance_id"]):
        course = list(beliefs)
        ends = [*(row["known_at"] for row in course[1:]), None]
        held = [
            row["active_start_local"]
            for row, end in zip(course, ends, strict=True)
            if row["known_at"] <= (ahead := _midnight(row["active_start_local"]) - PLANNED_AHEAD)
            and (end is None or ahead < end)
        ]
        if held:
            plans[instance] = (held[0], course[-1]["active_start_local"])
    return plans


def _risen(engine: QueryEngine, starts: Sequence[_Start], until: datetime) -> list[float]:
    ends = [_monday(start.planned_on) + (_SEEN_AFTER + 1) * WEEK for start in starts]
    asked = {
        "place": pa.array(range(len(starts)), pa.int64()),
        "account_id": pa.array([start.window.account_id for start in starts], pa.string()),
        "first_on": pa.array([start.ramp_on - _USUAL_WEEKS * WEEK for start in starts], pa.date32()),
        # A week that is not over yet would look like a quiet one.
        "until_on": pa.array([min(end, _monday(until.date())) for end in ends], pa.date32()),
        "known_until": pa.array([until] * len(starts), pa.timestamp("us", tz="UTC")),
    }
    engine.name_rows("campaign_starts", pa.table(asked))
    weekly = engine.fetch(_USE).to_pandas()
    weekly["week"] = pd.to_datetime(weekly["week"]).dt.date
    risen = [float("nan")] * len(starts)
    for place, weeks in weekly.groupby("place"):
        start = starts[int(place)]
        first = _first_busy(dict(zip(weeks["week"], weeks["events"], strict=True)), start.ramp_on)
        if first is not None:
            risen[int(place)] = float((first - start.planned_on).days)
    return risen


def _first_busy(events: dict[date, float], ramp: date) -> date | None:
    usual = [count for week, count in events.items() if week < ramp]
    if len(usual) < _LEAST_WEEKS:
        return None
    level = RISE * float(np.median(usual))
    busy = {week for week, count in events.items() if week >= ramp and count >= level}
    return min((week for week in busy if week + WEEK in busy), default=None)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
