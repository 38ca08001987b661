"""Are the features of output quality what plain Python finds, row by row, in what was known?"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from math import log
from typing import Any

import pytest

from tests.features.made_up_production import production_rows
from tests.features.made_up_rows import (
    ACCOUNTS,
    COMPANY,
    FIRST,
    Row,
    known_events,
    known_states,
    median,
    share,
    shrunk,
    text_table,
)
from tests.features.view_case import view_rows

APPROVALS = ("approved", "client_approved")
RETURNS = ("changes_requested", "rejected")
Tables = dict[str, list[Row]]


def hours(span: timedelta) -> float:
    return span.total_seconds() / 3600


class Known:
    """What was known of production at one moment, whole portfolio."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.as_of = as_of
        self.versions = {row["version_id"]: row for row in known_events(tables["asset_versions"], "version_id", as_of)}
        self.events = known_events(tables["review_events"], "review_event_id", as_of)
        self.projects = known_states(tables["projects_history"], "project_id", as_of)
        self.milestones = known_states(tables["milestones_history"], "milestone_id", as_of)

    def since(self, at: datetime | date, weeks: int) -> bool:
        moment = at if isinstance(at, datetime) else datetime.combine(at, datetime.min.time(), tzinfo=self.as_of.tzinfo)
        return self.as_of - timedelta(weeks=weeks) <= moment < self.as_of

    def of(self, version_id: str, *kinds: str) -> list[Row]:
        found = [row for row in self.events if row["version_id"] == version_id and row["type"] in kinds]
        return sorted(found, key=lambda row: row["event_at"])

    def cycles(self) -> list[tuple[str, str, float, datetime]]:
        """Account, basis, hours and end of every closed revision."""
        by_place = {(row["asset_id"], row["version_no"]): row for row in self.versions.values()}
        found = []
        for row in self.versions.values():
            following = by_place.get((row["asset_id"], row["version_no"] + 1))
            if following is None:
                continue
            end = following["event_at"]
            feedback = [each for each in self.of(row["version_id"], *RETURNS, "comment") if each["event_at"] < end]
            start = (feedback or [row])[0]["event_at"]
            basis = "feedback" if feedback else "version_gap"
            found.append((row["account_id"], basis, hours(end - start), end))
        return found

    def approvals(self) -> list[Row]:
        """The standing approval of each asset, with its version's number."""
        last: dict[str, Row] = {}
        decided = [row for row in self.events if row["type"] in (*APPROVALS, *RETURNS, "approval_withdrawn")]
        numbered = [
            {**row, "version_no": self.versions[row["version_id"]]["version_no"]}
            for row in decided
            if row["version_id"] in self.versions
        ]
        for row in sorted(numbered, key=lambda row: (row["version_no"], row["event_at"])):
            last[row["asset_id"]] = row
        return [row for row in last.values() if row["type"] in APPROVALS and self.since(row["event_at"], 26)]

    def open_since(self) -> list[tuple[str, datetime]]:
        """Account and moment of every version that waits for a newer one."""
        newest: dict[str, int] = defaultdict(int)
        for row in self.versions.values():
            newest[row["asset_id"]] = max(newest[row["asset_id"]], row["version_no"])
        found = []
        for row in self.versions.values():
            decisions = self.of(row["version_id"], *APPROVALS, *RETURNS, "approval_withdrawn", "delivered")
            signals = decisions[-1:] or self.of(row["version_id"], "comment")[:1]
            if row["version_no"] == newest[row["asset_id"]] and signals:
                signal = signals[0]
                if signal["type"] in (*RETURNS, "comment") and self.since(signal["event_at"], 13):
                    found.append((row["account_id"], signal["event_at"]))
        return found

    def waits(self, account: str) -> list[float]:
        found = []
        for row in self.events:
            version = self.versions.get(row["version_id"])
            if row["account_id"] != account or row["type"] not in (*APPROVALS, *RETURNS):
                continue
            if not self.since(row["event_at"], 13):
                continue
            submitted = [
                each for each in self.of(row["version_id"], "submitted") if each["event_at"] <= row["event_at"]
            ]
            begin = submitted[-1] if submitted else version
            if begin is not None:
                found.append(hours(row["event_at"] - begin["event_at"]))
        return found


