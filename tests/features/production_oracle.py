"""What the features of comments, reuse, tasks and reach should be, counted the slow way in what was known."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from math import ceil, log

from tests.features.known_production import Known
from tests.features.made_up_rows import Row, share, shrunk
from tests.features.usage_oracle import Done, World

WORK = ("in_progress", "review")


def comment_features(known: Known, account: str) -> dict[str, float | None]:
    """Of an account with review data: comments left open, versions made from others."""
    comments = [
        row
        for row in known.events
        if row["type"] == "comment"
        and row["account_id"] == account
        and known.since(row["event_at"], 13)
        and not known.since(row["event_at"], 2)
    ]
    made = [row for row in known.versions.values() if row["account_id"] == account and known.since(row["event_at"], 26)]
    linked = [row["supersedes_version_id"] for row in made if row["supersedes_version_id"] is not None]
    reused = [
        row
        for row in made
        if (before := known.versions.get(row["supersedes_version_id"]))
        and (before["account_id"] == account and before["asset_id"] != row["asset_id"])
    ]
    return {
        "unresolved_comment_share_w13": share(sum(not _is_settled(known, row) for row in comments), len(comments)),
        "asset_reuse_rate_w26": share(len(reused), len(made)) if linked else None,
    }


def _is_settled(known: Known, comment: Row) -> bool:
    resolved = any(
        row["event_at"] >= comment["event_at"] and (None in threads or len(threads) == 1)
        for row in known.of(comment["version_id"], "comment_resolved")
        for threads in [{row["thread_id"], comment["thread_id"]}]
    )
    approved = [row["event_at"] for row in known.approvals if row["asset_id"] == comment["asset_id"]]
    return resolved or any(at >= comment["event_at"] for at in approved)


def task_features(known: Known, account: str) -> dict[str, float | None]:
    """Of an account with project data: tasks in time, their age, those given up, and what of it is done in the tool."""
    tasks = [row for row in known.tasks if row["project_id"] in known.seen]
    due = [
        row
        for row in tasks
        if row["due_on"] and row["status_canonical"] not in ("omitted", "on_hold") and known.since(row["due_on"], 8)
    ]
    met = [row for row in due if (done := _done_on(row)) and done <= row["due_on"]]
    mine = [row for row in tasks if known.owners[row["project_id"]] == account]
    moved = [row for row in mine if known.since(row["valid_from"].date(), 13)]
    ages = sorted((known.as_of.date() - _begun_on(known, row)).days for row in mine if row["status_canonical"] in WORK)
    return {
        "task_completion_rate_w8": shrunk(
            sum(known.owners[row["project_id"]] == account for row in met),
            sum(known.owners[row["project_id"]] == account for row in due),
            share(len(met), len(due)),
            10,
        ),
        "task_age_p90_days": ages[ceil(0.9 * len(ages)) - 1] if ages else None,
        "omitted_task_share_w13": share(sum(row["status_canonical"] == "omitted" for row in moved), len(moved)),
        "tool_steps_per_project_w13": _steps(known, account, mine),
        "projects_in_tool_share_w13": _reached(known, account),
    }


def _done_on(task: Row) -> date | None:
    if task["status_canonical"] not in ("done", "approved"):
        return None
    at: datetime = task["done_at"] or task["valid_from"]
    return at.date()


def _begun_on(known: Known, task: Row) -> date:
    at = max(task["valid_from"], task["available_at"])
    midnight = at.replace(hour=0, minute=0) - timedelta(days=at.weekday())
    monday = at if at == midnight else midnight + timedelta(weeks=1)
    earlier: list[date] = [
        row["valid_from"].date()
        for row in known.tables["tasks_history"]
        if row["task_id"] == task["task_id"]
        and row["op"] == "upsert"
        and row["status_canonical"] in WORK
        and max(row["valid_from"], row["available_at"]) <= monday
    ]
    return min(earlier)


def _steps(known: Known, account: str, tasks: list[Row]) -> float | None:
    marks = {(row["asset_key"], row["user_key"]) for row in known.marks if row["account_id"] == account}
    steps = {
        (row["project_id"], row["step"])
        for row in tasks
        for asset, user in marks
        if row["step"] and row["status_canonical"] != "omitted" and row["asset_id"] and row["asset_id"] == asset
        if None in (row["assignee_key"], user) or row["assignee_key"] == user
    }
    return share(len(steps), len({project for project, _ in steps}))


def _used(known: Known, account: str) -> set[str]:
    return {row["project_key"] for row in known.marks if row["account_id"] == account and row["project_key"]}


def _reached(known: Known, account: str) -> float | None:
    used = _used(known, account)
    active = {
        row["project_id"]
        for row in known.projects
        if row["account_id"] == account and row["status_canonical"] == "active"
    }
    return share(len(active & used), len(active)) if used else None


def coverage(known: Known, account: str) -> dict[str, float | None]:
    """The share of projects used that the production data know, with project data or without."""
    used = _used(known, account)
    there = {row["project_id"] for row in known.projects if row["account_id"] == account}
    return {"project_coverage_w13": share(len(used & there), len(used))}


def wrap_par(known: Known, world: World, account: str) -> float | None:
    """ln(done / expected) of the third to sixth week after the last wrap."""
    wraps = [
        after
        for before, after in pairwise(known.busy)
        if known.busy[before][account] and not known.busy[after][account]
        if timedelta(days=28) <= known.as_of - after <= timedelta(days=364)
    ]
    if not wraps:
        return None
    weeks = [wraps[-1] + timedelta(days=days) for days in (14, 21, 28, 35)]
    measured = [week for week in weeks if week + timedelta(weeks=1) <= known.as_of and world.is_measured(account, week)]
    expected = [world.expected(account, week) for week in measured]
    usual = [each.core for each in expected if each is not None]
    if len(measured) < 2 or len(usual) < len(measured):
        return None
    done = sum(world.weekly[known.as_of].get((account, week), Done()).core for week in measured)
    return log((1000 * done + 500) / (sum(usual) + 500))
