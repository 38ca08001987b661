"""What became of the accounts of a trial?

Input: a home and its :class:`Trial`. Output: one row per account for each question: time at risk and decisions, use
before and after, contracts that came to their end, value that stayed, and what was bought. Everything as known at the
cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa

from features.identity import open_resolved
from features.settings import Home
from features.warehouse import Warehouse
from training.config import TrainingConfig
from training.coverage import coverage
from training.endings import Stretch, midnight
from training.labels import outcomes
from training.target import Target
from training.trial import Trial
from training.value_changes import Move
from training.value_outcomes import target_outcomes, value_moves

COMPARED = timedelta(weeks=13)
YEAR = timedelta(weeks=52)

_USE = """
SELECT e.account_id,
    COUNT(DISTINCT CASE WHEN u.usage_date < e.alerted_on THEN u.user_key || ' ' || CAST(u.usage_date AS VARCHAR) END)
        AS before,
    COUNT(DISTINCT CASE WHEN u.usage_date >= e.begins_on THEN u.user_key || ' ' || CAST(u.usage_date AS VARCHAR) END)
        AS after
FROM trial_entries AS e
LEFT JOIN usage_daily AS u ON u.account_id = e.account_id AND u.op = 'upsert' AND u.available_at <= e.data_cut
    AND u.usage_date >= e.first_on AND u.usage_date < e.ends_on
GROUP BY e.account_id
"""

_OFFERS = """
SELECT e.account_id, COUNT(DISTINCT o.opportunity_id) AS events
FROM trial_entries AS e
JOIN (
    SELECT opportunity_id, account_id, MIN(valid_from) AS opened_at FROM opportunities_history
    WHERE op = 'upsert' AND type IN ('upsell', 'cross_sell') GROUP BY opportunity_id, account_id
) AS o ON o.account_id = e.account_id AND o.opened_at >= e.begins_at AND o.opened_at < e.ends_at
GROUP BY e.account_id
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A trial and what is needed to follow it: ``quiet`` after an alert nothing can have worked yet."""

    home: Home
    trial: Trial
    control: str
    cut: datetime
    config: TrainingConfig
    works: timedelta
    quiet: timedelta

    def entries(self) -> pd.DataFrame:
        """The first alert of each account with an arm: cluster_id, worked, seen_risk, begins."""
        entries = self.trial.entries.dropna(subset="arm")
        return entries.assign(
            worked=entries["arm"] != self.control,
            seen_risk=entries["risk_90"].astype(float),
            begins=entries["created_at"] + self.quiet,
        ).reset_index(drop=True)

    def decisions(self) -> pd.DataFrame:
        """One row per account that decided to leave; ``kind`` and ``voluntary`` as in :func:`outcomes`."""
        return outcomes(self.home, self.cut, self.config)


def leaving(record: Record) -> pd.DataFrame:
    """Days at risk while work on an alert can be felt, and voluntary decisions in them; one row per account.

    Windows of the alerts of an account that overlap count once.
    """
    decided = record.decisions().set_index("account_id")
    entries, windows = record.entries().set_index("account_id"), record.trial.alerts
    windows = windows[windows["account_id"].isin(entries.index)]
    begins = windows["created_at"] + record.quiet
    went = pd.to_datetime(windows["account_id"].map(decided["decided_at"]), utc=True)
    later = begins.groupby(windows["account_id"]).shift(-1)
    ends = pd.concat([begins + record.works, later, went], axis=1).min(axis=1).pipe(_until, record.cut)
    days = _days(begins, ends)
    mine = windows["account_id"].map(decided["voluntary"].astype(float)).fillna(0) > 0
    events = (mine & (went > begins) & (went <= ends)).astype(float)
    summed = pd.DataFrame({"account_id": windows["account_id"], "days": days, "events": events})
    return entries.join(summed.groupby("account_id").sum(), how="left").reset_index()


def use(record: Record) -> pd.DataFrame:
    """Days on which a person used the tools, 13 weeks before the first alert and 13 after the quiet days."""
    entries = record.entries()
    entries = entries[entries["begins"] + COMPARED <= pd.Timestamp(record.cut)].reset_index(drop=True)
    if entries.empty:
        return entries.assign(before=0.0, after=0.0)
    day = entries["created_at"].dt.date
    named = pa.table(
        {
            "account_id": pa.array(entries["account_id"], pa.string()),
            "first_on": pa.array([one - COMPARED for one in day], pa.date32()),
            "alerted_on": pa.array(list(day), pa.date32()),
            "begins_on": pa.array(list(entries["begins"].dt.date), pa.date32()),
            "ends_on": pa.array([one + COMPARED for one in entries["begins"].dt.date], pa.date32()),
            "data_cut": pa.array([record.cut] * len(entries), pa.timestamp("us", tz="UTC")),
        }
    )
    with open_resolved(Warehouse(record.home)) as engine:
        engine.name_rows("trial_entries", named)
        counted = engine.fetch(_USE).to_pandas()
    return entries.merge(counted.astype({"before": float, "after": float}), on="account_id", how="left")


def bought(record: Record) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A year from the first alert: decisions to buy more, and sales talks opened about more. One row per account."""
    entries = record.entries()
    ends = (entries["begins"] + YEAR).pipe(_until, record.cut)
    entries = entries.assign(days=_days(entries["begins"], ends))
    wider = record.config.model_copy(update={"target": Target.UPSELL})
    moves = target_outcomes(record.home, record.cut, wider)
    moves = moves[moves["kind"] == str(Target.UPSELL)].merge(entries[["account_id", "begins"]], on="account_id")
    inside = moves[(moves["decided_at"] >= moves["begins"]) & (moves["decided_at"] < moves["begins"] + YEAR)]
    counted = inside.groupby("account_id").size()
    more = entries.assign(events=entries["account_id"].map(counted).fillna(0.0).astype(float))
    return more, entries.assign(events=_offers(record, entries, ends))


