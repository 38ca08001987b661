"""How does work go through review: assets, versions, decisions, feedback and the next version?

Grain out: canonical rows of `assets`, `asset_versions` and `review_events`. A revision cycle runs from the first
feedback (`changes_requested` or `rejected`) to the next version; its length follows the law of the week it starts in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.production import Projects
from features.simulator.timeline import Codes, Flags, Floats, Ints, sigmoid
from features.simulator.world import ACTIVE, OFF
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

ASSET_TYPES = ("shot", "graphic", "spot")
_ROUNDS = 8
"""An asset that eight versions did not get approved is given up."""
_EVENTS = ("submitted", "approved", "changes_requested", "rejected")
SUBMITTED, APPROVED, CHANGES, REJECTED = range(4)
_REJECTED_SHARE = 0.10
_CLIENT_SHARE = 0.40
_CLIENTS, _COLLEAGUES = 6, 12
"""People of an account's clients, and of its own, who may take part in a review."""
_LATER_LIFT = 0.3
"""Logit by which later versions are likelier to be approved than the first."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Assets by project, with the moment of creation and the project's first-pass rate."""

    project: Ints
    account: Ints
    created: Floats
    quality: Floats


@dataclass(frozen=True, slots=True)
class Round:
    """Version ``number`` of some assets: made, submitted, decided; ``outcome`` is a position in the event types."""

    asset: Ints
    number: int
    made: Floats
    submitted: Floats
    decided: Floats
    outcome: Ints
    by_client: Flags


def write_reviews(writer: CanonicalWriter, company: Company, projects: Projects) -> float:
    """Draw and write everything about review; the true ratio of median cycles, active weeks over off weeks."""
    assets = _draw_assets(company, projects)
    gone = company.decisions.gone_from[assets.account]
    kept = np.flatnonzero(assets.created < gone)
    _write_assets(writer, company, projects, assets, rows=kept)
    made = assets.created + 1 / 24
    open_assets: Ints = kept
    cycles: list[tuple[Floats, Codes]] = []
    rng = company.streams.named("reviews/rounds")
    for number in range(1, _ROUNDS + 1):
        done = _review(company, assets, open_assets, made, number=number, rng=rng)
        _write_versions(writer, company, assets, done)
        _write_events(writer, company, assets, done)
        again = done.outcome >= CHANGES
        open_assets, feedback = done.asset[again], done.decided[again]
        made = made.copy()
        days, phase = _cycles(company, assets.account[open_assets], feedback, rng)
        made[open_assets] = feedback + days
        cycles.append((days, phase))
    return _median_ratio(cycles)


def _draw_assets(company: Company, projects: Projects) -> Assets:
    rng = company.streams.named("reviews/assets")
    law = company.world.production
    number = 2 + rng.poisson(law.assets_per_project - 2, len(projects.account))
    length = projects.last_day - projects.first_day
    week = company.time.week_of(projects.first_day + length / 2)
    active = company.campaigns.phase[projects.account, week] == ACTIVE
    h = company.latent.h[projects.account, week]
    mean = sigmoid(law.approve_intercept + law.approve_loading * h + law.approve_active * active)
    quality = np.clip(rng.beta(law.approve_concentration * mean, law.approve_concentration * (1 - mean)), 0.01, 0.99)
    project = np.repeat(np.arange(len(number)), number)
    at = projects.first_day[project] + 0.8 * length[project] * rng.random(len(project)) + 8 / 24
    return Assets(project=project, account=projects.account[project], created=at, quality=quality[project])


