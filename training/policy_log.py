"""Which weights of the leads are in force, since when, and who said so?

Grain: one row per activation or end, append-only, each with the backtest that was shown. The weights in force are those
of the last row. They move no probability: pages and endpoints show the order they give beside the model's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.audit_log import Deed, What, write
from features.errors import MissingStateError
from features.settings import Home
from features.state import has_state, lines_of, open_state
from features.state_lines import StateLines
from training.policy import PolicyWeights

_WHAT = "the record of weights"
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
_NEWEST = f"SELECT MAX(id) FROM {_LOG.name}"
_LAST = sa.select(_LOG).order_by(_LOG.c.id.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One line of the record; ``weights`` and ``backtest`` are None where weights were put out of force.

    ``number`` names the line for good; None before it is written.
    """

    at: datetime
    who: str
    why: str
    weights: PolicyWeights | None
    backtest: dict[str, Any] | None
    number: int | None = None

    def line(self) -> str:
        """The change in words."""
        done = f"{self.weights.name} put in force" if self.weights else "no weights in force any more"
        return f"{self.at:%Y-%m-%d %H:%M} {self.who}: {done} ({self.why})"


def policy_changes(home: Home) -> tuple[PolicyChange, ...]:
    """Every change, oldest first; empty where there is no state yet (and none is made)."""
    if not has_state(home):
        return ()
    with _opened(home).connect() as connection:
        rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id)).mappings().all()
    return tuple(_change(row) for row in rows)


def weights_in_force(home: Home) -> PolicyWeights | None:
    """The weights in force; None when none are."""
    changes = policy_changes(home)
    return changes[-1].weights if changes else None


class InForce:
    """The change that put the weights in force which are in force now; cheap to be asked again and again."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._engine: sa.Engine | None = None
        self._lines: StateLines | None = None
        self._read: tuple[int | None, PolicyChange | None] = (None, None)

    def now(self) -> PolicyChange | None:
        """The change, with its number; None when no weights are in force. Makes no state where there is none."""
        engine = self._engine
        if engine is None:
            if not has_state(self._home):
                return None
            engine = self._opened()
        number, change = self._read
        # Rows are only ever added: the newest number tells whether there is anything new to read.
        if self._newest(engine) != number:
            with engine.connect() as connection:
                row = connection.execute(_LAST).mappings().first()
            change = _change(row) if row else None
            self._read = (change.number if change else None, change)
        return change if change and change.weights else None

    def close(self) -> None:
        """Give the database back."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _opened(self) -> sa.Engine:
        engine = _opened(self._home, lasting=True)
        engine.connect().close()  # makes the tables, which lines take for granted
        self._lines, self._engine = lines_of(engine, what=_WHAT), engine
        return engine

    def _newest(self, engine: sa.Engine) -> int | None:
        if self._lines is None:
            with engine.connect() as connection:
                newest: int | None = connection.exec_driver_sql(_NEWEST).scalar()
                return newest
        with self._lines.lent() as line:
            return line.execute(_NEWEST).fetchone()[0]  # type: ignore[no-any-return]  # one row, whatever is there


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


def _change(row: sa.RowMapping) -> PolicyChange:
    return PolicyChange(
        at=datetime.fromisoformat(row["at"]),
        who=row["who"],
        why=row["why"],
        weights=PolicyWeights.model_validate_json(row["weights"]) if row["weights"] else None,
        backtest=json.loads(row["backtest"]) if row["backtest"] else None,
        number=row["id"],
    )


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
        after = {"weights": change.weights.model_dump(mode="json") if change.weights else None, "why": change.why}
        write(connection, Deed(change.at, change.who, What.WEIGHTS, "the leads' weights", None, after))
    return change


def _opened(home: Home, *, lasting: bool = False) -> sa.Engine:
    return open_state(home, what=_WHAT, lasting=lasting)
