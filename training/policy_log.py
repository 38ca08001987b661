"""Which weights of the leads are in force, since when, and who said so?

Grain: one row per activation or end, append-only, each with the backtest that was shown. The weights in force are those
of the last row. They move no probability; no page or endpoint shows the index yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.errors import MissingStateError
from features.settings import Home
from features.state import make_append_only, open_state
from training.policy import PolicyWeights

_METADATA = sa.MetaData()
_LOG = sa.Table(
    "policy_weights",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("weights", sa.String),
    sa.Column("backtest", sa.String),
)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One line of the record; ``weights`` and ``backtest`` are None where weights were put out of force."""

    at: datetime
    who: str
    why: str
    weights: PolicyWeights | None
    backtest: dict[str, Any] | None

    def line(self) -> str:
        """The change in words."""
        done = f"{self.weights.name} put in force" if self.weights else "no weights in force any more"
        return f"{self.at:%Y-%m-%d %H:%M} {self.who}: {done} ({self.why})"


def policy_changes(home: Home) -> tuple[PolicyChange, ...]:
    """Every change, oldest first; empty where there is no state yet (and none is made)."""
    if not home.state.exists():
        return ()
    with _opened(home).connect() as connection:
        rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id)).mappings().all()
    return tuple(
        PolicyChange(
            at=datetime.fromisoformat(row["at"]),
            who=row["who"],
            why=row["why"],
            weights=PolicyWeights.model_validate_json(row["weights"]) if row["weights"] else None,
            backtest=json.loads(row["backtest"]) if row["backtest"] else None,
        )
        for row in rows
    )


def weights_in_force(home: Home) -> PolicyWeights | None:
    """The weights in force; None when none are."""
    changes = policy_changes(home)
    return changes[-1].weights if changes else None


def put_in_force(home: Home, change: PolicyChange) -> PolicyChange:
    """Write down that weights are in force from now on."""
    return _append(home, change)


def end(home: Home, *, who: str, why: str, at: datetime) -> PolicyChange:
    """Put the weights out of force.

    Raises:
        MissingStateError: none are in force.
    """
    if weights_in_force(home) is None:
        raise MissingStateError(
            "there are no weights to put out of force",
            expected="weights in force",
            found="none",
            todo="run `pulse weights list` to see what was in force before",
        )
    return _append(home, PolicyChange(at, who, why, None, None))


def _append(home: Home, change: PolicyChange) -> PolicyChange:
    with _opened(home).begin() as connection:
        connection.execute(
            sa.insert(_LOG).values(
                at=change.at.isoformat(),
                who=change.who,
                why=change.why,
                weights=change.weights.model_dump_json() if change.weights else None,
                backtest=json.dumps(change.backtest, sort_keys=True) if change.backtest else None,
            )
        )
    return change


def _opened(home: Home) -> sa.Engine:
    engine = open_state(home)
    make_append_only(engine, _METADATA, what="the record of weights")
    return engine
