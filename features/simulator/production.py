"""Which projects run at each account, and are their milestones met?

Grain out: one row per project (:class:`Projects`), and canonical rows of `projects_history` and `milestones_history`.
Only accounts that let production data be read appear.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from features.simulator.campaign_tables import took_part
from features.simulator.company import Company
from features.simulator.timeline import NEVER, Codes, Floats, Ints, sigmoid
from features.simulator.world import ACTIVE
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

KINDS = ("feature", "episodic", "spot", "promo", "live_graphics", "campaign")
_BACKGROUND_KINDS = np.asarray(((0, 1), (1, 4), (2, 2)))
_CAMPAIGN_KINDS = np.asarray((3, 4, 5))
_HISTORY_DAYS = 182
"""Projects that began this long before the simulated time are known too."""
_STEPS = ("kickoff", "lock", "review", "delivery")
_DELIVERY = 3


@dataclass(frozen=True, slots=True)
class Projects:
    """Projects by account; days are planned and actual. ``run`` is the campaign instance or -1."""

    account: Ints
    run: Ints
    kind: Codes
    known: Floats
    first_day: Ints
    last_day: Ints
    ended: Floats


def draw_projects(company: Company) -> Projects:
    """Projects for campaigns joined, and the work between them."""
    account, run, first, last = (
        np.concatenate(part) for part in zip(_campaign_projects(company), _background_projects(company), strict=True)
    )
    starts = np.maximum(company.accounts.first_start, company.time.first_day - _HISTORY_DAYS)
    kept = (
        company.accounts.consent[account] & (first >= starts[account]) & (first < company.decisions.gone_from[account])
    )
    kept &= first < company.time.end_day + 60
    order = np.flatnonzero(kept)[np.lexsort((first[kept], account[kept]))]
    account, run, first, last = account[order], run[order], first[order], last[order]
    rng = company.streams.named("projects/detail")
    count = len(account)
    slip = np.maximum(0.0, np.rint(rng.normal(-1.0, 5.0, count)))
    background = _BACKGROUND_KINDS[company.accounts.segment[account], rng.integers(0, 2, count)]
    return Projects(
        account=account,
        run=run,
        kind=np.where(run >= 0, _CAMPAIGN_KINDS[company.accounts.segment[account]], background).astype(np.int8),
        known=np.maximum(first - 14 - 42 * rng.random(count), company.accounts.first_start[account]),
        first_day=first,
        last_day=last,
        ended=last + slip + 17 / 24,
    )


def _campaign_projects(company: Company) -> tuple[Ints, Ints, Ints, Ints]:
    rng = company.streams.named("projects/campaigns")
    shape = company.campaigns.joined.shape
    # Drawn for every cell, so that one more participation moves no other project.
    number = np.clip(rng.poisson(1.6, shape), 1, 4)
    account, run = np.nonzero(took_part(company))
    repeats = number[account, run]
    account, run = np.repeat(account, repeats), np.repeat(run, repeats)
    first = company.campaigns.first_day[run] - rng.integers(7, 29, len(run))
    last = company.campaigns.last_day[run] + rng.integers(0, 11, len(run))
    return account, run, first, last


def _background_projects(company: Company) -> tuple[Ints, Ints, Ints, Ints]:
    rng = company.streams.named("projects/background")
    law, time = company.world.production, company.time
    days = time.end_day + 60 - (time.first_day - _HISTORY_DAYS)
    rate = np.asarray(law.projects_per_month)[company.accounts.segment] * days / 30.44
    account = np.repeat(np.arange(len(company.accounts)), rng.poisson(rate))
    first = time.first_day - _HISTORY_DAYS + rng.integers(0, days, len(account))
    shortest, longest = np.asarray(law.project_weeks)[company.accounts.segment[account]].T
    last = first + rng.integers(7 * shortest, 7 * longest + 1)
    return account, np.full(len(account), -1), first, last


def write_projects(writer: CanonicalWriter, company: Company, projects: Projects) -> None:
    """Write project states: planned, active, delivered; nothing after the account's end."""
    hashes = pa.array([blake2b(b"%d" % number, digest_size=5).hexdigest() for number in range(len(projects.account))])
    begun = projects.first_day + 8 / 24
    for status, since in (("planned", projects.known), ("active", begun), ("delivered", projects.ended)):
        rows = np.flatnonzero(since < company.decisions.gone_from[projects.account])
        account, run = projects.account[rows], projects.run[rows]
        started = status != "planned"
        writer.append(
            "projects_history",
            len(rows),
            {
                "project_id": ids("pr", rows),
                "valid_from": micros(since[rows]),
                "account_id": Coded(account, company.accounts.ids),
                "name_hash": hashes.take(pa.array(rows)),
                "kind": Coded(projects.kind[rows], KINDS),
                "campaign_instance_id": Coded(run, [each.name for each in company.campaigns.instances]),
                "status_canonical": status,
                "planned_start_on": projects.first_day[rows],
                "planned_end_on": projects.last_day[rows],
                "actual_start_on": projects.first_day[rows] if started else None,
                "actual_end_on": np.floor(projects.ended[rows]).astype(np.int64) if status == "delivered" else None,
            },
        )


