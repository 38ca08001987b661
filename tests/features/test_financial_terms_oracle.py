"""Are the features of terms what plain Python finds, Monday by Monday, in what was known of contracts and rates?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import log
from typing import Any

import pytest

from tests.features.made_up_rows import FIRST, Row, known_states, text_table
from tests.features.made_up_terms import EARLY, term_rows
from tests.features.view_case import view_rows

Tables = dict[str, list[Row]]
WEEK = timedelta(weeks=1)
OWN = {"US": "USD", "JP": "JPY", "DE": "EUR"}
SEEDS = (1, 2, 3, 4)


class Known:
    """What was known of contracts at each Monday up to one, and of rates and accounts at that one."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.as_of = as_of
        mondays = [EARLY + number * WEEK for number in range((as_of - EARLY) // WEEK + 1)]
        self.contracts = [by(tables["contracts_history"], "contract_id", monday) for monday in mondays]
        self.lines = [by(tables["subscription_lines_history"], "contract_id", monday) for monday in mondays]
        self.rates = [row for row in tables["fx_rates"] if row["available_at"] <= as_of]
        self.countries = {row["account_id"]: row["country"] for row in tables["accounts_history"]}

    def rate(self, currency: str, day: date) -> float | None:
        """The latest rate of the month up to a day."""
        found = [
            row
            for row in self.rates
            if row["currency"] == currency and day - timedelta(days=31) < row["rate_on"] <= day
        ]
        last = max(found, key=lambda row: (row["rate_on"], row["available_at"]), default=None)
        return last["to_reporting"] if last else None


def by(rows: list[Row], name: str, as_of: datetime) -> dict[str, Row]:
    return {row[name]: row for row in known_states(rows, name, as_of)}


def expected_features(known: Known, account: str) -> dict[str, float | None]:
    contract = known.contracts[-1][contract_of(known, account)]
    name = contract["contract_id"]
    past = [
        (states[name]["start_on"], number)
        for number, states in enumerate(known.contracts)
        if name in states and states[name]["start_on"] < contract["start_on"]
    ]
    before = max(past, default=None)
    term = known.contracts[before[1]][name] if before else None
    year = [states.get(name, {}).get("auto_renew") for states in known.contracts[-27:]]
    told = len(year) == 27 and None not in year
    late = (contract["signed_on"] - term["end_on"]).days if term and contract["signed_on"] else None
    return {
        "price_per_seat_change": price_change(known, contract, term, before[1]) if term and before else None,
        "auto_renew_off": (1.0 if not any(year) else 0.0) if told else None,
        "renewal_signed_late_days": late,
        "billing_currency_change_w13": currency_change(known, contract["currency"], known.countries[account]),
    }


def contract_of(known: Known, account: str) -> str:
    return next(name for name, row in known.contracts[-1].items() if row["account_id"] == account)


def price_change(known: Known, now: Row, then: Row, week: int) -> float | None:
    name = now["contract_id"]
    if now["currency"] != then["currency"]:
        return None
    seats, seats_then = known.lines[-1][name]["quantity"], known.lines[week][name]["quantity"]
    return log((now["acv_minor"] / seats) / (then["acv_minor"] / seats_then))


def currency_change(known: Known, billed: str, country: str | None) -> float | None:
    own = OWN.get(country or "")
    if own is None or own == billed:
        return None if own is None else 0.0
    today = known.as_of.date()
    rates = [known.rate(name, day) for day in (today, today - 13 * WEEK) for name in (billed, own)]
    if None in rates:
        return None
    now, own_now, then, own_then = (rate or 0 for rate in rates)
    return log((now / own_now) / (then / own_then))


@pytest.mark.parametrize("seed", SEEDS)
def test_terms_are_what_plain_python_finds(seed: int) -> None:
    tables = term_rows(seed)
    as_ofs = [f"{(FIRST + timedelta(weeks=week)).date()}" for week in (3, 9, 17, 23, 31, 37, 50, 60)]
    found: list[dict[str, Any]] = view_rows(
        "financial", {n: text_table(rows) for n, rows in tables.items()}, as_of=as_ofs
    )
    assert len(found) > 8
    for row in found:
        for name, value in expected_features(Known(tables, row["as_of"]), row["account_id"]).items():
            assert row[name] == pytest.approx(value, abs=1e-9), (row["account_id"], row["as_of"].date(), name)
