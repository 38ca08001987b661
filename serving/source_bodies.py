"""What does the service tell of the sources?"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from features.source_health import State
from serving.bodies import Body


class SourceOut(Body):
    """One source and table: is it fresh, complete and at its usual rate?"""

    source_system: str
    table: str
    state: State = Field(description="the worst that was found")
    sentence: str = Field(description="the same in words")
    steward: str | None = Field(description="who keeps it; null where nobody is named")
    newest_event_at: datetime
    newest_available_at: datetime
    age_days: int = Field(description="days since its last rows came")
    usual_gap_days: int | None = Field(description="days that usually pass between rows; null where it came too seldom")
    rows_4_weeks: int
    expected_rows_4_weeks: float | None = Field(description="null where nothing is there to expect them from")
    fewest_rows_4_weeks: float | None = Field(description="fewer are too few")
    most_rows_4_weeks: float | None = Field(description="more are too many")
    compared_with: str = Field(description="what the expectation rests on")
    share_told_8_weeks: float | None = Field(description="share of the accounts at risk that it told of")
    share_told_before: float | None
    complete_until: datetime | None = Field(description="by its own heartbeat")
    heartbeat_ok: bool | None = Field(description="does it say of itself that it is well? null where it says nothing")


class SourcesResponse(Body):
    """Every source and table as known at a moment, the worst first; empty where no row was ever taken."""

    as_of: datetime
    sources: list[SourceOut]
