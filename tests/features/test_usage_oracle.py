"""Windows, distinct users, baselines and expectations of the SQL steps against a plain-Python count of known rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from math import floor, log
from typing import Any

import pytest

from features.campaigns import windows_from
from tests.features.known_usage import Use
from tests.features.made_up_rows import ACCOUNTS, COMPANY, FIRST, known_states, text_table
from tests.features.made_up_usage import usage_rows
from tests.features.sql_case import rows_of
from tests.features.usage_oracle import Done, World
from tests.features.view_case import view_rows

SEEDS = (1, 2, 3)
AS_OFS = [FIRST + timedelta(weeks=week) for week in (2, 9, 20, 31, 45, 58, 64)]
SEATS = 20
ADVANCED = ("review", "export", "asset_mgmt", "automation", "ai")


@cache
def world(seed: int) -> World:
    tables = usage_rows(seed)
    read = {
        name: rows_of(name, text_table(rows)).to_pylist()
        for name, rows in (COMPANY | tables).items()
        if name in ("campaign_instances_history", "account_campaigns_history", "accounts_history")
    }
    segments = {row["account_id"]: row["segment"] for row in COMPANY["accounts_history"]}
    windows = list(windows_from({"campaigns": [], **read}))
    return World(tables, windows, segments=segments, seats=SEATS, span=(FIRST, AS_OFS[-1]))


@cache
def engagement(seed: int) -> dict[tuple[str, datetime], dict[str, Any]]:
    tables = {name: text_table(rows) for name, rows in (COMPANY | usage_rows(seed)).items()}
    rows = view_rows("engagement", tables, as_of=[f"{as_of.date()}" for as_of in AS_OFS])
    assert len(rows) == len(AS_OFS) * len(ACCOUNTS)
    return {(row["account_id"], row["as_of"]): row for row in rows}


def users(uses: list[Use]) -> set[str | None]:
    return {use.user for use in uses} - {None}


def seat_weeks(uses: list[Use]) -> int:
    return len({(use.user, use.week) for use in uses if use.user is not None})


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def total(uses: list[Use], *families: str) -> int:
    return sum(use.events for use in uses if use.family in families or not families)


def advanced_days(uses: list[Use], user: str | None) -> set[date]:
    return {use.day for use in uses if use.user == user and use.family in ADVANCED}


def counted(known: World, account: str, as_of: datetime) -> dict[str, float | None]:
    month, quarter = known.uses(account, as_of, 4), known.uses(account, as_of, 13)
    last_year = known.uses(account, as_of, 4, before=52)
    had_use = bool(known.ever_known(account, as_of - timedelta(weeks=56)))
    work = seat_weeks(month)
    minutes, sessions = sum(use.seconds for use in month) / 60, sum(use.sessions for use in month)
    by_family = {use.family: users([each for each in quarter if each.family == use.family]) for use in quarter}
    user_days = {(use.user, use.day) for use in month if use.user is not None}
    seen = known.ever_known(account, as_of)
    core_days = [use.day for use in seen if use.family == "core"]
    relying = [user for user in users(month) if len(advanced_days(month, user)) >= 4]
    always = {
        "active_seat_ratio_w4": len(users(month)) / SEATS,
        "feature_breadth_w13": sum(len(each) >= 2 for each in by_family.values()),
        "days_since_last_core": min(90, (as_of.date() - max(core_days, default=date(2000, 1, 1))).days),
    }
    return {name: value if seen else None for name, value in always.items()} | {
        "core_events_per_active_seat_w4": over(total(month, "core"), work),
        "active_minutes_per_seat_w4": over(minutes, work) if minutes else None,
        "sessions_per_active_seat_w4": over(sessions, work) if sessions else None,
        "stickiness_w4": over(len(user_days) / 28, len(users(month))),
        "collab_share_w13": over(total(quarter, "collab"), total(quarter)),
        "embedded_user_share_w4": over(len(relying), len(users(month))),
        "active_seats_yoy": log((work + 0.5) / (seat_weeks(last_year) + 0.5)) if had_use and last_year else None,
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_windows_and_distinct_users_equal_a_count_of_the_rows_known(seed: int) -> None:
    known = world(seed)
    for (account, as_of), row in engagement(seed).items():
        for name, value in counted(known, account, as_of).items():
            assert row[name] == pytest.approx(value, abs=1e-9), (name, account, as_of)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_to_be_expected_equals_the_definition_worked_out_week_by_week(seed: int) -> None:
    known = world(seed)
    seen = 0
    for (account, as_of), row in engagement(seed).items():
        for name, weeks, measure in (
            ("usage_par_w4", 4, "core"),
            ("usage_par_w13", 13, "core"),
            ("collab_par_w8", 8, "collab"),
            ("collab_par_w26", 26, "collab"),
            ("active_seats_par_w4", 4, "users"),
        ):
            value = known.par(account, as_of, weeks, measure)
            seen += value is not None
            assert row[name] == pytest.approx(value, abs=1e-6), (name, account, as_of)
        against_segment = known.segment_par(account, as_of, 26)
        # A level on the edge between two thousandths may be rounded either way.
        assert row["active_seats_par_w26"] == pytest.approx(against_segment, abs=1e-4), (account, as_of)
    assert seen > 60


def silence(known: World, seats: list[dict[str, Any]], account: str, as_of: datetime) -> int | None:
    freelancers = {
        row["user_key"]
        for row in known_states(seats, "seat_id", as_of)
        if row["role"] == "freelancer" and row["account_id"] == account
    }
    work: dict[str, int] = {}
    for use in known.uses(account, as_of, 26, before=4):
        if use.family == "core" and use.user is not None and use.user not in freelancers:
            work[use.user] = work.get(use.user, 0) + use.events
    best = sorted(work, key=lambda user: (-work[user], user))[:3]
    seen = known.ever_known(account, as_of)
    return max(
        (min(60, (as_of.date() - max(use.day for use in seen if use.user == user)).days) for user in best), default=None
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_champions_equal_a_ranking_of_the_users_known(seed: int) -> None:
    known, seats = world(seed), usage_rows(seed)["seat_assignments_history"]
    for (account, as_of), row in engagement(seed).items():
        assert row["champion_inactive_days"] == silence(known, seats, account, as_of)


def waits(known: World, seats: list[dict[str, Any]], account: str, as_of: datetime) -> list[int]:
    found = []
    for seat in known_states(seats, "seat_id", as_of):
        assigned = seat["assigned_at"]
        gone = seat.get("revoked_at") is not None and seat["revoked_at"] <= as_of
        monday = (assigned - timedelta(days=assigned.weekday())).replace(hour=0, minute=0)
        if seat["account_id"] != account or gone or not monday < as_of < monday + timedelta(weeks=27):
            continue
        days = [
            use.day
            for use in known.ever_known(account, as_of)
            if use.user == seat["user_key"] and use.family == "core" and use.day >= assigned.date()
        ]
        found.append((min(days, default=as_of.date()) - assigned.date()).days)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_seats_equal_a_count_of_the_states_known(seed: int) -> None:
    known, seats = world(seed), usage_rows(seed)["seat_assignments_history"]
    for (account, as_of), row in engagement(seed).items():
        found = waits(known, seats, account, as_of)
        assert row["seat_adoption_lag_days_w26"] == (pytest.approx(sum(found) / len(found)) if found else None)
        held = [
            seat
            for seat in known_states(seats, "seat_id", as_of)
            if seat["account_id"] == account and not (seat.get("revoked_at") and seat["revoked_at"] <= as_of)
        ]
        tries = [len(advanced_days(known.uses(account, as_of, 1000), seat["user_key"])) for seat in held]
        told = held and known.ever_known(account, as_of)
        shallow = sum(days <= 1 for days in tries)
        assert row["trial_only_seat_share"] == (pytest.approx(shallow / len(held)) if told else None)
        ever = any(
            row["account_id"] == account and max(row["valid_from"], row["available_at"]) <= as_of for row in seats
        )
        assert row["unassigned_seat_share"] == (pytest.approx((SEATS - len(held)) / SEATS) if ever else None)


def weekly_pars(known: World, account: str, as_of: datetime) -> list[int | None]:
    """usage_par of every week over, as known when it closed, in millionths."""
    pars: list[int | None] = []
    for week in known.closed(as_of):
        expected = known.expected(account, week) if known.is_measured(account, week) else None
        done = known.weekly[week + timedelta(weeks=1)].get((account, week), Done())
        par = expected and log((1000 * done.core + 500) / (expected.core + 500))
        pars.append(None if par is None else floor(1_000_000 * par + 0.5))
    return pars


def low_weeks(pars: list[int | None]) -> int | None:
    """How many of the last 13 are under the 20th percentile of the 52 before each of them."""
    low: list[bool] = []
    for place in range(max(0, len(pars) - 13), len(pars)):
        par, before = pars[place], sorted(each for each in pars[max(0, place - 52) : place] if each is not None)
        if par is not None and len(before) >= 26:
            # The smallest value that at least a fifth of them do not exceed.
            low.append(par < before[-(-len(before) // 5) - 1])
    return sum(low) if len(low) >= 8 else None


@pytest.mark.parametrize("seed", SEEDS)
def test_weak_weeks_equal_a_percentile_of_the_weeks_before(seed: int) -> None:
    known = world(seed)
    found = {
        (account, as_of): (row["low_usage_weeks_w13"], low_weeks(weekly_pars(known, account, as_of)))
        for (account, as_of), row in engagement(seed).items()
    }
    assert {key: pair for key, pair in found.items() if pair[0] != pair[1]} == {}
    assert len({value for value, _ in found.values()} - {None}) > 2