def _review(
    company: Company, assets: Assets, which: Ints, made: Floats, *, number: int, rng: np.random.Generator
) -> Round:
    # The last version of an account that leaves may be made, but nothing happens after its end.
    which = which[made[which] < np.minimum(company.decisions.gone_from[assets.account[which]], company.time.end_day)]
    count = len(which)
    submitted = made[which] + (1 + 10 * rng.random(count)) / 24
    decided = submitted + np.exp(np.log(20.0) + 0.6 * rng.standard_normal(count)) / 24
    odds = np.log(assets.quality[which] / (1 - assets.quality[which])) + _LATER_LIFT * (number > 1)
    draw = rng.random((3, count))
    outcome = np.where(draw[0] < sigmoid(odds), APPROVED, np.where(draw[1] < _REJECTED_SHARE, REJECTED, CHANGES))
    return Round(which, number, made[which], submitted, decided, outcome, draw[2] < _CLIENT_SHARE)


def _cycles(company: Company, account: Ints, at: Floats, rng: np.random.Generator) -> tuple[Floats, Codes]:
    # Days from feedback to the next version, and the phase in which the feedback came.
    law = company.world.production
    week = company.time.week_of(at)
    phase = company.campaigns.phase[account, week]
    level = np.log(law.cycle_hours) + company.accounts.review_effect[account]
    level = (
        level + law.cycle_loading * company.latent.h[account, week] + np.log(law.cycle_active_ratio) * (phase == ACTIVE)
    )
    return np.exp(level + law.cycle_sd * rng.standard_normal(len(account))) / 24, phase


def _median_ratio(cycles: list[tuple[Floats, Codes]]) -> float:
    days, phase = (np.concatenate(part) for part in zip(*cycles, strict=True))
    active, off = days[phase == ACTIVE], days[phase == OFF]
    return float(np.median(active) / np.median(off)) if len(active) and len(off) else float("nan")


def _write_assets(writer: CanonicalWriter, company: Company, projects: Projects, assets: Assets, *, rows: Ints) -> None:
    account = assets.account[rows]
    writer.append(
        "assets",
        len(rows),
        {
            "asset_id": ids("as", rows),
            "project_id": ids("pr", assets.project[rows]),
            "account_id": Coded(account, company.accounts.ids),
            "asset_type": Coded(company.accounts.segment[account], ASSET_TYPES),
            "created_at": micros(assets.created[rows]),
            "required_by_on": projects.last_day[assets.project[rows]],
        },
    )


def _write_versions(writer: CanonicalWriter, company: Company, assets: Assets, done: Round) -> None:
    count = len(done.asset)
    writer.append(
        "asset_versions",
        count,
        {
            "version_id": ids("vs", 10 * done.asset + done.number),
            "asset_id": ids("as", done.asset),
            "project_id": ids("pr", assets.project[done.asset]),
            "account_id": Coded(assets.account[done.asset], company.accounts.ids),
            "version_no": np.full(count, done.number),
            "created_at": micros(done.made),
            "is_published": True,
        },
    )


def _write_events(writer: CanonicalWriter, company: Company, assets: Assets, done: Round) -> None:
    gone = company.decisions.gone_from[assets.account[done.asset]]
    submission = np.full(len(done.asset), SUBMITTED)
    draws = company.streams.named("reviews/actors", done.number).random((2, len(done.asset)))
    for kind, at, decides in ((submission, done.submitted, False), (done.outcome, done.decided, True)):
        rows = np.flatnonzero(at < gone)
        asset = done.asset[rows]
        by_client = done.by_client[rows] & decides
        actor = np.floor(draws[int(decides), rows] * np.where(by_client, _CLIENTS, _COLLEAGUES)).astype(np.int64)
        writer.append(
            "review_events",
            len(rows),
            {
                "review_event_id": ids("re", 20 * asset + 2 * done.number + int(decides)),
                "version_id": ids("vs", 10 * asset + done.number),
                "asset_id": ids("as", asset),
                "account_id": Coded(assets.account[asset], company.accounts.ids),
                "type": Coded(kind[rows], _EVENTS),
                "happened_at": micros(at[rows]),
                "decided_by": Coded(by_client.astype(np.int8), ("internal", "client")) if decides else None,
                "actor_key": ids("rv", 100 * assets.account[asset] + actor + np.where(by_client, 50, 0)),
                "source_status": Coded(kind[rows], ("rev", "apr", "chg", "rej")),
            },
        )
