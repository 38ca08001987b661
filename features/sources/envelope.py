"""When did a row happen, when could it be known, and which row is it?

Fills the envelope where a source is silent. Times are microseconds since 1970 (integers are a hundred times cheaper
than calendar arithmetic here, and exact). Rules of time:

- ``event_at`` comes from the column the table names; a day begins at 00:00 in its zone (``tz`` of the row, else the
  source's, else UTC).
- ``available_at`` in a back-fill is the later of the event (the end of its day where only the day is known) and
  ``recorded_at``, plus the lag; in a live feed it is now. A row that was refused and is repaired later keeps the moment
  at which it was first offered.
- ``row_hash`` is 63 bits of the MD5 of the row's text form: every own column that is not null as ``name=value``, with
  ``event_at`` and ``op``. A nullable column declared later changes no hash.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from features.events import Column, Kind, Table
from features.sources.intake import Intake, Load, Rule
from features.sources.sql_text import identifier, literal

DAY = timedelta(days=1)
CLOCK_SKEW = timedelta(hours=1)
"""How far the clocks of two systems may differ before a row contradicts itself."""
FUTURE = timedelta(days=1)
"""How far ahead a row may lie: a zone's day, not a wrong year."""
ZONE_COLUMN = "tz"
UNIT_SEPARATOR = "\x1f"
"""Parts the values in the text form of a row."""

EVENT, RECORDED, AVAILABLE = "_pulse_event", "_pulse_recorded", "_pulse_available"
PRECISION = "_pulse_precision"


def microseconds(span: timedelta) -> int:
    """A duration in whole microseconds."""
    return span // timedelta(microseconds=1)


def epoch(moment: datetime) -> int:
    """A moment in whole microseconds since 1970 UTC."""
    return microseconds(moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo))


def midnights_query(table: Table, intake: Intake, typed: str) -> str | None:
    """The moments at which the days of the rows begin (``zone``, ``day``, ``begins``); none where UTC settles it."""
    if not _days_by_zone(table, intake):
        return None
    day = identifier(table.event_at_from)
    return (
        f"SELECT zone, day, EPOCH_US(TIMEZONE(zone, CAST(day AS TIMESTAMP))) AS begins FROM "
        f"(SELECT DISTINCT {_zone(intake)} AS zone, {day} AS day FROM ({typed})) WHERE zone IN (SELECT name FROM zones)"
    )


def placed_query(table: Table, intake: Intake, *, midnights: str) -> str:
    """Over ``typed``: the same rows with the moment of the event, how exactly it is known, and when it was recorded."""
    recorded = "EPOCH_US(recorded_at)" if intake.gives("recorded_at") else "CAST(NULL AS BIGINT)"
    day = identifier(table.event_at_from)
    join = f" LEFT JOIN {midnights} AS m ON m.zone = {_zone(intake)} AND m.day = t.{day}"
    return (
        f"SELECT t.*, {_event(table, intake)} AS {EVENT}, {_precision(table, intake)} AS {PRECISION}, "
        f"{recorded} AS {RECORDED} FROM typed AS t{join if _days_by_zone(table, intake) else ''}"
    )


def dated_query(intake: Intake, load: Load) -> str:
    """Over ``placed``: the same rows with the moment from which they could be known."""
    known = str(epoch(load.offered_at or load.now))
    if not load.live:
        ended = f"{EVENT} + CASE {PRECISION} WHEN 'day' THEN {microseconds(DAY)} ELSE 0 END"
        known = f"GREATEST({ended}, {RECORDED}) + {microseconds(intake.lag)}"
    given = "EPOCH_US(available_at), " if intake.gives("available_at") else ""
    return f"SELECT *, COALESCE({given}{known}) AS {AVAILABLE} FROM placed"


def envelope_cells(intake: Intake, load: Load) -> dict[str, str]:
    """SQL of every column of the envelope over ``dated``; ``row_hash`` is added by :func:`row_hash`."""
    source = literal(intake.source_system)
    given = "COALESCE({0}, {1})"
    return {
        "source_system": given.format("source_system", source) if intake.gives("source_system") else source,
        "source_record_id": "source_record_id" if intake.gives("source_record_id") else "CAST(NULL AS VARCHAR)",
        "event_at": _moment(EVENT),
        "event_precision": PRECISION,
        "recorded_at": _moment(RECORDED),
        "ingested_at": _moment(str(epoch(load.now))),
        "available_at": _moment(AVAILABLE),
        "op": given.format("op", "'upsert'") if intake.gives("op") else "'upsert'",
        "load_id": literal(load.load_id),
    }


