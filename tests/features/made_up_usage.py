"""Made-up usage, seats and campaigns of the made-up company: late, corrected, taken back, revised."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, FIRST, WEEKS, Row, event, moment, state

FAMILIES = ("core", "core", "collab", "review", "ai")
USERS = tuple(f"u{number}" for number in range(5))
PHASE_DAYS = {"pre_days": 28, "post_days": 42}


def usage_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of usage, seats and campaigns by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    return {
        "usage_daily": _day_totals(random),
        "usage_events": _named(Random(seed + 7_000), _events(random)),  # noqa: S311
        "seat_assignments_history": _seats(random),
        "campaign_instances_history": _instances(random),
        "account_campaigns_history": _participations(random),
    }


def _day_totals(random: Random) -> list[Row]:
    rows: list[Row] = []
    for account in ACCOUNTS:
        for day in range(WEEKS * 7):
            if random.random() < 0.35:
                rows += _day(random, account, FIRST + timedelta(days=day))
    return rows


def _day(random: Random, account: str, at: datetime) -> list[Row]:
    # One account works three times as much in the second half, so that baselines move.
    scale = 3 if account == "a2" and at > FIRST + timedelta(weeks=WEEKS // 2) else 1
    user, family = random.choice((*USERS, None)), random.choice(FAMILIES)
    return event(
        random,
        at,
        {"events": (0, 1, 50), "sessions": (1, 4)},
        account_id=account,
        user_key=user,
        product_sku="suite",
        feature_code=family,
        usage_date=at.date(),
        events=scale * random.randrange(0, 30),
        sessions=random.choice((None, 1, 2)),
        active_minutes=random.choice((None, 7.25, 30.0)),
    )


def _events(random: Random) -> list[Row]:
    rows: list[Row] = []
    for number in range(60):
        at = moment(random)
        cells = {"account_id": random.choice(ACCOUNTS), "user_key": random.choice(USERS), "action": "do"}
        rows += event(
            random,
            at,
            {"duration_s": (1.0, 90.0)},
            event_id=f"e{number}",
            product_sku=random.choice(("suite", "plugin")),
            feature_code="x",
            feature_family=random.choice(FAMILIES),
            session_id=random.choice((None, f"s{number}", "s")),
            duration_s=random.choice((None, 12.5, 40.0)),
            **cells,
        )
    return rows


def _named(random: Random, rows: list[Row]) -> list[Row]:
    # The projects and assets of the made-up production; a correction may name others.
    return [
        row
        | {
            "project_key": random.choice((None, f"p{random.randrange(18)}")),
            "asset_key": random.choice((None, f"s{random.randrange(8)}")),
        }
        for row in rows
    ]


def _seats(random: Random) -> list[Row]:
    rows: list[Row] = []
    for number in range(24):
        assigned = moment(random)
        cells = {"seat_id": f"s{number}", "account_id": random.choice(ACCOUNTS), "user_key": random.choice(USERS)}
        role = random.choice(("creator", "creator", "freelancer"))
        rows.append(state(random, assigned, role=role, assigned_at=assigned, **cells))
        if random.random() < 0.4:
            revoked = moment(random, after=assigned, within=timedelta(weeks=30))
            rows.append(state(random, revoked, role=role, assigned_at=assigned, revoked_at=revoked, **cells))
    return rows


def _instances(random: Random) -> list[Row]:
    rows: list[Row] = []
    for number in range(6):
        first = FIRST.date() + timedelta(days=random.randrange(-60, WEEKS * 7))
        for belief in range(random.randrange(1, 3)):
            moved = first + timedelta(days=random.choice((0, 7, -10)) if belief else 0)
            rows.append(_instance(random, number, moved))
    return rows


def _instance(random: Random, number: int, first: date) -> Row:
    at = moment(random, after=FIRST - timedelta(weeks=20), within=timedelta(weeks=40))
    known = state(random, at)
    del known["valid_from"]
    return known | {
        "known_from": at,
        "campaign_instance_id": f"i{number}",
        "campaign_id": f"c{number % 2}",
        "label": f"Campaign {number}",
        "active_start_local": first,
        "active_end_local": first + timedelta(days=random.choice((6, 13, 27))),
        "tz_policy": "event_tz",
        "event_tz": random.choice(("America/New_York", "Asia/Tokyo")),
        "status": random.choice(("confirmed", "confirmed", "confirmed", "cancelled")),
        **PHASE_DAYS,
    }


def _participations(random: Random) -> list[Row]:
    rows: list[Row] = []
    for account in ACCOUNTS[:2]:
        for number in range(6):
            if random.random() < 0.2:
                continue
            for _ in range(random.randrange(1, 3)):
                at = moment(random, after=FIRST - timedelta(weeks=20), within=timedelta(weeks=40))
                known = state(random, at, account_id=account, campaign_instance_id=f"i{number}")
                del known["valid_from"]
                kind = random.choice(("declared", "inferred", "declared", "declined"))
                rows.append(
                    known | {"known_from": at, "participation": kind, "confidence": random.choice((0.3, 0.8, 1.0))}
                )
    return rows
