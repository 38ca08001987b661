"""What was known of production at one moment, counted in plain Python for the whole portfolio."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from functools import cached_property

from tests.features.made_up_rows import FIRST, Row, known_events, known_states

APPROVALS = ("approved", "client_approved")
RETURNS = ("changes_requested", "rejected")
Tables = dict[str, list[Row]]


def hours(span: timedelta) -> float:
    return span.total_seconds() / 3600


class Known:
    """Versions, reviews, projects, milestones, tasks and named usage as they were known at ``as_of``."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.as_of, self.tables = as_of, tables
        self.versions = {row["version_id"]: row for row in known_events(tables["asset_versions"], "version_id", as_of)}
        events = known_events(tables["review_events"], "review_event_id", as_of)
        # Of two of the same minute the one with the smaller id counts as the later.
        self.events = sorted(events, key=lambda row: row["review_event_id"], reverse=True)
        self.projects = known_states(tables["projects_history"], "project_id", as_of)
        self.milestones = known_states(tables["milestones_history"], "milestone_id", as_of)
        self.tasks = known_states(tables["tasks_history"], "task_id", as_of)
        self.marks = [
            row for row in known_events(tables["usage_events"], "event_id", as_of) if self.since(row["event_at"], 13)
        ]
        self.owners = {row["project_id"]: row["account_id"] for row in tables["projects_history"]}
        self.seen = {row["project_id"] for row in tables["projects_history"] if row["available_at"] <= as_of}

    def since(self, at: datetime | date, weeks: int) -> bool:
        """Did it happen in so many weeks before the moment?"""
        moment = at if isinstance(at, datetime) else datetime.combine(at, datetime.min.time(), tzinfo=self.as_of.tzinfo)
        return self.as_of - timedelta(weeks=weeks) <= moment < self.as_of

    @cached_property
    def by_version(self) -> dict[str, list[Row]]:
        """Events of each version, oldest first."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(self.events, key=lambda row: row["event_at"]):
            found[row["version_id"]].append(row)
        return found

    def of(self, version_id: str, *kinds: str) -> list[Row]:
        """The events of these kinds of a version, oldest first."""
        return [row for row in self.by_version.get(version_id, []) if row["type"] in kinds]

    @cached_property
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

    @cached_property
    def approvals(self) -> list[Row]:
        """The standing approval of each asset given in 26 weeks, with its version's number."""
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

    @cached_property
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
        """Hours of each decision of 13 weeks since the submission before it."""
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

    @cached_property
    def busy(self) -> dict[datetime, Counter[str]]:
        """How many projects each account had active on each Monday so far, as known then."""
        found: dict[datetime, Counter[str]] = {}
        monday = FIRST
        while monday <= self.as_of:
            states = known_states(self.tables["projects_history"], "project_id", monday)
            found[monday] = Counter(row["account_id"] for row in states if row["status_canonical"] == "active")
            monday += timedelta(weeks=1)
        return found
