"""Are the features of output quality what plain Python finds, row by row, in what was known?"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from math import log
from typing import Any

import pytest

from tests.features.known_production import APPROVALS, RETURNS, Known, Tables
from tests.features.made_up_production import production_rows
from tests.features.made_up_rows import ACCOUNTS, COMPANY, FIRST, median, share, shrunk, text_table
from tests.features.made_up_usage import usage_rows
from tests.features.production_oracle import comment_features, coverage, task_features, wrap_par
from tests.features.usage_oracle import World
from tests.features.view_case import view_rows

SEGMENTS = dict(zip(ACCOUNTS, ("studio", "studio", "agency"), strict=True))


def review_features(known: Known, account: str) -> dict[str, float | None]:
    if not any(row["account_id"] == account for row in (*known.versions.values(), *known.events)):
        return {}
    cycles = known.cycles
    expected = defaultdict(list)
    segment = {owner: SEGMENTS[owner.split(".")[-1]] for owner in {account, *(owner for owner, *_ in cycles)}}
    for owner, basis, length, _ in cycles:
        expected[segment[owner], basis].append(log(length))
    own = [each for each in cycles if each[0] == account]
    surplus = [
        log(length) - sum(expected[segment[account], basis]) / len(expected[segment[account], basis])
        for _, basis, length, end in own
        if known.since(end, 26)
    ]
    approved = known.approvals
    mine = [row for row in approved if row["account_id"] == account]
    decisions = [
        row for row in known.events if row["type"] in (*APPROVALS, *RETURNS) and known.since(row["event_at"], 26)
    ]
    opened = known.open_since
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


def idle_weeks(known: Known, account: str) -> int:
    busy = [known.busy[monday][account] > 0 for monday in known.busy]
    begun = busy.index(True) if True in busy else len(busy)
    return sum(not each for each in busy[max(begun, len(busy) - 52) :])


def active_projects(known: Known, account: str) -> int:
    return known.busy[known.as_of][account]


def project_features(known: Known, account: str) -> dict[str, float | None]:
    owners, seen = known.owners, known.seen
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
        "project_gap_weeks_w52": idle_weeks(known, account),
    }


def expected_features(known: Known, account: str) -> dict[str, float | None]:
    """Every feature but those that rest on campaigns or on what usage was to be expected; null where it is left out."""
    reviews, projects = review_features(known, account), project_features(known, account)
    reviews |= comment_features(known, account) if reviews else {}
    projects |= task_features(known, account) if projects else {}
    return reviews | projects | coverage(known, account)


def production(seed: int) -> Tables:
    """Production, and the usage that names it."""
    return production_rows(seed) | {"usage_events": usage_rows(seed)["usage_events"]}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_feature_is_what_plain_python_finds(seed: int) -> None:
    tables = production(seed) | {"usage_daily": usage_rows(seed)["usage_daily"]}
    as_ofs = [FIRST + timedelta(weeks=week) for week in (9, 23, 37, 44, 60)]
    world = World(tables, [], segments=SEGMENTS, seats=20, span=(FIRST, as_ofs[-1]))
    case = {name: text_table(rows) for name, rows in (COMPANY | tables).items()}
    found: list[dict[str, Any]] = view_rows("output_quality", case, as_of=[f"{as_of.date()}" for as_of in as_ofs])
    assert len(found) == len(ACCOUNTS) * len(as_ofs)
    known = {as_of: Known(tables, as_of) for as_of in as_ofs}
    for row in found:
        account, then = row["account_id"], known[row["as_of"]]
        expected = expected_features(then, account) | {"project_wrap_usage_par": wrap_par(then, world, account)}
        names = set(row) - {"account_id", "as_of", "known_at"}
        for name in sorted(names):
            assert row[name] == pytest.approx(expected.get(name), abs=1e-6), (account, then.as_of.date(), name)
