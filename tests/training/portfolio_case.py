"""A made-up portfolio with a known hazard, as frames: what the cohort, the feature store and the labels would give.

Each account has a latent health ``h`` and a latent payment discipline ``f`` (AR(1), weekly). At its decision an
account leaves with ``sigma(-2.4 - h - 0.45 f + 0.15 agency)`` (domain 6.5). Model features are noisy views of ``h``
(financial ones of ``f``), every third one pure noise. Nothing here reads or writes a disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.catalogue import FEATURES, Use
from features.vocabulary import CohortStatus, Phase, Subcategory
from training.endings import FULL_CHURN, Lapse
from training.labels import outcome_frame

FIRST = datetime(2021, 1, 4, tzinfo=UTC)
SEGMENTS = ("studio", "broadcaster", "agency")
_EVERY = 4
_ONBOARDING_WEEKS = 26
_NOTICE_DAYS = 56
_TERMS = (1, 12, 24)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Portfolio:
    """Frames of one made-up portfolio; treat them as read-only, they are shared between tests.

    ``cohort`` and ``snapshots`` have the same rows in the same order (every fourth Monday). ``truth`` has, for the
    same rows, the latent state and ``leaves_now``, the true chance of leaving if the decision fell now.
    """

    cohort: pd.DataFrame
    snapshots: pd.DataFrame
    decided: pd.DataFrame
    truth: pd.DataFrame
    data_cut: datetime


@dataclass(frozen=True)
class _World:
    h: Floats  # (accounts, weeks)
    f: Floats
    segment: npt.NDArray[np.int64]
    term: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]  # first day of the first contract, in days after FIRST
    sources: npt.NDArray[np.int64]
    decided: Floats  # days after FIRST; NaN for accounts that stay
    recorded: Floats


@lru_cache(maxsize=4)
def portfolio(accounts: int = 400, weeks: int = 175, seed: int = 7, signal: float = 1.0) -> Portfolio:
    """Simulate a portfolio; ``signal`` scales what features see of the latent state (0: pure noise)."""
    draw = np.random.default_rng(seed)
    world = _world(draw, accounts, weeks)
    who, week = _live_rows(world, weeks)
    cohort = _cohort(world, who, week)
    snapshots = _snapshots(world, who, week, cohort, draw=np.random.default_rng([seed, 1]), signal=signal)
    h, f = world.h[who, week], world.f[who, week]
    truth = cohort[["account_id", "as_of"]].assign(h=h, f=f, leaves_now=_leaves_now(h, f, world.segment[who]))
    cut = FIRST + timedelta(weeks=weeks)
    return Portfolio(cohort, snapshots, _decided(world, cut), truth, cut)


def name_of(account: int) -> str:
    """The id of the n-th account."""
    return f"acc-{account:04d}"


def _leaves_now(h: Floats, f: Floats, segment: npt.NDArray[np.int64]) -> Floats:
    return expit(-2.4 - 1.0 * h - 0.45 * f + 0.15 * (segment == SEGMENTS.index("agency")))


def _world(draw: np.random.Generator, accounts: int, weeks: int) -> _World:
    level = draw.normal(0, 0.6, accounts)
    h, f = _walk(draw, level, weeks), _walk(draw, np.zeros(accounts), weeks)
    segment = draw.choice(3, accounts, p=[0.35, 0.25, 0.40])
    term = draw.choice(_TERMS, accounts, p=[0.15, 0.75, 0.10])
    start = draw.integers(-2 * 365, weeks * 7 // 4, accounts)
    world = _World(h, f, segment, term, start, draw.integers(3, 7, accounts), np.array([]), np.array([]))
    decided = _decisions(draw, world, weeks)
    lag = np.exp(draw.normal(np.log(5), 1.0, accounts))
    return _World(h, f, segment, term, start, world.sources, decided, decided + np.minimum(lag, 30))


def _walk(draw: np.random.Generator, level: Floats, weeks: int) -> Floats:
    state = level + draw.normal(0, 0.8, len(level))
    states = []
    for _ in range(weeks):
        state = level + 0.975 * (state - level) + 0.8 * np.sqrt(1 - 0.975**2) * draw.normal(size=len(level))
        states.append(state)
    return np.column_stack(states)


def _decisions(draw: np.random.Generator, world: _World, weeks: int) -> Floats:
    decided = np.full(len(world.term), np.nan)
    for week in range(weeks):
        h, f, day = world.h[:, week], world.f[:, week], 7.0 * week
        left = _days_to_decision(world, np.arange(len(h)), np.full(len(h), day))
        due = left < 7
        chance = np.where(due, _leaves_now(h, f, world.segment), expit(-8.2 - 0.8 * h - 0.4 * f))
        monthly = expit(-5.75 - 0.9 * h - 0.45 * f)
        leaves = draw.random(len(h)) < np.where(world.term == 1, monthly, chance)
        moment = day + draw.random(len(h)) * np.where(due, np.maximum(left, 0.01), 7.0)
        fresh = leaves & np.isnan(decided) & (world.start <= day)
        decided = np.where(fresh, moment, decided)
    return decided


def _days_to_decision(world: _World, who: npt.NDArray[np.int64], day: Floats) -> Floats:
    # Terms follow each other; notice is due _NOTICE_DAYS before each end. Monthly contracts have no end.
    length = np.where(world.term[who] == 1, np.inf, world.term[who] * 30.4375)
    first = world.start[who] + length - _NOTICE_DAYS
    with np.errstate(invalid="ignore"):
        cycles = np.maximum(np.ceil((day - first) / length), 0.0)
        return np.where(np.isinf(length), np.nan, np.floor(first + np.nan_to_num(cycles) * length - day))


def _live_rows(world: _World, weeks: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    on = np.arange(_ONBOARDING_WEEKS, weeks, _EVERY)
    week, who = (grid.ravel() for grid in np.meshgrid(on, np.arange(len(world.term)), indexing="ij"))
    gone = np.nan_to_num(world.decided[who] + _NOTICE_DAYS, nan=np.inf)
    live = (world.start[who] <= 7 * week) & (7 * week <= gone)
    return who[live], week[live]


def _cohort(world: _World, who: npt.NDArray[np.int64], week: npt.NDArray[np.int64]) -> pd.DataFrame:
    tenure = 7 * week - world.start[who]
    under_notice = np.nan_to_num(world.recorded[who], nan=np.inf) <= 7 * week
    new = tenure < 7 * _ONBOARDING_WEEKS
    status = np.select(
        [under_notice, new], [CohortStatus.LOST_PENDING, CohortStatus.ONBOARDING], default=CohortStatus.AT_RISK
    )
    as_of = pd.Series(pd.to_datetime([FIRST + timedelta(weeks=int(number)) for number in week], utc=True))
    return pd.DataFrame(
        {
            "account_id": pd.Series([name_of(number) for number in who], dtype=object),
            "as_of": as_of.astype("datetime64[us, UTC]"),
            "cohort_status": status.astype(object),
            "cluster_id": pd.Series([name_of(number) for number in who], dtype=object),
            "segment": np.array(SEGMENTS, dtype=object)[world.segment[who]],
            "term_months": world.term[who],
            "tenure_days": tenure,
        }
    )


def _snapshots(
    world: _World,
    who: npt.NDArray[np.int64],
    week: npt.NDArray[np.int64],
    cohort: pd.DataFrame,
    *,
    draw: np.random.Generator,
    signal: float,
) -> pd.DataFrame:
    h, f = world.h[who, week], world.f[who, week]
    columns: dict[str, Any] = {"account_id": cohort["account_id"], "as_of": cohort["as_of"]}
    for number, feature in enumerate(FEATURES):
        if feature.is_text:
            columns[feature.name] = np.full(len(who), None, dtype=object)
        elif feature.use is Use.MODEL and feature.subcategory is not Subcategory.CONTEXT:
            state = f if feature.subcategory is Subcategory.FINANCIAL else h
            loading = 0.0 if number % 3 == 0 else -signal * (feature.direction or 1)
            seen = loading * state + draw.normal(0, 1.2, len(who))
            columns[feature.name] = np.where(draw.random(len(who)) < 0.1 * (number % 2), np.nan, seen)
        else:
            columns[feature.name] = draw.normal(0, 1, len(who))
    return pd.DataFrame({**columns, **_context(world, who, week, cohort)})


def _context(
    world: _World, who: npt.NDArray[np.int64], week: npt.NDArray[np.int64], cohort: pd.DataFrame
) -> dict[str, Any]:
    phases = np.array([Phase.NONE, Phase.PRE, Phase.ACTIVE, Phase.POST, Phase.OFF], dtype=object)
    season = np.where(world.segment[who] == 0, 0, 1 + week // _EVERY % 4)
    return {
        "days_to_decision": _days_to_decision(world, who, 7.0 * week),
        "is_evergreen": (world.term[who] == 1).astype(np.float64),
        "term_months": world.term[who].astype(np.float64),
        "tenure_weeks": cohort["tenure_days"] / 7.0,
        **{f"segment_is_{name}": (world.segment[who] == code) * 1.0 for code, name in enumerate(SEGMENTS)},
        "usable_weeks": cohort["tenure_days"] // 7.0,
        "sources_present": world.sources[who].astype(np.float64),
        "campaign_count_w104": np.where(world.segment[who] == 0, 0.0, 3.0),
        "campaign_gap_cv_w156": np.where(world.segment[who] == 0, np.nan, 0.4 + 0.2 * (who % 5)),
        "annual_value": 10_000.0 * (1 + who % 7),
        "phase": np.array([str(phase) for phase in phases], dtype=object)[season],
        "segment": cohort["segment"],
        "cohort_status": cohort["cohort_status"],
    }


def _decided(world: _World, cut: datetime) -> pd.DataFrame:
    lapses = {}
    for number in np.flatnonzero(~np.isnan(world.decided)):
        decided, known = (FIRST + timedelta(days=float(days[number])) for days in (world.decided, world.recorded))
        if known <= cut:
            lapses[name_of(number)] = Lapse(decided, decided + timedelta(days=_NOTICE_DAYS), known, FULL_CHURN)
    return outcome_frame(lapses)
