"""Who takes part in a campaign without having said so, by what was known at a moment?

Grain in: the calendar, participation, accounts, projects and usage as known at ``as_of``. Grain out: one
:class:`Guess` per account and live instance about which the account said nothing: ``inferred`` where at least two of
three signs speak for it (a project among them where the account's projects name their campaigns), else ``prior``, the
share of its segment that took part last time. Nothing later than the moment is read: deciding by the whole season is
the usual leak. Pure; the reading is in ``evidence.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from statistics import median

from features.calendars.believed import BelievedInstance
from features.campaigns import TRUSTED
from features.vocabulary import WEEK

LIFT = 1.5
"""Usage counts as campaign work from half as much again as usual: campaigns reach 2 to 3.5 times."""
LIFTED_WEEKS = 2
"""One such week happens by chance; two in one ramp seldom do."""
USUAL_WEEKS = 26
SIGNS_NEEDED = 2
CONFIDENCE = {2: 0.7, 3: 0.9}
"""Two signs may share a cause (a habit and a busy month); three hardly."""
PRIOR_CEILING = 0.49
"""A guess from the segment alone stays under the trust that puts an account into a phase."""
PRIOR_FLOOR = 0.05
_SAID = ("declared", "declined", "inferred")


@dataclass(frozen=True, slots=True)
class Part:
    """What is believed of an account's part in an instance."""

    participation: str
    confidence: float

    @property
    def is_taken(self) -> bool:
        """Does it count as taking part?"""
        return self.participation != "declined" and self.confidence >= TRUSTED


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at ``as_of``.

    ``segments``: accounts that used the product within :data:`USUAL_WEEKS`, with their segment. ``parts``: by account
    and instance. ``tagged``: accounts and instances for which a project is made. ``activity``: by account, actions per
    closed week (its Monday).
    """

    as_of: datetime
    instances: tuple[BelievedInstance, ...]
    segments: Mapping[str, str]
    parts: Mapping[tuple[str, str], Part] = field(default_factory=dict)
    tagged: frozenset[tuple[str, str]] = frozenset()
    activity: Mapping[str, Mapping[date, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guess:
    """One account's part in one instance, with the signs that spoke for it.

    ``known_from`` is since when the instance was believed, so whatever the account says afterwards is stronger.
    """

    account_id: str
    campaign_instance_id: str
    participation: str
    confidence: float
    signs: tuple[str, ...]
    known_from: datetime


def guesses(known: Known) -> Iterator[Guess]:
    """The guesses that say more than what is believed already, by instance and account."""
    telling = {account for account, _ in known.tagged}
    for instance in known.instances:
        if instance.phase_on(known.as_of.date()) is None:
            continue
        before = previous_of(instance, known.instances)
        rates = _segment_rates(before, known)
        for account, segment in sorted(known.segments.items()):
            rate = rates.get(segment, 0.0)
            guess = _guess(account, instance, before, known, rate=rate, tells=account in telling)
            if guess is not None:
                yield guess


def previous_of(instance: BelievedInstance, instances: Sequence[BelievedInstance]) -> BelievedInstance | None:
    """The edition before, cancelled ones left out."""
    earlier = [
        each
        for each in instances
        if each.campaign_id == instance.campaign_id and each.first < instance.first and each.status != "cancelled"
    ]
    return max(earlier, key=lambda each: each.first, default=None)


def signs_of(
    account: str, instance: BelievedInstance, before: BelievedInstance | None, known: Known
) -> tuple[str, ...]:
    """What speaks for the account's part: a project for it, usage above the usual, its part in the last edition."""
    last_time = known.parts.get((account, before.campaign_instance_id)) if before else None
    found = {
        "project": (account, instance.campaign_instance_id) in known.tagged,
        "usage": _is_lifted(known.activity.get(account, {}), instance, known.as_of),
        "previous": last_time is not None and last_time.is_taken,
    }
    return tuple(name for name, speaks in found.items() if speaks)


def _guess(
    account: str, instance: BelievedInstance, before: BelievedInstance | None, known: Known, *, rate: float, tells: bool
) -> Guess | None:
    part = known.parts.get((account, instance.campaign_instance_id))
    if part is not None and part.participation in _SAID:
        return None
    signs = signs_of(account, instance, before, known)
    # Where an account's projects tell their campaigns, none for this one speaks against it.
    is_possible = not tells or "project" in signs
    if len(signs) >= SIGNS_NEEDED and is_possible:
        made = ("inferred", CONFIDENCE[len(signs)])
    elif part is None and rate >= PRIOR_FLOOR:
        made = ("prior", round(min(rate, PRIOR_CEILING), 2))
    else:
        return None
    return Guess(account, instance.campaign_instance_id, *made, signs, instance.known_at)


def _segment_rates(before: BelievedInstance | None, known: Known) -> dict[str, float]:
    if before is None:
        return {}
    taken: dict[str, list[bool]] = {}
    for account, segment in known.segments.items():
        part = known.parts.get((account, before.campaign_instance_id))
        taken.setdefault(segment, []).append(part is not None and part.is_taken)
    return {segment: sum(votes) / len(votes) for segment, votes in taken.items()}


def _is_lifted(activity: Mapping[date, float], instance: BelievedInstance, as_of: datetime) -> bool:
    if not activity:
        return False
    begins = instance.first - timedelta(days=instance.pre_days)
    first = begins + timedelta(days=-begins.weekday() % 7)
    usual = [activity.get(week, 0.0) for week in _weeks(max(first - USUAL_WEEKS * WEEK, min(activity)), first)]
    level = median(usual) if usual else 0.0
    done = [activity.get(week, 0.0) for week in _weeks(first, instance.last) if _closes(week) <= as_of]
    return level > 0 and sum(1 for actions in done if actions >= LIFT * level) >= LIFTED_WEEKS


def _weeks(first: date, until: date) -> Iterator[date]:
    while first < until:
        yield first
        first += WEEK


def _closes(week: date) -> datetime:
    return datetime.combine(week + WEEK, time(), tzinfo=UTC)
