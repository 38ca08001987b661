"""Which accounts have which trouble in their files?

Grain out: one position per account in every array. Numbers are exact shares of the accounts (at least one account where
the share is not 0), so that a small company has every trouble, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.simulator.company import Company
from features.simulator.special_laws import DirtLaw, some_of
from features.simulator.timeline import NEVER, Flags, Floats, Ints

CURRENCIES = ("USD", "EUR", "GBP", "JPY")
DOLLARS = np.asarray((1.0, 1.10, 1.25, 0.007))
"""What one major unit is worth; round numbers near those of the simulated years."""
MINOR_PER_MAJOR = np.asarray((100, 100, 100, 1))
OLD_PREFIX = "old-"


@dataclass(frozen=True, slots=True)
class DirtyAccounts:
    """Trouble per account; ``merged_on`` is the day from which the old id is history (NEVER = no old id)."""

    naive_time: Flags
    no_production: Flags
    no_surveys: Flags
    bot: Flags
    merged_on: Ints
    currency: Ints

    @property
    def old_until(self) -> Ints:
        """Day before which each account went by its old id; -NEVER where it has none."""
        return np.where(self.merged_on < NEVER, self.merged_on, -NEVER)

    def factor(self) -> Floats:
        """Minor units of each account's currency for one US cent."""
        return np.asarray(MINOR_PER_MAJOR[self.currency] / (100 * DOLLARS[self.currency]), dtype=np.float64)


def draw_dirty_accounts(company: Company, law: DirtLaw) -> DirtyAccounts:
    """Draw the accounts; every trouble has its own stream."""
    time = company.time
    merged = _chosen(company, "merged", law.merged_accounts)
    when = company.streams.named("dirt/merge days").random(len(merged))
    day = time.first_day + np.floor((0.3 + 0.4 * when) * 7 * time.weeks).astype(np.int64)
    foreign = _chosen(company, "foreign", law.foreign_accounts)
    which = 1 + company.streams.named("dirt/currencies").choice(3, size=len(foreign), p=(0.5, 0.3, 0.2))
    return DirtyAccounts(
        naive_time=_chosen(company, "naive", law.naive_accounts),
        no_production=_chosen(company, "production", law.no_production_accounts),
        no_surveys=_chosen(company, "surveys", law.no_survey_accounts),
        bot=_chosen(company, "bots", law.bot_accounts),
        merged_on=np.where(merged, day, NEVER),
        currency=np.where(foreign, which, 0),
    )


def dirty_accounts_table(company: Company, dirty: DirtyAccounts) -> pa.Table:
    """The same for the truth."""
    old = [
        OLD_PREFIX + name if day < NEVER else None
        for name, day in zip(company.accounts.ids, dirty.merged_on, strict=True)
    ]
    return pa.table(
        {
            "account_id": company.accounts.ids,
            "naive_time": dirty.naive_time,
            "missing_production": dirty.no_production,
            "missing_surveys": dirty.no_surveys,
            "bot": dirty.bot,
            "old_id": pa.array(old, pa.string()),
            "merged_on": pa.array(dirty.merged_on.astype(np.int32), mask=dirty.merged_on == NEVER).cast(pa.date32()),
            "currency": [CURRENCIES[place] for place in dirty.currency],
        }
    )


def _chosen(company: Company, name: str, share: float) -> Flags:
    count = len(company.accounts)
    flags = np.zeros(count, dtype=np.bool_)
    flags[company.streams.named(f"dirt/{name}").permutation(count)[: some_of(share, count)]] = True
    return flags