@dataclass(frozen=True, slots=True)
class Milestones:
    """Milestones by project; ``done`` is the moment of completion, ``moved`` that of a new plan (NEVER = none)."""

    project: Ints
    kind: Codes
    baseline: Ints
    done: Floats
    moved: Floats


def draw_milestones(company: Company, projects: Projects) -> Milestones:
    """Three to six per project: a kickoff, steps between, a delivery at the end."""
    rng = company.streams.named("milestones")
    number = rng.integers(3, 7, len(projects.account))
    project = np.repeat(np.arange(len(number)), number)
    place = np.arange(len(project)) - np.repeat(np.cumsum(number) - number, number)
    final = place == number[project] - 1
    kind = np.where(final, _DELIVERY, np.where(place == 0, 0, rng.integers(1, 4, len(project)))).astype(np.int8)
    length = projects.last_day[project] - projects.first_day[project]
    baseline = projects.first_day[project] + np.floor(length * place / (number[project] - 1)).astype(np.int64)
    late = rng.random(len(project)) >= _on_time_chance(company, projects.account[project], baseline, rng)
    slip = np.where(
        late, 1 + np.floor(rng.exponential(5.0, len(project))), -np.floor(rng.exponential(0.7, len(project)))
    )
    done = np.maximum(baseline + slip, projects.first_day[project]) + (9 + 8 * rng.random(len(project))) / 24
    replans = late & (rng.random(len(project)) < 0.6)
    moved = np.where(replans, np.maximum(baseline - 3 * rng.random(len(project)), projects.known[project] + 1), NEVER)
    return Milestones(project=project, kind=kind, baseline=baseline, done=done, moved=moved)


def _on_time_chance(company: Company, account: Ints, day: Ints, rng: np.random.Generator) -> Floats:
    law = company.world.production
    week = company.time.week_of(day)
    active = company.campaigns.phase[account, week] == ACTIVE
    logit = law.on_time_intercept + law.on_time_loading * company.latent.h[account, week] + law.on_time_active * active
    return sigmoid(logit + law.on_time_sd * rng.standard_normal(len(account)))


def write_milestones(writer: CanonicalWriter, company: Company, projects: Projects, milestones: Milestones) -> None:
    """Write milestone states: first plan, new plan of late ones, done."""
    gone = company.decisions.gone_from[projects.account[milestones.project]]
    done_on = np.floor(milestones.done).astype(np.int64)
    # A plan is changed before the work is done, or not at all.
    moved = np.where(milestones.moved < milestones.done, milestones.moved, NEVER)
    states = (
        ("not_started", projects.known[milestones.project], milestones.baseline),
        ("in_progress", moved, done_on),
        ("done", milestones.done, np.where(moved < NEVER, done_on, milestones.baseline)),
    )
    for status, since, planned in states:
        rows = np.flatnonzero(since < np.minimum(gone, NEVER))
        writer.append(
            "milestones_history",
            len(rows),
            {
                "milestone_id": ids("ms", rows),
                "valid_from": micros(since[rows]),
                "project_id": ids("pr", milestones.project[rows]),
                "name": Coded(milestones.kind[rows], _STEPS),
                "kind": Coded(milestones.kind[rows], _STEPS),
                "planned_on": planned[rows],
                "baseline_on": milestones.baseline[rows],
                "completed_on": done_on[rows] if status == "done" else None,
                "status_canonical": status,
            },
        )
