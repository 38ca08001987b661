"""Of which parts is a watch over a live model made?

Frozen documents, as :mod:`training.evaluation_parts`; :mod:`training.watch` puts them together.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from training.evaluation_parts import Document
from training.input_drift import FeatureDrift

WATCHED_DAYS = 30
"""The shortest horizon: its labels are final first."""
ALL, BEFORE = "all accounts", "all accounts, against before"
"""The two charts over everybody: against what was stated, and against the model's own record."""


class Cause(StrEnum):
    """What may have changed. Several may hold at once; none is certain."""

    CALENDAR = "calendar"
    INSTRUMENTATION = "instrumentation"
    LOADING = "loading"
    PRICE = "price"
    LEVEL = "level"
    INPUTS = "inputs"


class Step(StrEnum):
    """What to do, the mildest first."""

    NOTHING = "nothing"
    WAIT = "wait"
    OWNER = "ask the owner of the calendar"
    INTERCEPT = "intercept"
    PLATT = "platt"
    RETRAIN = "retrain"


class Period(Document):
    """Leavers within 30 days of one snapshot, counted and stated.

    Where labels are not final yet, ``observed`` is what is on record so far, and ``expected`` the part of what was
    stated that is usually on record by then. ``above`` and ``below`` are the evidence, in multiples of its limit.
    """

    as_of: datetime
    rows: int
    observed: int
    expected: float
    known: float = Field(description="share of its leavers that is on record; 1 = its labels are final")
    above: float
    below: float


class Chart(Document):
    """One group of accounts over time."""

    group: str
    periods: tuple[Period, ...]
    crossed: datetime | None = Field(description="the snapshot that raised the alarm that is open; null without one")
    onset: datetime | None = Field(description="the snapshot from which the change probably holds")
    direction: str = Field(description="more, fewer, or empty: who left against what was stated")
    observed: int = Field(description="leavers since the onset, or in all of the chart without an alarm")
    expected: float
    ratio: float | None
    low: float | None = Field(description="exact interval of the ratio, 95 %")
    high: float | None

    @property
    def final_leavers(self) -> int:
        """Leavers since the onset whose labels are final: those that a line can be fitted on."""
        since = self.onset or self.periods[0].as_of
        return sum(one.observed for one in self.periods if one.known == 1.0 and one.as_of >= since)


class Visible(Document):
    """What the charts over all accounts can see at all."""

    ratio: float | None = Field(description="smallest rise that would be found in time; null: none below four times")
    weeks: int = Field(description="the time after a change")
    chance: float = Field(description="how surely such a change would be found in it")
    monthly: float = Field(description="leavers stated in four weeks, all accounts")


class Early(Document):
    """What is known already of snapshots too young for a chart: a count that can only grow."""

    snapshots: int
    known: int
    stated: float
    alarm: bool = Field(description="more are known to leave already than chance allows (one in a hundred)")


class PhaseScores(Document):
    """How scores stand in one phase, now and in the same weeks a year before."""

    phase: str
    rows: int
    rows_then: int
    health: float
    health_then: float | None
    red_share: float
    red_share_then: float | None


class Ramps(Document):
    """Do campaigns ramp up when the calendar says?"""

    campaign: str | None = Field(description="the campaign begun late by most; null without one of enough accounts")
    accounts: int = Field(description="accounts that take part in it")
    late_share: float | None = Field(description="share that began over a week after the planned day; null for none")


class Suspicion(Document):
    """One cause that the evidence speaks for."""

    cause: Cause
    sentence: str


class Advice(Document):
    """What to do now, and why."""

    step: Step
    sentence: str
    since: datetime | None = Field(default=None, description="the onset of the alarm it answers; null without one")


ALARM, SUSPICION = "alarm: ", "suspicion: "
"""What the name of a finding begins with."""


class Finding(Document):
    """One thing that somebody is to look at, and the first of the looks in a row at which it was there."""

    name: str
    since: datetime

    @property
    def is_of_level(self) -> bool:
        """Whether it tells of leavers counted against leavers stated, as an evaluation does, and of no cause."""
        return self.name.startswith(ALARM) or self.name == f"{SUSPICION}{Cause.LEVEL}"


class Watch(Document):
    """Everything found about one model at one date."""

    model_version: str
    as_of: datetime
    charts: tuple[Chart, ...]
    too_small: tuple[str, ...] = Field(description="groups with too few expected leavers for a chart")
    visible: Visible | None = Field(description="null where no chart over all accounts is kept")
    early: Early | None
    scores: tuple[PhaseScores, ...]
    features: tuple[FeatureDrift, ...]
    ramps: Ramps
    suspicions: tuple[Suspicion, ...]
    advice: Advice
    findings: tuple[Finding, ...]

    @property
    def news(self) -> tuple[Finding, ...]:
        """The findings that no earlier look told of; an open alarm is told once."""
        return tuple(one for one in self.findings if one.since == self.as_of)

    @property
    def alarmed(self) -> tuple[Chart, ...]:
        """The charts with an open alarm."""
        return tuple(chart for chart in self.charts if chart.crossed is not None)

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """The features that moved, the furthest first."""
        moved = [one for one in self.features if one.drifted]
        return tuple(sorted(moved, key=lambda one: -(one.stability_index or 0.0)))

    def metrics(self) -> dict[str, float]:
        """The numbers as flat names, for a tracking server; one that does not exist is left out."""
        numbers: dict[str, float | None] = {
            "watch.charts_alarmed": len(self.alarmed),
            "watch.findings_new": len(self.news),
            "watch.smallest_visible": None if self.visible is None else self.visible.ratio,
            "watch.features_drifted": len(self.drifted),
            "watch.ramps_late_share": self.ramps.late_share,
            "watch.early_known": None if self.early is None else self.early.known,
            "watch.early_stated": None if self.early is None else self.early.stated,
        }
        for chart in self.charts:
            numbers[f"watch.ratio.{chart.group.replace(',', '').replace(' ', '_')}"] = chart.ratio
        return {name: float(number) for name, number in numbers.items() if number is not None}
