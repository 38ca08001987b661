"""Did acting help? Three questions to a home: fewer leavers, more use, more revenue.

Input: a home with alerts (and the work on them), a moment up to which everything is known. Output: an :class:`Impact`.
Arms drawn at random answer; a comparison of before and after is shown beside them and named what it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from features.errors import MissingStateError, UsageError
from features.progress import Progress, silent
from features.settings import Home
from training.config import TrainingConfig
from training.evaluation_parts import Document
from training.impact import Effect, mean_change, rate_change, share_change
from training.impact_record import Record, bought, leaving, lives, renewals, use, value_kept
from training.impact_trend import Trend, trend
from training.trial import Trial, read_trial

CONTROL = "control"
Question = Literal["trend", "engagement", "revenue"]
TITLES: dict[Question, str] = {
    "trend": "Do fewer accounts leave?",
    "engagement": "Do people use the tools more?",
    "revenue": "Is more revenue kept and won?",
}


class Impact(Document):
    """What may be said about the effect of acting on alerts, as known at ``as_of``."""

    question: Question
    as_of: datetime
    since: datetime = Field(description="the first alert, or the moment asked for")
    alerts: int
    arms: dict[str, int] = Field(description="accounts per arm; empty when no arm is on record")
    control: str
    works_weeks: int
    quiet_days: int
    effects: tuple[Effect, ...]
    trend: Trend | None = None
    notes: tuple[str, ...]


def impact(
    home: Home,
    question: Question,
    as_of: datetime,
    *,
    control: str = CONTROL,
    since: datetime | None = None,
    progress: Progress = silent,
) -> Impact:
    """Answer one question; ``since`` is when acting began, by default the first alert.

    Raises:
        MissingStateError: no alert is on record, or, but for the trend, no arm.
        UsageError: no account is in the arm that is to be the held-out one.
    """
    progress("read the trial", 0, 2)
    read = read_trial(home, as_of)
    record = Record(home, read, control, as_of, TrainingConfig(), works=timedelta(weeks=26), quiet=timedelta(days=7))
    _require_arms(read, control, needed=question != "trend")
    begun = since or read.alerts["created_at"].min().to_pydatetime()
    progress("compare", 1, 2)
    effects, notes = _effects(record, question) if read.sizes else ((), ["no arm is on record: see docs/measuring.md"])
    found = Impact(
        question=question,
        as_of=as_of,
        since=begun,
        alerts=len(read.alerts),
        arms=read.sizes,
        control=control,
        works_weeks=record.works // timedelta(weeks=1),
        quiet_days=record.quiet.days,
        effects=effects,
        trend=trend(lives(record), since=begun, until=as_of) if question == "trend" else None,
        notes=(*_notes(read), *notes),
    )
    progress("compare", 2, 2)
    return found


def _require_arms(read: Trial, control: str, *, needed: bool) -> None:
    if needed and not read.sizes:
        raise MissingStateError(
            "no alert bears an arm of a trial",
            expected="`arm:NAME` in alerts.external_refs, or assigned_arm in interventions",
            found=f"{len(read.alerts)} alerts without one",
            todo="hold some accounts out at random (docs/measuring.md); before and after alone prove nothing",
        )
    if read.sizes and (control not in read.sizes or set(read.sizes) == {control}):
        raise UsageError(
            "the arms cannot be compared",
            expected=f"accounts held out in the arm {control}, and accounts in another",
            found=", ".join(f"{name} ({count})" for name, count in read.sizes.items()),
            todo="name the held-out arm with --control",
        )


def _effects(record: Record, question: Question) -> tuple[tuple[Effect, ...], list[str]]:
    match question:
        case "trend":
            rows = leaving(record)
            return (rate_change(rows, name="leaving", title="decisions to leave", better="lower"),), []
        case "engagement":
            rows = use(record)
            return (mean_change(rows, name="use", title="days of use by a person", better="higher"),), []
        case _:
            return _revenue(record)


def _revenue(record: Record) -> tuple[tuple[Effect, ...], list[str]]:
    value, elsewhere = value_kept(record)
    more, offers = bought(record)
    kept = "contract value still there after a year"
    effects = (
        share_change(renewals(record), name="renewals", title="renewals when the term ended", better="higher"),
        share_change(value, name="value", title=kept, better="higher"),
        rate_change(more, name="upsell", title="decisions to buy more", better="higher"),
        rate_change(offers, name="offers", title="sales talks about more", better="neither"),
    )
    told = f"{elsewhere} accounts with contracts in another currency are left out of the value"
    return effects, [told] if elsewhere else []


def _notes(read: Trial) -> list[str]:
    unknown = int(read.entries["arm"].isna().sum())
    notes = []
    if unknown and read.sizes:
        notes.append(f"{unknown} alerted accounts bear no arm and are left out of the comparison")
    if read.moved:
        notes.append(f"{read.moved} accounts have alerts in a second arm; they stay in their first")
    return notes
