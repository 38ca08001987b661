"""Made-up projects, milestones, versions and reviews."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, Row, event, moment, state

_DECISIONS = ("approved", "client_approved", "changes_requested", "rejected", "approval_withdrawn")
_SIGNALS = (*_DECISIONS, "submitted", "comment", "delivered", "viewed")
_STATUSES = ("todo", "in_progress", "review", "on_hold", "done", "approved", "omitted")


def production_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of production by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    versions: list[Row] = []
    reviews: list[Row] = []
    for number in range(30):
        _add_asset(random, f"s{number}", random.choice(ACCOUNTS), versions, reviews)
    projects, milestones = _projects(random)
    random = Random(seed + 8_000)  # noqa: S311
    for row in versions:
        before = f"{row['asset_id']}-{row['version_no'] - 1}" if row["version_no"] > 1 else f"s{random.randrange(30)}-1"
        row["supersedes_version_id"] = random.choice((None, before))
    reviews = [{**row, "thread_id": random.choice((None, "t1", "t2"))} for row in reviews]
    reviews += [row for number, said in enumerate(reviews) for row in _resolution(random, number, said)]
    tasks = [row for number in range(60) for row in _task(random, f"t{number}", f"p{random.randrange(15)}")]
    return {
        "asset_versions": versions,
        "review_events": reviews,
        "projects_history": projects,
        "milestones_history": milestones,
        "tasks_history": tasks,
    }


def _add_asset(random: Random, asset: str, account: str, versions: list[Row], reviews: list[Row]) -> None:
    at = moment(random, within=timedelta(weeks=50))
    for number in range(1, random.randrange(2, 7)):
        cells = {"asset_id": asset, "account_id": account, "project_id": "p0"}
        version = f"{asset}-{number}"
        versions += event(random, at, {}, version_id=version, version_no=number, **cells)
        del cells["project_id"]
        for place in range(random.randrange(0, 6)):
            happened = moment(random, after=at, within=timedelta(days=9))
            reviews += event(
                random,
                happened,
                {"type": _SIGNALS},
                review_event_id=f"{version}-{place}",
                version_id=version,
                type=random.choice(_SIGNALS),
                **cells,
            )
        at = moment(random, after=at, within=timedelta(days=12))


def _resolution(random: Random, number: int, said: Row) -> list[Row]:
    if said["type"] != "comment" or random.random() < 0.5:
        return []
    happened = moment(random, after=said["event_at"] - timedelta(days=3), within=timedelta(days=40))
    cells = {name: said[name] for name in ("version_id", "asset_id", "account_id", "thread_id")}
    return event(random, happened, {}, review_event_id=f"c{number}", type="comment_resolved", **cells)


def _projects(random: Random) -> tuple[list[Row], list[Row]]:
    projects: list[Row] = []
    milestones: list[Row] = []
    for number in range(15):
        cells = {"project_id": f"p{number}", "account_id": random.choice(ACCOUNTS)}
        at = moment(random, within=timedelta(weeks=50))
        start = (at + timedelta(days=random.randrange(80))).date()
        for status in ("planned", "active", *random.choices(("on_hold", "active", "delivered", "archived"), k=2)):
            end = at.date() if status in ("delivered", "archived") and random.random() < 0.7 else None
            projects.append(
                state(random, at, status_canonical=status, planned_start_on=start, actual_end_on=end, **cells)
            )
            at = moment(random, after=at, within=timedelta(weeks=8))
        for place in range(3):
            milestones += _milestone(random, f"m{number}-{place}", f"p{number}", projects[-4]["valid_from"])
    return projects, milestones


def _milestone(random: Random, milestone: str, project: str, at: datetime) -> list[Row]:
    baseline = (at + timedelta(days=random.randrange(120))).date()
    done = moment(random, after=at, within=timedelta(days=150))
    kind = random.choice(("delivery", "review"))
    cells = {"milestone_id": milestone, "project_id": project, "kind": kind, "baseline_on": baseline}
    rows = [state(random, at, status_canonical="not_started", **cells)]
    if random.random() < 0.1:
        rows.append(state(random, moment(random, after=at), status_canonical="waived", **cells))
    elif random.random() < 0.9:
        rows.append(state(random, done, status_canonical="done", completed_on=done.date(), **cells))
    if random.random() < 0.1:
        rows.append({**rows[-1], "available_at": rows[-1]["available_at"] + timedelta(days=20), "op": "delete"})
    return rows


def _task(random: Random, task: str, project: str) -> list[Row]:
    at = moment(random)
    cells = {"task_id": task, "project_id": project, "asset_id": random.choice((None, f"s{random.randrange(8)}"))}
    cells |= {"step": random.choice((None, "anim", "comp", "edit")), "assignee_key": random.choice((None, "u1", "u2"))}
    rows: list[Row] = []
    for _ in range(random.randrange(1, 5)):
        due = random.choice((None, (at + timedelta(days=random.randrange(-20, 60))).date()))
        status, done = random.choice(_STATUSES), random.choice((None, at - timedelta(days=random.randrange(9))))
        rows.append(state(random, at, status_canonical=status, due_on=due, done_at=done, **cells))
        at = moment(random, after=at, within=timedelta(weeks=6))
    if random.random() < 0.1:
        rows.append({**rows[-1], "available_at": rows[-1]["available_at"] + timedelta(days=20), "op": "delete"})
    return rows