def _offers(record: Record, entries: pd.DataFrame, ends: pd.Series) -> pd.Series:
    moments = pa.timestamp("us", tz="UTC")
    named = pa.table(
        {
            "account_id": pa.array(entries["account_id"], pa.string()),
            "begins_at": pa.array(list(entries["begins"]), moments),
            "ends_at": pa.array(list(ends), moments),
        }
    )
    with open_resolved(Warehouse(record.home)) as engine:
        engine.name_rows("trial_entries", named)
        counted = engine.fetch(_OFFERS).to_pandas().set_index("account_id")["events"]
    return entries["account_id"].map(counted).fillna(0.0).astype(float)


def renewals(record: Record) -> pd.DataFrame:
    """Accounts whose running term ended within a year of the first alert: ``part`` 1 when they went on, ``whole`` 1.

    Only terms whose end and grace lie before the cut count: of others nobody knows yet.
    """
    entries, decided = record.entries(), record.decisions().set_index("account_id")["decided_at"]
    with open_resolved(Warehouse(record.home)) as engine:
        cut = pa.array([record.cut], pa.timestamp("us", tz="UTC"))
        engine.name_rows("label_cut", pa.table({"data_cut": cut}))
        covered = coverage(engine, record.config.grace)
    ends = [_next_end(covered.of(account), begin) for account, begin in zip(*_pairs(entries), strict=True)]
    due = entries.assign(ends=pd.to_datetime(pd.Series(ends, dtype=object), utc=True))
    latest = _until(due["begins"] + YEAR, record.cut - record.config.grace)
    due = due[due["ends"] <= latest].reset_index(drop=True)
    went = pd.to_datetime(due["account_id"].map(decided), utc=True)
    # Who had decided before anything could work was not to be won.
    due, went = due[~(went <= due["begins"])], went[~(went <= due["begins"])]
    return due.assign(part=1 - (went <= due["ends"] + pd.Timedelta(days=1)).astype(float), whole=1.0)


