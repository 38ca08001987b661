"""What does the campaign calendar say, what was believed when, and how does a change get in?"""

from __future__ import annotations

import getpass
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from features.console import Answer, Clock, command
from features.errors import UsageError
from features.settings import Home

AHEAD_YEARS = 2
"""Without --years a calendar of rules is imported for this year and so many years ahead."""

YearOption = Annotated[int | None, typer.Option(min=1900, max=2199, help="Only campaigns active in this year.")]

group = typer.Typer(no_args_is_help=True, help="The campaign calendar: what is believed, and since when.")


def add_to(app: typer.Typer) -> None:
    """Give a program the commands `campaigns ...`."""
    app.add_typer(group, name="campaigns")


@command(group, "list")
def list_campaigns(place: Home, clock: Clock, *, year: YearOption = None) -> Answer:
    """List the campaigns as they are believed now."""
    from features.calendars.believed import believed_instances

    now = clock()
    every = believed_instances(place, now)
    shown = [each for each in every if year is None or each.first.year <= year <= each.last.year]
    document = {"as_of": now.isoformat(), "campaigns": [each.document(now.date()) for each in shown]}
    if not every:
        return Answer(_no_calendar(), document)
    lines = [f"{_counted(len(shown))}{f' in {year}' if year else ''}, as believed now"]
    return Answer([*lines, *(f"  {each.line(now.date())}" for each in shown)], document)


@command(group, "as-of")
def as_of(
    place: Home,
    *,
    day: Annotated[str, typer.Argument(metavar="DATE", help="The date to stand on, YYYY-MM-DD.")],
    account: Annotated[str | None, typer.Option(help="Tell the phase of this account on that day.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only this campaign or instance.")] = None,
) -> Answer:
    """Tell what was believed on a date, and in which phase an account was."""
    from features.calendars.account_day import account_day
    from features.calendars.believed import believed_instances
    from features.vocabulary import parse_moment

    moment = parse_moment(day)
    if account is not None:
        known = account_day(place, account, moment)
        return Answer(known.lines(campaign), known.document(campaign))
    every = believed_instances(place, moment)
    if campaign is None:
        shown = [each for each in every if each.ends >= moment.date()]
    else:
        shown = [each for each in every if campaign in (each.campaign_id, each.campaign_instance_id)]
    document = {"as_of": moment.isoformat(), "campaigns": [each.document(moment.date()) for each in shown]}
    if not every:
        return Answer([f"on {moment.date()} no campaign was known", *_no_calendar()[1:]], document)
    about = f"of {campaign}" if campaign else "live or to come"
    lines = [f"{_counted(len(shown))} {about}, as believed on {moment.date()}"]
    return Answer([*lines, *(f"  {each.line(moment.date())}" for each in shown)], document)


@command(group)
def shift(
    place: Home,
    clock: Clock,
    *,
    campaign: Annotated[str, typer.Argument(help="Instance, or a campaign with one instance that is not over.")],
    to: Annotated[str | None, typer.Option(metavar="DATE", help="New first active day; the length is kept.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Call it off instead.")] = False,
    why: Annotated[str, typer.Option(help="Who announced it; kept with the row.")],
) -> Answer:
    """Move a campaign, or call it off, from now on; what was believed before is kept."""
    from features.calendars.shift import shift as move

    if (to is None) != cancel:
        raise UsageError(
            "a campaign is either moved or cancelled",
            expected="one of --to DATE and --cancel",
            found="both" if cancel else "neither",
            todo="give one of them",
        )
    moved = move(place, campaign, to=_day(to), who=getpass.getuser(), why=why, now=clock())
    return Answer(moved.lines(), moved.document())


@command(group, "import")
def import_calendar(
    place: Home,
    clock: Clock,
    *,
    file: Annotated[str, typer.Argument(help="CSV, ICS or YAML file, or the name of a calendar that comes with us.")],
    years: Annotated[str | None, typer.Option(help="Years of a calendar of rules: 2027, or 2019-2027.")] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Rows count from their own known_from, also in the past.")
    ] = False,
) -> Answer:
    """Bring a calendar in; what is believed already is left alone, bad rows go to quarantine."""
    from features.calendars.record import record

    now = clock()
    entries = _entries(file, years, now=now, backfill=backfill)
    recorded = record(place, entries, now=now, backfill=backfill)
    lines = [f"{file}: {len(entries)} entries", *recorded.lines()]
    failure = recorded.report.quarantined_error() if recorded.report else None
    return Answer(lines, {"entries": len(entries), **recorded.document()}, failure)


@command(group)
def infer(
    place: Home,
    clock: Clock,
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="Guess by what was known on this date, not now.")
    ] = None,
) -> Answer:
    """Guess who takes part in what is live and has not said so; a guess never outweighs what an account says."""
    from features.calendars.evidence import infer as guess
    from features.vocabulary import parse_moment

    now = clock()
    inferred = guess(place, parse_moment(as_of) if as_of else now, now=now)
    failure = inferred.report.quarantined_error() if inferred.report else None
    return Answer(inferred.lines(), inferred.document(), failure)


def _entries(file: str, years: str | None, *, now: Any, backfill: bool) -> Any:
    from features.calendars import csv_file, entries, ics_file, rules

    path = Path(file)
    readers = {".csv": csv_file.read_csv, ".ics": ics_file.read_ics}
    if path.is_file() and path.suffix.lower() in readers:
        if years:
            raise _no_years("--years with a calendar of rules only: a file says its years itself", years)
        found = readers[path.suffix.lower()](path)
        entries.require_dates_in_order(found, path.name)
        return found
    calendar = rules.calendar_file(path) if path.is_file() else rules.calendar_named(file)
    wanted = _years(years) if years else range(now.year, now.year + AHEAD_YEARS + 1)
    news = rules.known_by(rules.beliefs(calendar, wanted), now.date())
    return entries.entries_of(news if backfill else rules.newest(news))


def _years(text: str) -> range:
    found = re.fullmatch(r"((?:19|20|21)[0-9]{2})(?:-((?:19|20|21)[0-9]{2}))?", text.strip())
    years = range(int(found[1]), int(found[2] or found[1]) + 1) if found else range(0)
    if not years:
        raise _no_years("2027, or 2019-2027", text)
    return years


def _no_years(expected: str, found: str) -> UsageError:
    return UsageError("these years cannot be meant", expected=expected, found=repr(found), todo="correct --years")


def _counted(count: int) -> str:
    return f"{count} campaign instance{'' if count == 1 else 's'}"


def _day(text: str | None) -> date | None:
    from features.vocabulary import parse_moment

    return None if text is None else parse_moment(text).date()


def _no_calendar() -> list[str]:
    from features.calendars.rules import calendar_names

    return [
        "no campaign calendar yet: every account is in phase none",
        "  run `pulse campaigns import FILE` with a CSV or ICS file,",
        f"  or with one of our own: {', '.join(calendar_names())}",
    ]
