"""What would another version have said of those who were asked about? Kept apart from what was told.

Append-only. Grain: one row per account, ``as_of``, feature values and pair of versions: what the served version told,
and what the shadow would have. Nobody reads it to answer; the comparison (:mod:`training.rehearsal`) does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Lock

import pandas as pd
import sqlalchemy as sa

from features.settings import Home
from features.state import has_state, insert_new, open_state
from serving.assessment import HEADLINE_HORIZON, Assessment, KnownFeatures
from serving.ledger_tables import moment_text

_METADATA = sa.MetaData()
_KEY = ("account_id", "as_of", "served_version", "shadow_version", "features_hash")
_SHADOW = sa.Table(
    "shadow_scores",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    *(sa.Column(name, sa.String, nullable=False) for name in _KEY),
    *(sa.Column(f"served_{part}", sa.Double, nullable=False) for part in ("health", "risk")),
    sa.Column("served_band", sa.String, nullable=False),
    *(sa.Column(f"shadow_{part}", sa.Double, nullable=False) for part in ("health", "risk")),
    sa.Column("shadow_band", sa.String, nullable=False),
    sa.Column("annual_value", sa.Double),
    sa.Column("currency", sa.String),
    sa.Column("rows_at_once", sa.Integer, nullable=False),
    sa.Column("served_ms", sa.Double),
    sa.Column("shadow_ms", sa.Double, nullable=False),
    sa.Column("told_at", sa.String, nullable=False),
    sa.UniqueConstraint(*_KEY),
)


@dataclass(frozen=True, slots=True)
class Served:
    """What one account was told, as far as a shadow needs it. ``risk`` is the chance to leave within 90 days."""

    account_id: str
    as_of: datetime
    health: float
    band: str
    risk: float
    annual_value: float | None
    currency: str | None
    known: KnownFeatures

    @classmethod
    def of(cls, told: Assessment) -> Served:
        """The part of an assessment that is kept waiting for the shadow."""
        return cls(
            account_id=told.account_id,
            as_of=told.as_of,
            health=told.score.health,
            band=str(told.score.band),
            risk=told.score.risk[HEADLINE_HORIZON],
            annual_value=told.facts.annual_value,
            currency=told.facts.currency,
            known=told.known,
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds that scoring took for ``rows_at_once`` accounts; ``served_ms`` is None where it was not measured."""

    rows_at_once: int
    shadow_ms: float
    served_ms: float | None


class ShadowScores:
    """The record of one home. Opening touches the disk at first use only."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = Lock()
        self._opened: sa.Engine | None = None

    def append(
        self,
        served: Sequence[Served],
        scores: pd.DataFrame,
        *,
        versions: tuple[str, str],
        timing: Timing,
        told_at: datetime,
    ) -> int:
        """Add what is not there yet; ``versions`` are the served one and the shadow's. How many rows that were.

        ``scores`` are the shadow's, in the order of ``served``.

        Raises:
            ServiceUnavailable: the state database cannot be written.
        """
        columns = zip(served, scores["health"], scores["band"], scores[f"risk_{HEADLINE_HORIZON}"], strict=True)
        rows = [
            {
                "account_id": one.account_id,
                "as_of": moment_text(one.as_of),
                "served_version": versions[0],
                "shadow_version": versions[1],
                "features_hash": one.known.digest,
                "served_health": one.health,
                "served_band": one.band,
                "served_risk": one.risk,
                "shadow_health": float(health),
                "shadow_band": str(band),
                "shadow_risk": float(risk),
                "annual_value": one.annual_value,
                "currency": one.currency,
                "told_at": moment_text(told_at),
                **asdict(timing),
            }
            for one, health, band, risk in columns
        ]
        with self._engine().begin() as connection:
            added = connection.execute(insert_new(connection, _SHADOW).returning(_SHADOW.c.id), rows).all()
        return len(added)

    def read(self, shadow_version: str) -> pd.DataFrame:
        """Every row of a shadow, oldest first; ``as_of`` and ``told_at`` are moments. Empty where nothing was kept."""
        query = sa.select(_SHADOW).where(_SHADOW.c.shadow_version == shadow_version).order_by(_SHADOW.c.id)
        found: Sequence[sa.Row[tuple[object, ...]]] = ()
        if has_state(self._home):
            with self._engine().connect() as connection:
                found = connection.execute(query).all()
        rows = pd.DataFrame([tuple(row) for row in found], columns=[column.name for column in _SHADOW.columns])
        moments = {name: pd.to_datetime(rows[name], utc=True, format="ISO8601") for name in ("as_of", "told_at")}
        return rows.assign(**moments)

    def newest_shadow(self) -> str | None:
        """The version whose rows came last; None where nothing was kept."""
        if not has_state(self._home):
            return None
        newest = sa.select(_SHADOW.c.shadow_version).order_by(_SHADOW.c.id.desc()).limit(1)
        with self._engine().connect() as connection:
            found: str | None = connection.scalar(newest)
            return found

    def _engine(self) -> sa.Engine:
        with self._lock:
            if self._opened is None:
                self._opened = open_state(self._home, what="the record of shadow scores")
            return self._opened