def _pairs(entries: pd.DataFrame) -> tuple[list[str], list[datetime]]:
    return list(entries["account_id"]), [moment.to_pydatetime() for moment in entries["begins"]]


def value_kept(record: Record) -> tuple[pd.DataFrame, int]:
    """Annual contract value at the first alert (``whole``) and a year later (``part``), 0 after leaving.

    Only accounts of the most frequent currency, for no rate of a day is right for a year; the number left out is told.
    """
    entries = record.entries()
    entries = entries[entries["begins"] + YEAR + record.config.grace <= pd.Timestamp(record.cut)].reset_index(drop=True)
    moves = value_moves(record.home, record.cut, record.config)
    found = [_kept(moves.get(account, []), begin) for account, begin in zip(*_pairs(entries), strict=True)]
    columns = pd.DataFrame(found, columns=["currency", "whole", "part"], index=entries.index)
    live = entries.join(columns)
    live = live[live["whole"] > 0]
    first = live["currency"].value_counts().idxmax() if len(live) else ""
    return live[live["currency"] == first].reset_index(drop=True), int((live["currency"] != first).sum())


def _kept(moves: list[Move], begin: datetime) -> tuple[str, float, float]:
    before, after = (_worth(moves, moment) for moment in (begin, begin + YEAR))
    currencies = {move.currency for move in before if move.value}
    name = currencies.pop() if len(currencies) == 1 else ""
    later = sum(move.value for move in after if move.currency == name)
    return name, float(sum(move.value for move in before if name)), float(later)


def _worth(moves: list[Move], moment: datetime) -> list[Move]:
    live = {move.contract_id: move for move in sorted(moves, key=_order) if midnight(move.day) <= moment}
    return list(live.values())


def _order(move: Move) -> tuple[datetime, datetime]:
    return midnight(move.day), move.known_at


def _next_end(contracts: Sequence[Sequence[Stretch]], begin: datetime) -> datetime | None:
    """The last day of what runs then; None without a term that ends."""
    today = begin.date()
    running = [stretch.ending for contract in contracts for stretch in contract if stretch.start_on <= today]
    ends = [ending.last_day for ending in running if ending is not None and ending.last_day >= today]
    return midnight(max(ends)) if ends else None


def lives(record: Record) -> pd.DataFrame:
    """Accounts with a contract: cluster_id, live_from, live_until (decision or cut), left (1 = by its own will)."""
    with open_resolved(Warehouse(record.home)) as engine:
        engine.name_rows("label_cut", pa.table({"data_cut": pa.array([record.cut], pa.timestamp("us", tz="UTC"))}))
        covered = coverage(engine, record.config.grace)
    begun = {name: min((s.start_on for c in covered.of(name) for s in c), default=None) for name in covered.contracts}
    decided = record.decisions().set_index("account_id")
    frame = pd.DataFrame(
        [(name, midnight(day)) for name, day in begun.items() if day is not None and midnight(day) < record.cut],
        columns=["account_id", "live_from"],
    )
    went = pd.to_datetime(frame["account_id"].map(decided["decided_at"]), utc=True)
    own = frame["account_id"].map(decided["voluntary"].astype(float)).fillna(0)
    cut = pd.Timestamp(record.cut)
    known = dict(zip(record.trial.alerts["account_id"], record.trial.alerts["cluster_id"], strict=True))
    return frame.assign(
        cluster_id=frame["account_id"].map(known).fillna(frame["account_id"]),
        live_until=_until(went.fillna(cut), record.cut),
        left=((went <= cut) & (own > 0)).astype(float),
    )


def _until(moments: pd.Series, cut: datetime) -> pd.Series:
    return moments.where(moments <= cut, pd.Timestamp(cut))


def _days(begins: pd.Series, ends: pd.Series) -> pd.Series:
    return ((ends - begins).dt.total_seconds() / timedelta(days=1).total_seconds()).clip(lower=0)
