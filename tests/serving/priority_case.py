"""A portfolio of hand-made scores and the weights of the leads over it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from features.settings import Home
from features.vocabulary import Band, Subcategory
from serving.assessment import Assessment
from serving.leads_priority import LeadsPriority
from serving.ledger import Ledger
from tests.serving.pages_case import assessment
from training import policy_log
from training.policy import PolicyWeights
from training.policy_log import PolicyChange

SET_AT = datetime(2024, 4, 10, 9, 30, tzinfo=UTC)
TOLD_AT = datetime(2024, 4, 16, 8, tzinfo=UTC)
MONEY = PolicyWeights(name="money first", financial=3, engagement=1)
_ESTIMATE: dict[str, Any] = {"rows": 300, "positives": 60.0, "outcomes": 40, "base_rate": 0.2, "reason": ""}


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """A number as a backtest writes it down."""
    return {"value": value, "low": low, "high": high, **_ESTIMATE}


BACKTEST: dict[str, Any] = {
    "model_version": "3",
    "horizon_days": 90,
    "rows": 300,
    "outcomes": 40,
    "auc_model": estimate(0.71, 0.62, 0.8),
    "auc_index": estimate(0.64, 0.55, 0.73),
    "auc_lead": estimate(0.07, 0.01, 0.13),
    "share": {"share": estimate(0.08, 0.0, 0.21), "sentence": "your weights earn a say of 0.08 (0.00 to 0.21)"},
}
"""The parts of a stored backtest that are shown."""


def put_in_force(home: Home, weights: PolicyWeights = MONEY, *, why: str = "late payers leave first") -> None:
    """Weights in force, set by ada."""
    policy_log.put_in_force(home, PolicyChange(SET_AT, "ada", why, weights, BACKTEST))


def studios(count: int = 24, **changes: Any) -> list[Assessment]:
    """Studios between campaigns: ``a00`` pays worst and uses most; the last one has given notice."""
    made = [
        assessment(
            f"a{place:02d}",
            points={Subcategory.FINANCIAL: place - 12.0, Subcategory.ENGAGEMENT: 6.0 - place / 2},
            annual_value=1_000.0 * (place + 1),
            **changes,
        )
        for place in range(count)
    ]
    left = assessment("left", points={Subcategory.FINANCIAL: -30.0}, band=Band.LOST_PENDING, **changes)
    return [*made, left]


def leads_of(home: Home, ledger: Ledger, told: list[str] | None = None) -> LeadsPriority:
    """The leads' order of a home, told at :data:`TOLD_AT`."""
    return LeadsPriority(home, ledger, clock=lambda: TOLD_AT, tell=lambda event, _: (told or []).append(event))