def review_features(known: Known, account: str) -> dict[str, float | None]:
    if not any(row["account_id"] == account for row in (*known.versions.values(), *known.events)):
        return {}
    cycles = known.cycles()
    expected = defaultdict(list)
    segment = dict(zip(ACCOUNTS, ("studio", "studio", "agency"), strict=True))
    for owner, basis, length, _ in cycles:
        expected[segment[owner], basis].append(log(length))
    own = [each for each in cycles if each[0] == account]
    surplus = [
        log(length) - sum(expected[segment[account], basis]) / len(expected[segment[account], basis])
        for _, basis, length, end in own
        if known.since(end, 26)
    ]
    approved = known.approvals()
    mine = [row for row in approved if row["account_id"] == account]
    decisions = [
        row for row in known.events if row["type"] in (*APPROVALS, *RETURNS) and known.since(row["event_at"], 26)
    ]
    opened = known.open_since()
    overdue = [at for _, at in opened if at < known.as_of - timedelta(days=7)]
    waits = known.waits(account)
    return {
        "revision_cycle_hours_w8": median([length for *_, length, end in own if known.since(end, 8)]),
        "revision_cycle_par_w26": sum(surplus) / (len(surplus) + 5),
        "open_revision_overdue_share": shrunk(
            sum(1 for owner, at in opened if owner == account and at in overdue),
            sum(1 for owner, _ in opened if owner == account),
            share(len(overdue), len(opened)),
            4,
        ),
        "versions_per_approved_asset_w26": share(sum(row["version_no"] for row in mine), len(mine)),
        "first_pass_approval_rate_w26": shrunk(
            sum(row["version_no"] == 1 for row in mine),
            len(mine),
            share(sum(row["version_no"] == 1 for row in approved), len(approved)),
            10,
        ),
        "approval_latency_hours_w13": share(sum(waits), len(waits)),
        "rejection_rate_w26": shrunk(
            sum(row["type"] in RETURNS for row in decisions if row["account_id"] == account),
            sum(row["account_id"] == account for row in decisions),
            share(sum(row["type"] in RETURNS for row in decisions), len(decisions)),
            10,
        ),
    }


def idle_weeks(tables: Tables, account: str, as_of: datetime) -> int:
    busy = []
    monday = FIRST
    while monday <= as_of:
        busy.append(active_projects(Known(tables, monday), account) > 0)
        monday += timedelta(weeks=1)
    begun = busy.index(True) if True in busy else len(busy)
    return sum(not each for each in busy[max(begun, len(busy) - 52) :])


def active_projects(known: Known, account: str) -> int:
    return sum(row["status_canonical"] == "active" for row in known.projects if row["account_id"] == account)


def project_features(tables: Tables, known: Known, account: str) -> dict[str, float | None]:
    owners = {row["project_id"]: row["account_id"] for row in tables["projects_history"]}
    seen = {row["project_id"] for row in tables["projects_history"] if row["available_at"] <= known.as_of}
    if account not in {owners[project] for project in seen}:
        return {}
    steps = [row for row in known.milestones if row["project_id"] in seen]
    due = [
        row
        for row in steps
        if row["kind"] == "delivery" and row["status_canonical"] != "waived" and known.since(row["baseline_on"], 26)
    ]
    met = [row for row in due if row.get("completed_on") and row["completed_on"] <= row["baseline_on"]]
    done = [row for row in steps if row.get("completed_on") and known.since(row["completed_on"], 26)]
    slips = [(row["completed_on"] - row["baseline_on"]).days for row in done if owners[row["project_id"]] == account]
    mine = [row for row in known.projects if row["account_id"] == account]
    today = known.as_of.date()
    ends = [
        row["actual_end_on"] or row["valid_from"].date()
        for row in mine
        if row["status_canonical"] in ("on_hold", "delivered", "archived")
    ]
    planned = [row["planned_start_on"] for row in mine if row["status_canonical"] == "planned"]
    idle = min((today - max(ends)).days, 365) if ends else None
    return {
        "on_time_delivery_rate_w26": shrunk(
            sum(owners[row["project_id"]] == account for row in met),
            sum(owners[row["project_id"]] == account for row in due),
            share(len(met), len(due)),
            4,
        ),
        "delivery_slip_days_w26": share(sum(slips), len(slips)),
        "active_projects": active_projects(known, account),
        "projects_starting_next_60d": sum(today <= start <= today + timedelta(days=60) for start in planned),
        "project_wrap_recency_days": 0 if active_projects(known, account) else idle,
        "project_gap_weeks_w52": idle_weeks(tables, account, known.as_of),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_every_feature_is_what_plain_python_finds(seed: int) -> None:
    tables = production_rows(seed)
    as_ofs = [f"{(FIRST + timedelta(weeks=week)).date()}" for week in (9, 23, 37, 44, 60)]
    case = {name: text_table(rows) for name, rows in (COMPANY | tables).items()}
    found: list[dict[str, Any]] = view_rows("output_quality", case, as_of=as_ofs)
    assert len(found) == len(ACCOUNTS) * len(as_ofs)
    for row in found:
        known = Known(tables, row["as_of"])
        expected = {**review_features(known, row["account_id"]), **project_features(tables, known, row["account_id"])}
        names = set(row) - {"account_id", "as_of", "known_at"}
        where = (row["account_id"], row["as_of"].date())
        for name in sorted(names):
            assert row[name] == pytest.approx(expected.get(name), abs=1e-6), (where, name)
