"""Which campaigns were believed in at a moment, when were they to run, and who was known to take part?

Grain in: ``campaigns``, ``campaign_instances_history``, ``account_campaigns_history``. Grain out: one row per instance
as believed at the moment, by its first active day. Days are those of the event's zone, or of each account where
``zone`` is empty.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.beliefs import NOTHING, Row, Timeline, timelines
from features.calendars.entries import INSTANCES, KINDS
from features.campaigns import DEFAULT_POST_DAYS, DEFAULT_PRE_DAYS
from features.settings import Home
from features.vocabulary import Phase
from features.warehouse import Engine, Warehouse

PARTICIPATION = "account_campaigns_history"
_COLUMNS = {
    KINDS: "campaign_id, known_from, available_at, row_hash, op, family, default_pre_days, default_post_days",
    INSTANCES: "campaign_instance_id, known_from, available_at, row_hash, op, campaign_id, label, active_start_local, "
    "active_end_local, tz_policy, event_tz, pre_days, post_days, status, source",
    PARTICIPATION: "account_id, campaign_instance_id, known_from, available_at, row_hash, op, participation",
}
_KEYS = {
    KINDS: ("campaign_id",),
    INSTANCES: ("campaign_instance_id",),
    PARTICIPATION: ("account_id", "campaign_instance_id"),
}


@dataclass(frozen=True, slots=True)
class BelievedInstance:
    """One instance as believed at a moment.

    ``first`` and ``last`` are active days, both included; ``zone`` is empty where each account's own midnight counts;
    ``known_at`` is since when this is believed; ``accounts`` counts the accounts by how their part is known.
    """

    campaign_instance_id: str
    campaign_id: str
    label: str
    family: str
    first: date
    last: date
    zone: str
    pre_days: int
    post_days: int
    status: str
    known_at: datetime
    source: str | None
    accounts: dict[str, int]

    @property
    def ends(self) -> date:
        """The last day of the post phase."""
        return self.last + timedelta(days=self.post_days)

    def phase_on(self, day: date) -> Phase | None:
        """The phase of the instance on a day of its own zone; None outside of its windows, or where it is cancelled."""
        if self.status == "cancelled" or not self.first - timedelta(days=self.pre_days) <= day <= self.ends:
            return None
        if day < self.first:
            return Phase.PRE
        return Phase.ACTIVE if day <= self.last else Phase.POST

    def line(self, day: date) -> str:
        """For people: what it is, when it runs, in which phase it is on a day, since when that is believed."""
        told = f"{self.campaign_instance_id:<30} {self.first} to {self.last}  {self.status:<10}"
        told += f" {self.phase_on(day) or '-':<7} known since {self.known_at:%Y-%m-%d}"
        people = ", ".join(f"{count:,} {how}" for how, count in sorted(self.accounts.items()))
        return f"{told}  {self.zone or 'local to the account'}{f'; {people}' if people else ''}"

    def document(self, day: date) -> dict[str, Any]:
        """The same for programs; moments and days as ISO texts."""
        moments = {"first": self.first.isoformat(), "last": self.last.isoformat()}
        phase = self.phase_on(day)
        return {**asdict(self), **moments, "known_at": self.known_at.isoformat(), "phase": phase and str(phase)}


def believed_instances(home: Home, moment: datetime) -> tuple[BelievedInstance, ...]:
    """Every instance as believed at a moment; none where no calendar was known."""
    warehouse = Warehouse(home)
    if not warehouse.dataset(INSTANCES).rows():
        return ()
    with warehouse.engine(threads=1) as engine:
        return instances_in(engine, moment)


def instances_in(engine: Engine, moment: datetime) -> tuple[BelievedInstance, ...]:
    """The same over an engine in which the canonical tables have their names."""
    kinds, instances, parts = (_timelines(engine, table) for table in (KINDS, INSTANCES, PARTICIPATION))
    people: dict[str, Counter[str]] = {}
    for (_, instance_id), timeline in parts.items():
        if (part := timeline.at(moment)) is not None:
            people.setdefault(instance_id, Counter())[part["participation"]] += 1
    found = []
    for (instance_id,), timeline in instances.items():
        if (row := timeline.at(moment)) is not None:
            kind = kinds.get((row["campaign_id"],), NOTHING).at(moment) or {}
            found.append(_believed(row, kind, known_at=timeline.since(moment), people=people.get(instance_id, {})))
    return tuple(sorted(found, key=lambda each: (each.first, each.campaign_instance_id)))


def _timelines(engine: Engine, table: str) -> dict[tuple[Any, ...], Timeline]:
    rows = engine.fetch(f"SELECT {_COLUMNS[table]} FROM {table}").to_pylist()
    return timelines(rows, key=_KEYS[table], held_from="known_from")


def _believed(row: Row, kind: Row, *, known_at: datetime, people: dict[str, int]) -> BelievedInstance:
    pre = row["pre_days"] if row["pre_days"] is not None else kind.get("default_pre_days", DEFAULT_PRE_DAYS)
    post = row["post_days"] if row["post_days"] is not None else kind.get("default_post_days", DEFAULT_POST_DAYS)
    return BelievedInstance(
        campaign_instance_id=row["campaign_instance_id"],
        campaign_id=row["campaign_id"],
        label=row["label"],
        family=kind.get("family", ""),
        first=row["active_start_local"],
        last=row["active_end_local"],
        zone=row["event_tz"] if row["tz_policy"] == "event_tz" and row["event_tz"] else "",
        pre_days=pre,
        post_days=post,
        status=row["status"],
        known_at=known_at,
        source=row["source"],
        accounts=dict(people),
    )
