"""How is one campaign moved or called off by hand, for the days to come only?

The belief in force is written once more with its new dates, known from now, with who did it and why in ``source``. The
rows before it stay, and with them every snapshot up to now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from features.calendars.believed import BelievedInstance, believed_instances
from features.calendars.entries import entry_of
from features.calendars.record import Recorded, record
from features.errors import MissingStateError, UsageError
from features.settings import Home

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shifted:
    """A belief and the one that takes its place; ``recorded`` is what was written."""

    before: BelievedInstance
    after: BelievedInstance
    recorded: Recorded

    def lines(self) -> list[str]:
        """For people."""
        before, after = self.before, self.after
        moved = f"{before.campaign_instance_id}: {before.first} to {before.last} ({before.status}) until now"
        days = (after.first - before.first).days
        news = "cancelled" if after.status == "cancelled" else f"{after.first} to {after.last}, {days:+} days"
        own = "; accounts with dates of their own keep them"
        return [
            moved,
            f"  from now: {news}{own if sum(before.accounts.values()) else ''}",
            f"  {after.source}",
            "  snapshots built for later dates know it, earlier ones stay as they are: run `pulse build`",
            "  the live model has not seen the new date: watch its calibration in this campaign",
        ]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        today = self.after.known_at.date()
        return {
            "before": self.before.document(today),
            "after": self.after.document(today),
            "recorded": self.recorded.document(),
        }


def shift(home: Home, campaign: str, *, to: date | None, who: str, why: str, now: datetime) -> Shifted:
    """Move an instance so that its first active day is ``to``, its length kept; with no ``to`` it is cancelled.

    ``campaign`` is an instance, or a campaign of which one instance is not over.

    Raises:
        MissingStateError: no calendar is known.
        UsageError: the instance is unknown or over, nothing changes, the new dates are past, or no reason is given.
    """
    if not why.strip():
        raise UsageError(
            "a shift needs a reason", expected="--why TEXT", found="an empty text", todo="say who announced it"
        )
    before = _instance(home, campaign, now)
    _require_a_change(before, to, now)
    facts = {
        "campaign_id": before.campaign_id,
        "campaign_instance_id": before.campaign_instance_id,
        "active_start_local": (to or before.first).isoformat(),
        "active_end_local": (before.last if to is None else to + (before.last - before.first)).isoformat(),
        "status": "cancelled" if to is None else "moved",
        "source": f"{'cancelled' if to is None else 'moved'} by {who}: {why.strip()}",
        "known_from": now.isoformat(),
    }
    recorded = record(home, [entry_of(facts, line=1)], now=now)
    after = {each.campaign_instance_id: each for each in believed_instances(home, now)}[before.campaign_instance_id]
    return Shifted(before, after, recorded)


def _instance(home: Home, campaign: str, now: datetime) -> BelievedInstance:
    believed = believed_instances(home, now)
    if not believed:
        raise MissingStateError(
            "no campaign calendar is known",
            expected="rows in campaign_instances_history",
            found="none",
            todo="run `pulse campaigns import FILE` first",
        )
    found = [each for each in believed if each.campaign_instance_id == campaign]
    if not found:
        found = [each for each in believed if each.campaign_id == campaign and each.ends >= now.date()]
    if len(found) == 1:
        return found[0]
    names = [each.campaign_instance_id for each in found] or _alike(campaign, believed)
    raise UsageError(
        "it is not clear which campaign to move" if found else "no campaign that is not over has this name",
        expected="a campaign instance, such as march_madness_2027",
        found=f"{campaign!r}; {'it may be' if found else 'alike are'} {', '.join(names[:_SHOWN]) or 'none'}",
        todo="see `pulse campaigns list`",
    )


def _alike(campaign: str, believed: Sequence[BelievedInstance]) -> list[str]:
    return get_close_matches(campaign, [each.campaign_instance_id for each in believed], n=_SHOWN, cutoff=0.5)


def _require_a_change(before: BelievedInstance, to: date | None, now: datetime) -> None:
    today = now.date()
    if before.ends < today:
        raise _refused(before, "is over", f"post phase until {before.ends}", "phases of past days never change")
    if to is None and before.status == "cancelled":
        raise _refused(before, "is cancelled already", "status cancelled", "nothing is to be done")
    if to == before.first and before.status != "cancelled":
        raise _refused(
            before, "starts on that day already", f"first active day {before.first}", "nothing is to be done"
        )
    if to is not None and to + (before.ends - before.first) < today:
        raise _refused(before, "cannot move into the past", f"first active day {to}", "give a later date")


def _refused(before: BelievedInstance, what: str, found: str, todo: str) -> UsageError:
    return UsageError(
        f"{before.campaign_instance_id} {what}", expected="a change to days still to come", found=found, todo=todo
    )
