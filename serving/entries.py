"""In which shape is the ledger read?

Grain: one entry per account, ``as_of``, model version and feature values; and what a reader of a list says about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from features.vocabulary import Band, Phase
from serving.access.teams import EVERYBODY, Teams
from serving.assessment import Facts, Score


class Channel(StrEnum):
    """Through which door a score left."""

    BATCH = "batch"
    API = "api"


@dataclass(frozen=True, slots=True)
class Entry:
    """One score as it was told; the reasons are read apart with :meth:`Ledger.explanation`."""

    entry_id: int
    account_id: str
    as_of: datetime
    score: Score
    facts: Facts
    value_at_risk: float
    features_hash: str
    data_watermark: datetime | None
    channel: Channel
    scored_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which accounts of a portfolio are asked for; None takes all, ``teams`` whatever the reader may see."""

    segment: str | None = None
    phase: Phase | None = None
    band: Band | None = None
    teams: Teams = EVERYBODY

    def takes(self, entry: Entry) -> bool:
        """Does an entry belong to the selection?"""
        if not self.teams.includes(entry.facts.csm_owner_id, entry.facts.segment):
            return False
        told = ((self.segment, entry.facts.segment), (self.phase, entry.score.phase), (self.band, entry.score.band))
        return all(wanted is None or wanted == found for wanted, found in told)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader stands in a list: its ``as_of``, the newest entry when he began, and the last row he saw."""

    as_of: datetime
    newest_id: int
    value_at_risk: float | None = None
    account_id: str = ""


class Order(StrEnum):
    """In which order a portfolio is listed."""

    VALUE_AT_RISK = "value_at_risk"
    LEADS_PRIORITY = "leads_priority"


@dataclass(frozen=True, slots=True)
class PriorityReading:
    """Where a reader of the leads' order stands: the portfolio and the order he began with, and the last row he saw.

    ``policy_index`` is that row's; None at the beginning.
    """

    place: Place
    policy_id: int
    batch_mark: int
    policy_index: float | None = None
    account_id: str = ""
