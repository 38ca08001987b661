"""Is a source called late, silent, thin or flooding when it is, by its own history, and only then?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, pairwise
from math import ceil
from random import Random
from statistics import median
from typing import Any

import pytest

from features.portable import portability_faults
from features.source_arrivals import QUERIES
from features.source_health import SourceHealth, State
from features.source_rates import SAME_PHASES, TRAILING, YEAR_BEFORE
from tests.features.source_health_case import (
    ACCOUNTS,
    AS_OF,
    WEEK,
    Row,
    campaigns,
    company,
    health,
    report,
    tickets,
    weekly,
)

DAY = timedelta(days=1)
NOON = timedelta(hours=12)


def every(days: int, *, age: int, count: int = 40) -> list[datetime]:
    """A row at noon every so many days, the last one so many calendar days before AS_OF."""
    return [AS_OF - age * DAY + NOON - number * days * DAY for number in range(count)]


# Days between arrivals, days since the last one, and what is said of it.
AGES = (
    (1, 1, State.OK),
    (1, 2, State.OK),
    (1, 3, State.LATE),
    (1, 4, State.LATE),
    (1, 5, State.SILENT),
    (7, 10, State.OK),
    (7, 11, State.LATE),
    (7, 28, State.LATE),
    (7, 29, State.SILENT),
    (30, 45, State.OK),
    (30, 46, State.LATE),
    (30, 121, State.SILENT),
)


def test_an_age_is_judged_by_the_gaps_that_are_usual_for_the_source() -> None:
    sources = [tickets(every(days, age=age, count=30), source=f"{days} {age}") for days, age, _ in AGES]
    found = {each.source_system: each for each in report({"tickets_history": list(chain(*sources))}).sources}
    told = [(found[f"{days} {age}"], (age, days, state)) for days, age, state in AGES]
    assert [(each.age_days, each.usual_gap_days, each.state) for each, _ in told] == [said for _, said in told]


def test_one_outage_in_the_past_does_not_become_usual() -> None:
    before = [AS_OF - (40 + number) * DAY for number in range(200)]
    after = [AS_OF - (3 + number) * DAY for number in range(20)]
    found = health({"tickets_history": tickets([*before, *after])})
    assert (found.state, found.age_days, found.usual_gap_days) == (State.LATE, 3, 1)


def test_a_habit_of_long_ago_is_forgotten() -> None:
    # Once a week until two years ago, every day since: a tenth of all gaps is long, but none of the last two years.
    daily = [AS_OF - number * DAY for number in range(4, 770)]
    once_weekly = [daily[-1] - number * WEEK for number in range(1, 101)]
    found = health({"tickets_history": tickets([*daily, *once_weekly])})
    assert (found.state, found.age_days, found.usual_gap_days) == (State.LATE, 4, 1)


@pytest.mark.parametrize(("arrivals", "gap", "state"), [(8, None, State.UNKNOWN), (9, 7, State.OK)])
def test_a_source_that_came_seldom_has_no_usual_gap_yet(arrivals: int, gap: int | None, state: State) -> None:
    found = health({"tickets_history": tickets(every(7, age=3, count=arrivals))})
    assert (found.usual_gap_days, found.state) == (gap, state)
    assert ("it came too seldom to know its usual gap" in found.sentence) is (gap is None)


RATES = (
    (30, State.OK),
    (9, State.OK),
    (8, State.THIN),
    (90, State.OK),
    (91, State.FLOODING),
    (300, State.FLOODING),
)


def test_a_rate_is_judged_by_what_the_source_used_to_deliver() -> None:
    sources = [tickets(weekly([30] * 30 + [last] * 4), source=f"{last}") for last, _ in RATES]
    found = {each.source_system: each for each in report({"tickets_history": list(chain(*sources))}).sources}
    for last, state in RATES:
        each = found[f"{last}"]
        rate = each.rate
        assert (each.state, rate.rows, rate.expected, rate.low, rate.high) == (state, 4 * last, 120, 36, 360)
        assert rate.compared_with == TRAILING
        assert f"{4 * last:,} rows in 4 weeks where 120 were expected from the 26 weeks before" in each.sentence


def test_the_spike_of_a_campaign_is_no_flood_where_the_calendar_tells_of_it() -> None:
    # The same rows twice: what differs is only whether the company's campaigns are known.
    rows = {"tickets_history": tickets(weekly([14] * 16 + [70] * 4 + [14] * 26 + [70] * 4))}
    spikes = (AS_OF - 34 * WEEK, AS_OF - 4 * WEEK)
    known = health(company() | campaigns(*spikes, weeks=4) | rows)
    assert (known.state, known.rate.rows, known.rate.expected) == (State.OK, 280, 280)
    assert known.rate.compared_with == SAME_PHASES
    unknown = health(company() | rows)
    assert (unknown.state, unknown.rate.expected, unknown.rate.compared_with) == (State.FLOODING, 56, TRAILING)


def test_the_rows_of_a_campaign_are_a_flood_in_quiet_weeks_and_quiet_rows_are_thin_in_a_campaign() -> None:
    history = [14] * 20 + [70] * 4 + [14] * 20
    once, twice = (AS_OF - 28 * WEEK,), (AS_OF - 28 * WEEK, AS_OF - 4 * WEEK)
    flood = health(company() | campaigns(*once, weeks=4) | {"tickets_history": tickets(weekly([*history, *[70] * 4]))})
    assert (flood.state, flood.rate.expected, flood.rate.compared_with) == (State.FLOODING, 56, SAME_PHASES)
    quiet = health(company() | campaigns(*twice, weeks=4) | {"tickets_history": tickets(weekly([*history, *[14] * 4]))})
    assert (quiet.state, quiet.rate.rows, quiet.rate.expected) == (State.THIN, 56, 280)


def test_a_campaign_like_none_before_is_not_judged_and_says_so() -> None:
    rows = {"tickets_history": tickets(weekly([14] * 44 + [70] * 4))}
    found = health(company() | campaigns(AS_OF - 4 * WEEK, weeks=4) | rows)
    assert (found.state, found.rate.rows, found.rate.expected) == (State.OK, 280, None)
    assert f"nothing to expect them from: {SAME_PHASES} are fewer than 3" in found.sentence


def test_without_a_calendar_a_season_is_compared_with_the_year_before() -> None:
    season = [7] * 12 + [70] * 8 + [7] * 46 + [70] * 4
    found = health({"tickets_history": tickets(weekly(season))})
    assert (found.state, found.rate.expected, found.rate.compared_with) == (State.OK, 280, YEAR_BEFORE)


def test_a_source_that_always_comes_in_bursts_is_not_blamed_for_one() -> None:
    found = health({"tickets_history": tickets(weekly([10, 10, 10, 200] * 8 + [10, 200, 10, 200]))})
    assert (found.rate.expected, found.rate.rows, found.state) == (40, 420, State.OK)


def test_a_first_load_of_years_of_history_is_compared_with_nothing() -> None:
    found = health({"tickets_history": tickets(weekly([5_00] + [10] * 3 + [10] * 4))})
    assert (found.state, found.rate.expected, found.rate.rows) == (State.OK, 40, 40)


def test_few_rows_are_told_but_not_judged() -> None:
    found = health({"tickets_history": tickets(weekly([4] * 30 + [0] * 3 + [4]))})
    assert (found.state, found.rate.rows, found.rate.expected) == (State.OK, 4, 16)
    assert "16 were expected from the 26 weeks before, under 20 and so not judged" in found.sentence


def test_a_source_that_lost_half_of_the_accounts_is_thin_though_its_rate_is_right() -> None:
    before, after = weekly([80] * 40, until=AS_OF - 8 * WEEK), weekly([80] * 8)
    whole = health(company() | {"tickets_history": tickets([*before, *after])})
    assert (whole.state, whole.share_told, whole.share_told_before) == (State.OK, 1.0, 1.0)
    part = tickets(before) + tickets(after, accounts=ACCOUNTS[:19], source="desk")
    found = health(company() | {"tickets_history": part})
    assert (found.state, found.share_told, found.share_told_before) == (State.THIN, 19 / 40, 1.0)
    assert found.sentence.startswith("it told of 48% of the accounts at risk in 8 weeks, before of 100%; ")
    half = tickets(before) + tickets(after, accounts=ACCOUNTS[:20], source="desk")
    assert health(company() | {"tickets_history": half}).state is State.OK


def test_a_table_that_names_no_account_has_no_completeness() -> None:
    days = [AS_OF - number * DAY for number in range(1, 20)]
    rates: list[Row] = [
        {"source_system": "bank", "currency": "EUR", "rate_on": day.date(), "available_at": day, "op": "upsert"}
        for day in days
    ]
    (found,) = (each for each in report(company() | {"fx_rates": rates}).sources if each.source_system == "bank")
    assert (found.table, found.share_told, found.share_told_before) == ("fx_rates", None, None)


def test_what_becomes_known_later_changes_nothing() -> None:
    # Law 1 for sources: late rows of old events, later campaigns, accounts, heartbeats, all known after the moment.
    rows = company() | campaigns(AS_OF - 28 * WEEK, weeks=4)
    rows["tickets_history"] = tickets(weekly([14] * 40 + [20] * 4))
    rows["source_heartbeats"] = [_heartbeat(AS_OF - DAY, AS_OF - DAY, ok="true")]
    then = report(rows)
    later = AS_OF + timedelta(minutes=1)
    new: dict[str, list[Row]] = company(("b1", "b2")) | campaigns(AS_OF - 4 * WEEK, AS_OF - 12 * WEEK, weeks=4)
    late = {name: [{**row, "available_at": later, "op": "upsert"} for row in each] for name, each in new.items()}
    late["tickets_history"] = [
        {**row, "available_at": later, "ticket_id": f"late-{number}"}
        for number, row in enumerate(tickets(weekly([50] * 44), source="desk"))
    ]
    late["source_heartbeats"] = [_heartbeat(AS_OF - timedelta(hours=1), later, ok="false")]
    told = {name: [_dated(row) for row in rows.get(name, [])] + late.get(name, []) for name in {*rows, *late}}
    assert report(told) == then
    assert report(told, as_of=later) != then, "or the rows would not count at all"


def test_a_calendar_that_becomes_known_later_does_not_change_what_was_compared() -> None:
    rows = company() | {"tickets_history": tickets(weekly([14] * 44))}
    later = {
        name: [{**row, "available_at": AS_OF + DAY} for row in each]
        for name, each in campaigns(AS_OF - 4 * WEEK, weeks=4).items()
    }
    then = health(rows)
    assert (then.rate.compared_with, health(rows | later)) == (TRAILING, then)
    assert health(rows | later, as_of=AS_OF + WEEK).rate.compared_with == SAME_PHASES


def test_counts_gaps_and_expectations_are_those_of_plain_python() -> None:
    for seed in range(4):
        random = Random(seed)  # noqa: S311 - no secret
        moments = [AS_OF - timedelta(minutes=random.randrange(-20_000, 60 * 24 * 300)) for _ in range(900)]
        # Rows exactly on the edges of weeks, another number on each.
        moments += [AS_OF - number * WEEK for number in range(20) for _ in range(random.randrange(30))]
        as_of = AS_OF + timedelta(hours=random.randrange(0, 160))
        rows = {"tickets_history": tickets(moments)}
        for name, each in company(ACCOUNTS[25:30], since=AS_OF - 100 * DAY).items():
            rows[name] = company(ACCOUNTS[:25])[name] + each  # too new to be at risk
        found = health(rows, as_of=as_of)
        assert _counted(found) == _oracle(moments, as_of), seed


def _counted(found: SourceHealth) -> dict[str, Any]:
    return {
        "newest": found.newest_available_at,
        "age": found.age_days,
        "gap": found.usual_gap_days,
        "rows": found.rate.rows,
        "expected": found.rate.expected,
        "share": found.share_told,
        "before": found.share_told_before,
    }


def _oracle(moments: list[datetime], as_of: datetime) -> dict[str, Any]:
    known = [(at, ACCOUNTS[number % 40]) for number, at in enumerate(moments) if at <= as_of]
    days = sorted({at.date() for at, _ in known})
    gaps = sorted((b - a).days for a, b in pairwise(days))
    counts = Counter(ceil((at - AS_OF) / WEEK) for at, _ in known)  # 0: the week that ends with AS_OF
    told = [
        {name for at, name in known if AS_OF - (back + 8) * WEEK < at <= AS_OF - back * WEEK and name < "a25"}
        for back in range(0, 56, 8)
    ]
    whole = sum(AS_OF - back * WEEK >= _first_monday(known) for back in range(8, 64, 8))
    return {
        "newest": max(at for at, _ in known),
        "age": (as_of.date() - days[-1]).days,
        "gap": gaps[ceil(0.95 * len(gaps)) - 1],
        "rows": sum(counts[-back] for back in range(4)),
        "expected": 4 * median(counts[-back] for back in range(4, 30)),
        "share": len(told[0]) / 25,
        "before": median(len(each) / 25 for each in told[1:whole]),
    }


def _first_monday(known: list[tuple[datetime, str]]) -> datetime:
    day: date = (min(at for at, _ in known) - timedelta(microseconds=1)).date()
    return datetime.combine(day - timedelta(days=day.weekday()), time(), UTC)


def test_corrections_and_tombstones_are_deliveries() -> None:
    first = tickets(every(1, age=9))
    again = [
        {**row, "available_at": AS_OF - DAY, "op": op} for row, op in zip(first, ("upsert", "delete"), strict=False)
    ]
    found = health({"tickets_history": [*first, *again]})
    assert (found.age_days, found.rate.rows) == (1, 28 - 9 + 1 + 2)


def test_each_source_of_a_table_is_judged_for_itself_and_the_worst_stands_first() -> None:
    rows = tickets(every(1, age=1), source="well") + tickets(every(1, age=9), source="ill")
    found = report({"tickets_history": rows}, ill="Ada")
    assert [(each.source_system, each.state, each.steward) for each in found.sources] == [
        ("ill", State.SILENT, "Ada"),
        ("well", State.OK, None),
    ]


def _heartbeat(watermark: datetime, known: datetime, *, ok: str) -> Row:
    return {
        "source_system": "desk",
        "heartbeat_id": f"{watermark:%j%H}",
        "table_name": "tickets_history",
        "watermark_at": watermark,
        "available_at": known,
        "steward_id": "desk lead",
        "ok": ok,
    }


def _dated(row: Row) -> Row:
    at = row.get("valid_from", row.get("known_from"))
    return {**row, "available_at": row.get("available_at", at), "op": "upsert"}


@pytest.mark.parametrize(("ok", "state"), [("true", State.OK), ("false", State.LATE), ("-", State.OK)])
def test_a_source_that_calls_itself_unwell_is_believed(ok: str, state: State) -> None:
    beats = [_heartbeat(AS_OF - 3 * DAY, AS_OF, ok="false"), _heartbeat(AS_OF - 2 * DAY, AS_OF, ok=ok)]
    rows = {"tickets_history": tickets(every(1, age=1)), "source_heartbeats": beats}
    (found,) = report(rows).sources
    assert (found.state, found.complete_until, found.steward) == (state, AS_OF - 2 * DAY, "desk lead")
    assert found.sentence.startswith("its own heartbeat says that it is not well; ") is (state is State.LATE)
    assert report(rows, desk="Ada").sources[0].steward == "Ada"


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_means_the_same_on_both_engines(query: str) -> None:
    assert portability_faults(query.format(table="tickets_history")) == []
