"""A small made-up portfolio whose leaving chances are known, in the shape that an evaluation takes.

Each account has a hidden health and, unless evergreen, a dated decision; whoever leaves, leaves at the decision (or,
with a small chance, in any week). ``skill`` mixes the hidden health with noise: 1 sees it, 0 sees timing only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd

from features.vocabulary import Subcategory
from training.evaluate import Beside, evaluate
from training.evaluation import Evaluation, EvaluationPlan
from training.gates import Checks
from training.weeks import TIMING_ARM

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
HORIZONS = (30, 60, 90, 180)
_LEAVE_LOG_ODDS = -2.0
_WEEKLY_ODD = 0.0007
_EVERGREEN_WEEKLY = 0.0035
_STEP_DAYS = 28
_NEVER = 9_000


@dataclass(frozen=True)
class Portfolio:
    judged: pd.DataFrame
    truth: pd.DataFrame


@dataclass(frozen=True)
class _Accounts:
    """What is true of each account (``chance``, ``weekly``), what the model states, and the day on which it leaves."""

    evergreen: np.ndarray
    term: np.ndarray
    first_decision: np.ndarray
    health: np.ndarray
    chance: np.ndarray
    stated: np.ndarray
    weekly: np.ndarray
    stated_weekly: np.ndarray
    leaves_at: np.ndarray


def portfolio(
    accounts: int = 400, *, snapshots: int = 7, skill: float = 0.7, seed: int = 7, step_days: int = _STEP_DAYS
) -> Portfolio:
    rng = np.random.default_rng(seed)
    made = _made_up(rng, accounts, skill)
    rows = pd.concat([_snapshot(made, number, step_days) for number in range(snapshots)], ignore_index=True)
    rows["risk_90_timing_only"] = rows["timing_90"]
    for side, factor in (("p0", 0.75), ("p1", 1.5), ("low", 0.5), ("high", 2.0)):
        rows[f"interval_{side}"] = np.minimum(factor * rows["risk_90"], 1.0)
    rows["risk_90_logistic"] = np.clip(rows["risk_90"] * rng.uniform(0.6, 1.5, len(rows)), 0, 1)
    truth = rows[["account_id", "as_of", *(f"p_{days}" for days in HORIZONS)]].copy()
    return Portfolio(rows.drop(columns=[name for name in rows if name.startswith(("p_", "timing_"))]), truth)


def _made_up(rng: np.random.Generator, accounts: int, skill: float) -> _Accounts:
    hidden = rng.normal(size=accounts)
    seen = skill * hidden + np.sqrt(1 - skill**2) * rng.normal(size=accounts)
    evergreen = rng.random(accounts) < 0.15
    term = np.where(evergreen, 1, rng.choice([12, 24], accounts, p=[0.7, 0.3]))
    first_decision = rng.integers(0, np.maximum(term, 1) * 30)
    chance = 1 / (1 + np.exp(-(_LEAVE_LOG_ODDS - 1.0 * hidden)))
    weekly = np.where(evergreen, _EVERGREEN_WEEKLY, _WEEKLY_ODD) * np.exp(-0.5 * hidden)
    return _Accounts(
        evergreen=evergreen,
        term=term,
        first_decision=first_decision,
        health=np.clip(60 + 17 * seen, 0, 100),
        chance=chance,
        stated=1 / (1 + np.exp(-(_LEAVE_LOG_ODDS + 0.05 - 1.0 * skill * seen))),
        weekly=weekly,
        stated_weekly=weekly.mean() * np.exp(-0.5 * skill * seen),
        leaves_at=_leaving_days(rng, chance, evergreen, first_decision, term),
    )


def weekly(accounts: int = 400, *, weeks: int = 26, skill: float = 0.7, seed: int = 7) -> pd.DataFrame:
    """The rows of every week, as :func:`training.weeks.watched` gives them; the calendar is worth what it is."""
    rows = portfolio(accounts, snapshots=weeks, skill=skill, seed=seed, step_days=7).judged
    timing = np.where(rows["days_to_decision"].le(180), 0.2, 0.02)
    kept = np.where(np.arange(len(rows)) % 20 == 0, 1.0, np.nan)
    return rows.assign(reasons_kept=kept, days_to_end=rows["days_to_decision"] + 60, **{TIMING_ARM: timing})


def _snapshot(made: _Accounts, number: int, step_days: int) -> pd.DataFrame:
    day, places = number * step_days, np.arange(len(made.term))
    second = made.first_decision + made.term * 30
    ahead = np.where(made.first_decision >= day, made.first_decision, second).astype(float) - day
    columns: dict[str, object] = {
        "account_id": [f"a{i:05d}" for i in places],
        "cluster_id": [f"c{i // 2 if i % 5 == 0 else i:05d}" for i in places],
        "as_of": FIRST + timedelta(days=day),
        "phase": np.array(["active", "post", "pre", "off", "none"])[(places + number) % 5],
        "segment": np.array(["studio", "broadcaster", "agency"])[places % 3],
        "grade": np.array(["A", "B", "B", "C"])[places % 4],
        "days_to_decision": np.where(made.evergreen, np.nan, ahead),
        "is_evergreen": made.evergreen.astype(float),
        "term_months": made.term.astype(float),
        "annual_value": np.round(np.exp(9 + places % 17 / 8), 2),
        "health": made.health,
        "band": np.select([made.health >= 65, made.health >= 45], ["green", "amber"], "red"),
        "days_to_leaving": np.where(made.leaves_at < _NEVER, made.leaves_at - day, np.nan),
        "days_to_last_day": np.where(made.leaves_at < _NEVER, made.leaves_at - day + 60.0, np.nan),
    }
    for place, part in enumerate(Subcategory):
        columns[f"points_{part}"] = (made.health - 60) / 2 ** (place + 1)
    for days in HORIZONS:
        due = ~made.evergreen & (ahead <= days)
        columns[f"y_{days}"] = (made.leaves_at <= day + days).astype(float)
        columns[f"risk_{days}"] = _chance(made.stated, due, made.stated_weekly, days)
        columns[f"p_{days}"] = _chance(made.chance, due, made.weekly, days)
        usual, usual_weekly = np.full(len(due), made.chance.mean()), np.full(len(due), made.weekly.mean())
        columns[f"timing_{days}"] = _chance(usual, due, usual_weekly, days)
    return pd.DataFrame(columns)[made.leaves_at > day]


def _chance(at_decision: np.ndarray, due: np.ndarray, weekly: np.ndarray, days: int) -> np.ndarray:
    return 1 - (1 - weekly) ** (days / 7) * (1 - at_decision * due)


def _leaving_days(
    rng: np.random.Generator, chance: np.ndarray, evergreen: np.ndarray, first_decision: np.ndarray, term: np.ndarray
) -> np.ndarray:
    """Day on which each account leaves; a far day for those that stay."""
    weekly = np.where(evergreen, _EVERGREEN_WEEKLY, _WEEKLY_ODD)
    anytime = 1 + rng.geometric(weekly) * 7
    leaves = (rng.random(len(chance)) < chance) & ~evergreen
    second = (rng.random(len(chance)) < chance) & ~evergreen
    decided = np.where(leaves, first_decision, np.where(second, first_decision + term * 30, 10_000))
    return np.minimum(anytime, np.maximum(decided, 1))


SOUND = Checks(
    additivity_max_abs_error=3e-12,
    golden_rows=50,
    golden_rows_ok=True,
    columns_asked=95,
    leaks=0,
    model_bytes=200_000,
    steps_per_score=5_000,
)
"""A bundle of which everything that was tried came out well."""

SMALL_PLAN = EvaluationPlan(capacity=20, replicates=100, noise_draws=100)


@cache
def evaluated() -> Evaluation:
    """An evaluation of a portfolio with skill, large enough for every gate; frozen, so tests may share it."""
    made = portfolio(900, skill=0.9, seed=3)
    beside = Beside(made.truth, weekly(900, skill=0.9, seed=3))
    return evaluate(made.judged, model_version="v7", beside=beside, plan=SMALL_PLAN)
