"""Made-up contracts that are renewed, repriced and corrected, accounts abroad, and rates of exchange: late, revised."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, FIRST, Row, moment, state

EARLY = FIRST - timedelta(weeks=20)
LAST = timedelta(weeks=85)
"""From EARLY to after the last Monday that a test looks at."""


def term_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of accounts, contracts, lines and rates by name; one contract per account."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    return {
        "accounts_history": [_account(random, name) for name in ACCOUNTS],
        "contracts_history": [row for name in ACCOUNTS for row in _contract(random, name)],
        "subscription_lines_history": [row for name in ACCOUNTS for row in _line(random, name)],
        "fx_rates": _rates(random),
    }


def _account(random: Random, name: str) -> Row:
    country = random.choice(("US", "JP", "DE", None))
    return {
        "account_id": name,
        "valid_from": EARLY,
        "available_at": EARLY,
        "segment": "agency" if name == "a3" else "studio",
        "hq_tz": "UTC",
        "country": country,
    }


def _contract(random: Random, name: str) -> list[Row]:
    begin, months = EARLY, random.choice((6, 9, 12))
    cells = {"contract_id": f"c-{name}", "account_id": name, "term_months": months, "op": "upsert"}
    currency, automatic, rows = random.choice(("USD", "EUR")), random.choice((True, False, False)), []
    while begin < EARLY + LAST:
        after = begin + timedelta(weeks=4 * months)
        term = {
            **cells,
            "signed_on": random.choice((None, *[(begin + timedelta(days=days)).date() for days in (-30, -3, 12)])),
            "start_on": begin.date(),
            "end_on": (after - timedelta(days=random.choice((1, 1, 8)))).date(),
            "currency": currency,
            "acv_minor": random.randrange(50_000, 90_000),
            "auto_renew": automatic,
        }
        first = state(random, begin, **term)
        rows.append(first if rows else {**first, "available_at": begin})
        for _ in range(random.randrange(0, 3)):
            at = moment(random, after=begin, within=after - begin)
            automatic = random.choice((True, automatic, automatic, None))
            acv = random.choice((term["acv_minor"], random.randrange(50_000, 90_000)))
            rows.append(state(random, at, **term | {"acv_minor": acv, "auto_renew": automatic}))
        automatic = random.choice((True, False, False))
        currency = random.choice((currency, currency, currency, "USD"))
        begin = after
    return rows


def _line(random: Random, name: str) -> list[Row]:
    cells = {"line_id": f"l-{name}", "contract_id": f"c-{name}", "product_sku": "suite"}
    rows: list[Row] = [{"valid_from": EARLY, "available_at": EARLY, "op": "upsert", **cells, "quantity": 20}]
    for _ in range(3):
        at = moment(random, after=EARLY, within=LAST)
        rows.append(state(random, at, **cells, quantity=random.randrange(5, 40)))
    return rows


def _rates(random: Random) -> list[Row]:
    rows: list[Row] = []
    for currency, usual in (("USD", 1.0), ("EUR", 1.1), ("JPY", 0.007)):
        at: datetime = EARLY - timedelta(weeks=20)
        while at < EARLY + LAST:
            rate = round(usual * random.uniform(0.8, 1.25), 6)
            row = {"currency": currency, "rate_on": at.date(), "to_reporting": rate}
            known = at + timedelta(days=random.choice((1, 1, 2, 20)))
            rows.append({**row, "available_at": known})
            if random.random() < 0.2:
                rows.append({**row, "to_reporting": round(rate * 1.01, 6), "available_at": known + timedelta(days=9)})
            at += timedelta(days=random.choice((7, 7, 7, 40)))
    return rows
