"""Which rows of a dirty company speak of nobody's health: test accounts, old ids of merged ones, scripts on seats?

Grain out: rows of canonical tables that `campaign` does not write, and the tables `account_aliases` and `fx_rates`.
"""

from __future__ import annotations

import numpy as np

from features.simulator.company import Company
from features.simulator.contracts import PRODUCTS
from features.simulator.dirty_accounts import CURRENCIES, DOLLARS, OLD_PREFIX, DirtyAccounts
from features.simulator.entities import HQ_TZ
from features.simulator.special_laws import DirtLaw, some_of
from features.simulator.timeline import NEVER, Ints
from features.simulator.world import SEGMENTS
from features.simulator.writer import CanonicalWriter, Coded, micros

_RATE_EVERY_DAYS = 7
_BOT_EVENTS = 4000
_TEST_SEATS = 10
_TEST_VALUE = 1_200_000


def write_strangers(writer: CanonicalWriter, company: Company, law: DirtLaw, dirty: DirtyAccounts) -> dict[str, int]:
    """Write the rows; how many of each kind."""
    return {
        "test account": _write_test_accounts(writer, company, law),
        "old id": _write_old_ids(writer, company, dirty),
        "bot": _write_bots(writer, company, dirty),
        "rate": _write_rates(writer, company),
    }


def _write_test_accounts(writer: CanonicalWriter, company: Company, law: DirtLaw) -> int:
    count = some_of(law.test_accounts, len(company.accounts))
    names, contracts = ([f"{letters}-test-{number:03d}" for number in range(count)] for letters in ("acc", "ct"))
    first = np.full(count, company.time.first_day)
    who = Coded(np.arange(count, dtype=np.int32), names)
    contract = Coded(np.arange(count, dtype=np.int32), contracts)
    state = {"account_id": who, "valid_from": micros(first)}
    writer.append(
        "accounts_history",
        count,
        state
        | {
            "name": "Test, please ignore",
            "segment": "agency",
            "hq_tz": HQ_TZ[0],
            "is_internal": False,
            "is_test": True,
        },
    )
    term = {"start_on": first, "end_on": first + 364, "term_months": 12, "auto_renew": True, "notice_period_days": 56}
    value = {"currency": "USD", "acv_minor": _TEST_VALUE, "tcv_minor": _TEST_VALUE}
    writer.append("contracts_history", count, state | term | value | {"contract_id": contract})
    writer.append(
        "subscription_lines_history",
        count,
        {
            "line_id": Coded(np.arange(count, dtype=np.int32), [f"ln-test-{number:03d}" for number in range(count)]),
            "valid_from": micros(first),
            "contract_id": contract,
            "product_sku": PRODUCTS[-1],
            "quantity": _TEST_SEATS,
            "usage_type": "licensed",
        },
    )
    days = np.tile(np.arange(7 * company.time.weeks), count)
    account = np.repeat(np.arange(count), 7 * company.time.weeks)
    _write_usage(writer, Coded(account, names), days=company.time.first_day + days, user="tester", family="core")
    return 3 * count + len(days)


def _write_old_ids(writer: CanonicalWriter, company: Company, dirty: DirtyAccounts) -> int:
    who = np.flatnonzero(dirty.merged_on < NEVER)
    accounts, count = company.accounts, len(who)
    old = [OLD_PREFIX + accounts.ids[place] for place in who]
    cells = {
        "account_id": old,
        "name": [accounts.names[place] for place in who],
        "segment": Coded(accounts.segment[who], SEGMENTS),
        "hq_tz": Coded(accounts.hq[who], HQ_TZ),
    }
    merged = {"acquired_by_account_id": [accounts.ids[place] for place in who]}
    writer.append("accounts_history", count, cells | {"valid_from": micros(accounts.first_start[who] - 20)})
    later = np.maximum(dirty.merged_on[who], accounts.first_start[who])
    writer.append("accounts_history", count, cells | merged | {"valid_from": micros(later)})
    writer.append(
        "account_aliases",
        count,
        {
            "source_account_key": old,
            "account_id": [accounts.ids[place] for place in who],
            "match_rule": "merge",
            "confidence": 1.0,
            "valid_from": micros(later),
        },
    )
    return 3 * count


def _write_bots(writer: CanonicalWriter, company: Company, dirty: DirtyAccounts) -> int:
    written = 0
    for account in np.flatnonzero(dirty.bot):
        weeks = np.flatnonzero(company.live[account])
        days = (company.time.monday(weeks)[:, None] + np.arange(7)[None, :]).ravel()
        name = Coded(np.zeros(len(days), dtype=np.int32), [company.accounts.ids[account]])
        _write_usage(writer, name, days=days, user=f"svc-{account:05d}", family="automation")
        written += len(days)
    return written


def _write_usage(writer: CanonicalWriter, account: Coded, *, days: Ints, user: str, family: str) -> None:
    writer.append(
        "usage_daily",
        len(days),
        {
            "account_id": account,
            "user_key": user,
            "product_sku": PRODUCTS[-1],
            "feature_code": family,
            "usage_date": days,
            "tz": "UTC",
            "sessions": 1,
            "active_minutes": 1440.0,
            "events": _BOT_EVENTS,
            "available_at": micros(days + 1.25),
        },
    )


def _write_rates(writer: CanonicalWriter, company: Company) -> int:
    days = np.arange(company.time.first_day - 7 * 52, company.time.end_day, _RATE_EVERY_DAYS)
    currency = np.repeat(np.arange(len(CURRENCIES)), len(days))
    noise = company.streams.named("dirt/rates").standard_normal(len(currency))
    value = DOLLARS[currency] * np.where(currency > 0, 1 + 0.01 * noise, 1.0)
    writer.append(
        "fx_rates",
        len(currency),
        {
            "currency": Coded(currency, CURRENCIES),
            "rate_on": np.tile(days, len(CURRENCIES)),
            "to_reporting": np.round(value, 6),
            "available_at": micros(np.tile(days, len(CURRENCIES)) + 1.25),
        },
    )
    return len(currency)