def time_rules(intake: Intake, now: datetime) -> tuple[Rule, ...]:
    """The rules that a row's times obey, in SQL over ``dated``.

    A negative lag says that rows are known ahead of their day (holidays): they may lie that far in the future.
    """
    ahead = max(0, -microseconds(intake.lag))
    skew, future, today = microseconds(CLOCK_SKEW), microseconds(FUTURE), epoch(now)
    rules = [
        Rule("event_at", "required", "no moment of the event", f"{EVENT} IS NULL"),
        Rule("event_at", "future", "more than a day after now", f"{EVENT} > {today + future + ahead}"),
    ]
    if intake.gives("recorded_at"):
        rules += [
            Rule("recorded_at", "order", "recorded before it happened", f"{EVENT} > {RECORDED} + {skew + ahead}"),
            Rule("recorded_at", "future", "recorded after now", f"{RECORDED} > {today}"),
        ]
    if intake.gives("available_at"):
        given = "EPOCH_US(available_at)"
        rules += [
            Rule("available_at", "order", "known before it happened", f"{given} < {EVENT} - {ahead}"),
            Rule("available_at", "order", "known before it was recorded", f"{given} < {RECORDED} - {skew}"),
            Rule("available_at", "future", "known more than a day after now", f"{given} > {today + future}"),
        ]
    return tuple(rules)


def row_hash(table: Table, given: frozenset[str]) -> str:
    """SQL of a row's hash over finished rows; columns that the load does not give are null and need no text."""
    parts = ["'op=' || op", "'event_at=' || EPOCH_US(event_at)"]
    parts += [f"'{column.name}=' || {_text_form(column)}" for column in table.columns if column.name in given]
    # The separator stands in no text (see contract.py), so the form is unambiguous. One bit less than the engine gives:
    # the hash is a signed 64-bit integer everywhere.
    return f"CAST(MD5_NUMBER_LOWER(CONCAT_WS({literal(UNIT_SEPARATOR)}, {', '.join(parts)})) >> 1 AS BIGINT)"


def _text_form(column: Column) -> str:
    name = identifier(column.name)
    match column.kind:
        case Kind.TEXT:
            return name
        case Kind.NUMBER:
            # 17 digits are every double exactly; adding zero turns -0.0 into 0.0.
            return f"PRINTF('%.17g', {name} + 0.0)"
        case Kind.MOMENT:
            return f"EPOCH_US({name})"
        case _:
            return f"CAST({name} AS VARCHAR)"


def _event(table: Table, intake: Intake) -> str:
    column = table.column(table.event_at_from)
    if not intake.gives(column.name):
        derived = "CAST(NULL AS BIGINT)"
    elif column.kind is Kind.MOMENT:
        derived = f"EPOCH_US({identifier(column.name)})"
    elif _days_by_zone(table, intake):
        derived = "m.begins"
    else:
        derived = f"EPOCH_US(CAST({identifier(column.name)} AS TIMESTAMP))"
    return f"COALESCE(EPOCH_US(event_at), {derived})" if intake.gives("event_at") else derived


def _precision(table: Table, intake: Intake) -> str:
    usual = literal(table.precision)
    if table.precision == "instant" and table.column(table.event_at_from).kind is Kind.DAY:
        # A moment made from a day is not known better than that day.
        usual = "CASE WHEN event_at IS NULL THEN 'day' ELSE 'instant' END" if intake.gives("event_at") else "'day'"
    return f"COALESCE(event_precision, {usual})" if intake.gives("event_precision") else usual


def _days_by_zone(table: Table, intake: Intake) -> bool:
    from_day = table.column(table.event_at_from).kind is Kind.DAY and intake.gives(table.event_at_from)
    return from_day and (intake.gives(ZONE_COLUMN) or intake.zone not in {None, "UTC"})


def _zone(intake: Intake) -> str:
    usual = literal(intake.zone or "UTC")
    return f"COALESCE({ZONE_COLUMN}, {usual})" if intake.gives(ZONE_COLUMN) else usual


def _moment(microseconds_sql: str) -> str:
    return f"MAKE_TIMESTAMPTZ({microseconds_sql})"
