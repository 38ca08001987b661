"""What does an iCalendar file (RFC 5545) say of campaigns?

One entry per event. The campaign is the summary without its year, the label is the summary. All-day events run at each
account's own midnight, events with a time in the zone of their start. ``DTEND`` is the day or moment after the end.
``STATUS`` is tentative, confirmed or cancelled; ``CATEGORIES`` may name a family; ``LAST-MODIFIED`` is since when it is
believed. Events that repeat by a rule are refused: when they will move is just what a calendar has to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar, Component

from features.calendars.entries import Entry, entry_of
from features.errors import DataContractError
from features.events import table_named

_FAMILIES = frozenset(table_named("campaigns").column("family").choices)
_YEAR = re.compile(r"\b(19|20|21)[0-9]{2}\b")
_STATUS = {"TENTATIVE": "tentative", "CONFIRMED": "confirmed", "CANCELLED": "cancelled"}
_REPEATS = ("RRULE", "RDATE", "RECURRENCE-ID")
_ONCE = ("SUMMARY", "DTSTART", "DTEND", "DURATION", "STATUS", "UID", "LAST-MODIFIED")


def read_ics(path: Path) -> tuple[Entry, ...]:
    """The entries of a file; ``line`` is the event's number in it.

    Raises:
        DataContractError: it is no iCalendar file, has no event, or an event that cannot be taken.
    """
    try:
        calendars = Calendar.from_ical(path.read_bytes(), multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as cause:
        # The parser trips over some broken parameters, and over a TZID that is a folder of the zone data.
        raise _refused(path, "an iCalendar file (RFC 5545)", type(cause).__name__) from None
    if not events:
        raise _refused(path, "events (VEVENT)", "none")
    return tuple(_entry(path, event, number) for number, event in enumerate(events, start=1))


def _entry(path: Path, event: Component, number: int) -> Entry:
    if event.errors:
        raise _refused(path, "events that keep RFC 5545", f"broken {event.errors[0][0]} in event {number}")
    if any(name in event for name in _REPEATS):
        raise _refused(path, "one event per edition", f"event {number} repeats by a rule")
    if twice := [name for name in _ONCE if isinstance(event.get(name), list)]:
        raise _refused(path, f"one {twice[0]} in every event", f"several in event {number}")
    summary = str(event.get("SUMMARY", "")).strip()
    campaign = "_".join(re.findall(r"[a-z0-9]+", _YEAR.sub("", summary).lower()))
    if not campaign:
        raise _refused(path, "a SUMMARY in Latin letters that names the campaign", f"none in event {number}")
    first, last, zone = _days(path, event, number)
    said = {
        "campaign_id": campaign,
        "label": summary,
        "active_start_local": first.isoformat(),
        "active_end_local": last.isoformat(),
        "tz_policy": "event_tz" if zone else "account_local",
        "event_tz": zone,
        "status": _STATUS.get(str(event.get("STATUS", "CONFIRMED")).upper(), "confirmed"),
        "name": " ".join(_YEAR.sub("", summary).split()),
        "family": next((word for word in _categories(event) if word in _FAMILIES), ""),
        "source": f"ICS {str(event.get('UID', '')).strip()}".strip(),
    }
    if "LAST-MODIFIED" in event:
        said["known_from"] = _read(path, event, "LAST-MODIFIED", number).isoformat()
    return entry_of(said, line=number)


def _days(path: Path, event: Component, number: int) -> tuple[date, date, str]:
    if "DTSTART" not in event:
        raise _refused(path, "a DTSTART in every event", f"none in event {number}")
    start = _read(path, event, "DTSTART", number)
    if "DTEND" in event:
        end = _read(path, event, "DTEND", number)
    elif "DURATION" in event:
        end = start + _read(path, event, "DURATION", number)
    else:
        # RFC 5545: an all-day event without an end is one day; one with a time ends when it starts.
        end = start + timedelta(days=not _timed(start))
    if _timed(start) != _timed(end):
        raise _refused(path, "DTSTART and DTEND of one kind", f"a day and a moment in event {number}")
    if not _timed(start):
        return start, end - timedelta(days=1), ""
    zone = _zone(event["DTSTART"].params, start)
    if zone is None or start.tzinfo is None or end.tzinfo is None:
        raise _refused(path, "times with an IANA zone", f"a time without one in event {number}")
    # The moment after the end may be the midnight after the last day.
    last = max(start, end.astimezone(start.tzinfo) - timedelta(microseconds=1))
    return start.date(), last.date(), zone


def _read(path: Path, event: Component, name: str, number: int) -> Any:
    try:
        value = event.decoded(name)
    except (ValueError, TypeError, AttributeError):
        value = None
    if not isinstance(value, timedelta if name == "DURATION" else date):
        raise _refused(path, f"a {name} that can be read", f"another one in event {number}")
    return value


def _timed(value: Any) -> bool:
    return isinstance(value, datetime)


def _zone(parameters: Any, start: datetime) -> str | None:
    if "TZID" in parameters:
        return str(parameters["TZID"])
    return "UTC" if start.tzinfo is not None else None


def _categories(event: Component) -> Iterator[str]:
    listed = event.get("CATEGORIES", [])
    for group in listed if isinstance(listed, list) else [listed]:
        yield from (str(word).strip().lower() for word in getattr(group, "cats", [group]))


def _refused(path: Path, expected: str, found: str) -> DataContractError:
    return DataContractError(
        f"{path.name} is no calendar that can be read",
        expected=expected,
        found=found,
        todo="export one event per edition, or write a CSV file; nothing was taken",
    )
