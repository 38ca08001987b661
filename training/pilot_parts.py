"""What does a replay trial say, as one JSON document?"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from training.alert_parts import AlertRecord, PhaseRecord, Reading
from training.evaluation_parts import Document
from training.spending import CostTable, Spending

RENEWAL_DATE = "renewal_date"


class Pilot(Document):
    """A version replayed on past weeks as if live, against simpler policies with as many alerts.

    ``policies``: ``champion`` (this version's 26-week risk), ``health`` (its health score), ``timing_only`` (a model of
    the calendar), ``renewal_date`` (alert 90 days before a contract ends). ``readings``: policy minus reference.
    """

    schema_version: Literal[1] = 1
    version: str
    as_of: datetime = Field(description="outcomes are those known then")
    first_week: datetime = Field(description="first replayed snapshot; nothing the model learnt from was final later")
    last_week: datetime
    judged_until: datetime | None = Field(description="last snapshot whose alerts have had their 26 weeks; null: none")
    weeks: int
    accounts: int
    leavers: int
    day_one: int = Field(description="accounts on the list of the first day: as many for every policy, not graded")
    alerts_per_four_weeks: float
    policies: dict[str, AlertRecord]
    readings: dict[str, dict[str, Reading]]
    lead_curve_days: tuple[int, ...] = Field(description="days before the decision")
    lead_curves: dict[str, tuple[float, ...]] = Field(description="share of leavers alerted so early or earlier")
    phases: dict[str, PhaseRecord]
    costs: CostTable | None = None
    spending: dict[str, Spending] | None = None
    notes: tuple[str, ...] = ()
