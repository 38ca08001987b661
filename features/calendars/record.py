"""How do new beliefs about campaigns become canonical rows?

Grain out: rows of ``campaign_instances_history``, and of ``campaigns`` for kinds that nobody knew. They go through the
ordinary ingest (contract, quarantine, manifest). Nothing stored is changed: a belief that differs is a new row, known
from now, so every snapshot up to now stays what it is. With ``backfill`` rows count from their own ``known_from``; that
is for loading the public past into a new home, and changes what past snapshots become when they are built again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.beliefs import NOTHING, Row, Timeline, timelines
from features.calendars.entries import INSTANCES, KINDS, UNSAID_FAMILY, Cells, Entry, title_of
from features.campaigns import DEFAULT_POST_DAYS, DEFAULT_PRE_DAYS
from features.errors import UsageError
from features.settings import Home
from features.sources import IngestReport, ingest
from features.vocabulary import parse_moment
from features.warehouse import Warehouse

SOURCE = "campaign_calendar"
_INHERITED = ("label", "tz_policy", "event_tz", "pre_days", "post_days")
_COMPARED = ("campaign_id", "active_start_local", "active_end_local", "status", *_INHERITED)
_USUAL = {"status": "confirmed", "tz_policy": "account_local"}
_INSTANCE_COLUMNS = ("campaign_instance_id", "known_from", "available_at", "row_hash", "op", *_COMPARED)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the entries.

    ``new`` instances, ``changed`` beliefs, ``unchanged`` ones that were left out, and ``older`` news that does not
    touch what is believed. ``report`` is what ingest told; None where nothing was written.
    """

    new: int
    changed: int
    unchanged: int
    older: int
    report: IngestReport | None

    def lines(self) -> list[str]:
        """For people; the first line is the summary."""
        told = f"{self.new} new, {self.changed} changed, {self.unchanged} as believed before, {self.older} older news"
        return [told, *(self.report.lines() if self.report else ["nothing had to be written"])]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        counts = {name: getattr(self, name) for name in ("new", "changed", "unchanged", "older")}
        return {**counts, "ingest": self.report.document() if self.report else None}


def record(home: Home, entries: Sequence[Entry], *, now: datetime, backfill: bool = False) -> Recorded:
    """Write what the entries say beyond what is believed already.

    Raises:
        UsageError: a backfill does not say since when its entries were known.
        DataContractError: the rows break the contract so that none may be taken.
    """
    believed, kinds = _stored(home)
    if backfill:
        _require_moments(entries)
    judged = [_judged(entry, believed.get((entry.instance_id,), NOTHING), now, backfill=backfill) for entry in entries]
    written = [entry for news, entry in judged if news in ("new", "changed")]
    report = None
    if written:
        tables = {INSTANCES: [entry.instance for entry in written], KINDS: _kind_rows(written, kinds)}
        report = _ingest(home, tables, now=now, backfill=backfill)
    counted = Counter(news for news, _ in judged)
    return Recorded(counted["new"], counted["changed"], counted["unchanged"], counted["older"], report)


def _stored(home: Home) -> tuple[dict[tuple[Any, ...], Timeline], frozenset[str]]:
    warehouse = Warehouse(home)
    if not any(warehouse.dataset(table).rows() for table in (INSTANCES, KINDS)):
        return {}, frozenset()
    with warehouse.engine(threads=1) as engine:
        rows = engine.fetch(f"SELECT {', '.join(_INSTANCE_COLUMNS)} FROM {INSTANCES}").to_pylist()
        kinds = engine.fetch(f"SELECT DISTINCT campaign_id FROM {KINDS} WHERE op = 'upsert'").column(0).to_pylist()
    return timelines(rows, key=["campaign_instance_id"], held_from="known_from"), frozenset(kinds)


def _require_moments(entries: Sequence[Entry]) -> None:
    silent = [entry.line for entry in entries if "known_from" not in entry.instance]
    if silent:
        raise UsageError(
            "a backfill has to say since when each date was known",
            expected="known_from (CSV) or LAST-MODIFIED (ICS) in every entry",
            found=f"none in {len(silent)} of {len(entries)} entries, the first in {silent[0]}",
            todo="add the day of each announcement, or import without --backfill: then all counts from now",
        )


def _judged(entry: Entry, timeline: Timeline, now: datetime, *, backfill: bool) -> tuple[str, Entry]:
    """What kind of news an entry is, and the entry with what it leaves unsaid."""
    stored = [row for row in timeline.rows if row is not None]
    if backfill:
        filled = _filled(entry, {}, now)
        moment = _moment(filled.instance["known_from"])
        known = any(row["known_from"] == moment and _says_the_same(filled, row) for row in stored)
        return "unchanged" if known else "changed" if stored else "new", filled
    believed = timeline.at(now)
    filled = _filled(entry, believed or {}, now)
    if believed is None:
        return "changed" if stored else "new", filled
    if _says_the_same(filled, believed):
        return "unchanged", filled
    moment = _moment(filled.instance["known_from"])
    return "older" if moment is not None and moment < believed["known_from"] else "changed", filled


def _filled(entry: Entry, believed: Row, now: datetime) -> Entry:
    # What the entry does not say stays as it is believed; where nothing is believed it is as usual.
    stays = {name: str(believed[name]) for name in _INHERITED if believed.get(name) is not None}
    if entry.instance.get("tz_policy") == "account_local":
        stays.pop("event_tz", None)
    usual = {**_USUAL, "label": title_of(entry.instance_id), "known_from": now.isoformat()}
    return replace(entry, instance={**usual, **stays, **entry.instance})


def _says_the_same(entry: Entry, row: Row) -> bool:
    return all(entry.instance.get(name) == (None if row[name] is None else str(row[name])) for name in _COMPARED)


def _kind_rows(entries: Sequence[Entry], known: frozenset[str]) -> list[Cells]:
    rows: dict[str, Cells] = {}
    for entry in sorted(entries, key=lambda entry: entry.instance["known_from"]):
        campaign = entry.instance.get("campaign_id", "")
        if not campaign or campaign in known or campaign in rows:
            continue
        usual = {
            "known_from": entry.instance["known_from"],
            "name": title_of(campaign),
            "family": UNSAID_FAMILY,
            "default_pre_days": str(DEFAULT_PRE_DAYS),
            "default_post_days": str(DEFAULT_POST_DAYS),
        }
        rows[campaign] = {**usual, **entry.kind}
    return list(rows.values())


def _ingest(home: Home, tables: dict[str, list[Cells]], *, now: datetime, backfill: bool) -> IngestReport:
    with TemporaryDirectory(prefix="pulse-campaigns-") as scratch:
        for table, rows in tables.items():
            if rows:
                lines = (json.dumps({"source_system": SOURCE, **row}) for row in rows)
                (Path(scratch) / f"{table}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return ingest(home, Path(scratch), mapping=None, now=now, live=not backfill)


def _moment(cell: str) -> datetime | None:
    try:
        return parse_moment(cell)
    except UsageError:
        return None
