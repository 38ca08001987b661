"""Made-up accounts and contracts that change: moved, re-signed, noticed, corrected, and all of it known late."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from tests.features.made_up_rows import ACCOUNTS, FIRST, Row, event, moment, state

EARLY = FIRST - timedelta(weeks=30)
SAYINGS = ("notice_given", "notice_withdrawn", "renewed", "cancelled", "expanded", "expired")


def company_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of accounts, contracts, lines and contract events by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    return {
        "accounts_history": [row for name in ACCOUNTS for row in _account(random, name)],
        "contracts_history": [row for name in ACCOUNTS for row in _contract(random, name)],
        "subscription_lines_history": [row for name in ACCOUNTS for row in _lines(random, name)],
        "contract_events": [row for name in ACCOUNTS for row in _sayings(random, name)],
    }


def _first(**cells: Any) -> Row:
    return {"valid_from": EARLY, "available_at": EARLY, "op": "upsert", **cells}


def _later(random: Random) -> datetime:
    return moment(random, after=EARLY, within=timedelta(weeks=80))


def _account(random: Random, name: str) -> list[Row]:
    cells = {"account_id": name, "segment": random.choice(("studio", "agency")), "hq_tz": "UTC", "country": "US"}
    rows = [_first(**cells)]
    for _ in range(random.randrange(0, 2)):
        zone = random.choice(("Asia/Tokyo", "America/New_York"))
        rows.append(state(random, _later(random), **cells | {"segment": "studio", "hq_tz": zone}))
    return rows


def _contract(random: Random, name: str) -> list[Row]:
    end = random.choice((None, date(2026, 12, 31), FIRST.date() + timedelta(days=random.randrange(100, 500))))
    cells = {
        "contract_id": f"c-{name}",
        "account_id": name,
        "start_on": EARLY.date(),
        "end_on": end,
        "term_months": random.choice((None, 12, 24)),
        "notice_period_days": random.choice((None, 30, 90)),
        "auto_renew": random.choice((None, True, False)),
        "currency": "USD",
        "acv_minor": 1_000_000,
    }
    rows = [_first(**cells)]
    for _ in range(random.randrange(0, 3)):
        rows.append(state(random, _later(random), **cells | {"end_on": date(2027, 6, 30), "acv_minor": 1_200_000}))  # noqa: PERF401
    return rows


def _lines(random: Random, name: str) -> list[Row]:
    cells = {"line_id": f"l-{name}", "contract_id": f"c-{name}", "product_sku": "suite", "quantity": 20}
    rows = [_first(**cells)]
    rows += [state(random, _later(random), **cells | {"quantity": random.choice((2, 15, 30))}) for _ in range(2)]
    return rows


def _sayings(random: Random, name: str) -> list[Row]:
    rows: list[Row] = []
    for number in range(random.randrange(0, 4)):
        at = _later(random)
        rows += event(
            random,
            at,
            {"type": SAYINGS},
            contract_event_id=f"{name}-{number}",
            contract_id=f"c-{name}",
            account_id=name,
            type=random.choice(SAYINGS),
            effective_on=at.date() + timedelta(days=random.randrange(-5, 200)),
        )
    return rows
