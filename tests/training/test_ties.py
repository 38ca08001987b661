"""Does a tie between two signals change when, and only when, they belong together otherwise?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from training.ties import FEWEST_ACCOUNTS, LIMIT, Tie, ties

ACCOUNTS = 400


def rows(seed: int, slope: float = 1.0, accounts: int = ACCOUNTS, snapshots: int = 3) -> pd.DataFrame:
    """Accounts with a few snapshots that are next to alike; ``slope`` ties the second signal to the first."""
    random = np.random.default_rng(seed)
    first = np.repeat(random.normal(size=accounts), snapshots)
    own = np.repeat(random.normal(size=accounts), snapshots)
    account = np.repeat(np.arange(accounts), snapshots).astype(str)
    return pd.DataFrame({"account_id": account, "phase": "active", "a": first, "b": np.exp(slope * first + own)})


def one(now: pd.DataFrame, then: pd.DataFrame) -> Tie:
    (found,) = ties(now, then, "a", "b")
    return found


def test_a_tie_is_the_rank_correlation_of_each_quarter() -> None:
    now, then = rows(1, 0.2), rows(2)
    found = one(now, then)
    assert found.now == pytest.approx(spearmanr(now["a"], now["b"]).statistic)
    assert found.then == pytest.approx(spearmanr(then["a"], then["b"]).statistic)
    assert found.deviation < -LIMIT
    assert found.changed


def test_where_nothing_changed_the_deviation_is_of_unit_spread_however_many_snapshots_an_account_has() -> None:
    for snapshots in (1, 4):
        drawn = [
            one(rows(2 * seed, snapshots=snapshots), rows(2 * seed + 1, snapshots=snapshots)) for seed in range(200)
        ]
        assert 0.85 < np.std([found.deviation for found in drawn]) < 1.2
        assert not any(found.changed for found in drawn)


def test_unknown_values_few_accounts_constants_and_missing_columns_tell_nothing() -> None:
    few = rows(1, accounts=FEWEST_ACCOUNTS - 1)
    assert list(ties(few, rows(2), "a", "b")) == []
    assert list(ties(rows(1).assign(a=np.nan), rows(2), "a", "b")) == []
    assert list(ties(rows(1).assign(a=1.0), rows(2), "a", "b")) == []
    assert list(ties(rows(1), rows(2), "a", "c")) == []
    assert list(ties(rows(1), rows(2).iloc[:0], "a", "b")) == []


def test_of_two_phases_each_has_its_own() -> None:
    now = pd.concat([rows(1), rows(3, 0.0).assign(phase="post")], ignore_index=True)
    then = pd.concat([rows(2), rows(4).assign(phase="post")], ignore_index=True)
    assert {found.phase: found.changed for found in ties(now, then, "a", "b")} == {"active": False, "post": True}
