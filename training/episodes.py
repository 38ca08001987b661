"""Which alerts would a list of accounts have raised, snapshot after snapshot?

Input grain: one row per (account, as_of). Output: which rows begin an alert. An account is *listed* at a snapshot; an
alert begins when it is listed and was not in the 12 weeks before, so an account that stays listed is one alert
(domain 4.6). Nothing here knows outcomes: what is listed at a snapshot depends on nothing later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.judged import Mask
from training.metrics import Floats

QUIET_DAYS = 84
"""Twelve weeks off the list end an alert: shorter gaps are the same story told twice."""
CYCLE_DAYS = 28
"""Capacity is planned per four weeks."""
_NEVER = -1e9
_LUCK_SEED = 20240115

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows in the order in which they were lived: ``snapshots`` are the rows of each, ``days`` when it was."""

    account: Places
    snapshots: tuple[Places, ...]
    days: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Walk:
        """The walk over rows with ``account_id`` and ``as_of``."""
        codes, moments = pd.factorize(rows["as_of"], sort=True)
        days = (moments - moments[0]) / pd.Timedelta(days=1)
        places = tuple(np.flatnonzero(codes == number) for number in range(len(moments)))
        account = pd.factorize(rows["account_id"], sort=True)[0].astype(np.intp)
        return cls(account, places, np.asarray(days, dtype=np.float64))

    @property
    def accounts(self) -> int:
        """How many accounts are met at all."""
        return int(self.account.max()) + 1

    def paced(self, per_cycle: float) -> tuple[int, ...]:
        """New alerts per snapshot, so that ``per_cycle`` begin in any four weeks, whatever the spacing."""
        spacing = float(np.diff(self.days).mean()) if len(self.days) > 1 else CYCLE_DAYS
        reached = np.floor((self.days + spacing) * per_cycle / CYCLE_DAYS + 1e-9)
        return tuple(np.diff(reached, prepend=0).astype(int).tolist())


def begun_by_list(walk: Walk, listed: Mask) -> Mask:
    """Rows at which a rule that lists accounts by itself raises an alert."""
    last = np.full(walk.accounts, _NEVER)
    begun = np.zeros(len(listed), dtype=bool)
    for rows, day in zip(walk.snapshots, walk.days, strict=True):
        inside = rows[listed[rows]]
        begun[inside] = _fresh(last, walk.account[inside], day)
        last[walk.account[inside]] = day
    return begun


def begun_by_rank(walk: Walk, score: Floats, new_alerts: Sequence[int]) -> Mask:
    """Rows at which a ranking raises an alert when each snapshot has room for so many new ones.

    The list goes down the ranking until enough accounts are on it that were on none for 12 weeks; who stands above them
    stays on it. Equal scores are ordered by a lot that each account draws once.
    """
    luck = np.random.default_rng(_LUCK_SEED).permutation(walk.accounts)
    last = np.full(walk.accounts, _NEVER)
    begun = np.zeros(len(score), dtype=bool)
    for rows, day, wanted in zip(walk.snapshots, walk.days, new_alerts, strict=True):
        order = rows[np.lexsort((luck[walk.account[rows]], -score[rows]))]
        fresh = _fresh(last, walk.account[order], day)
        listed = order[: _depth(fresh, wanted)]
        begun[listed] = fresh[: len(listed)]
        last[walk.account[listed]] = day
    return begun


def _fresh(last: Floats, accounts: Places, day: float) -> Mask:
    fresh: Mask = day - last[accounts] > QUIET_DAYS
    return fresh


def _depth(fresh: Mask, wanted: int) -> int:
    # Down to the last wanted new account; with none wanted, down to the first that would be new.
    new = np.flatnonzero(fresh)
    if len(new) < max(wanted, 1):
        return len(fresh)
    return int(new[wanted - 1]) + 1 if wanted else int(new[0])
