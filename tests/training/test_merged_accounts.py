"""Is a merger no churn, does what becomes of the survivor become of both, and is one company one cluster?"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.settings import Home
from tests.features.identity_case import alias
from tests.features.push_case import load
from training.config import TrainingConfig
from training.labels import horizon_labels, outcomes
from training.material import gather
from training.target import Target
from training.value_outcomes import target_outcomes

from .lifecycle_case import stored_portfolio
from .portfolio_case import portfolio
from .warehouse_case import home_with

CONFIG = TrainingConfig()
CUT = datetime.fromisoformat("2024-06-01T00:00:00+00:00")
CONTRACTS = """
contract_id | account_id | valid_from | start_on   | end_on     | currency | acv_minor
c1          | old        | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 100
c2          | new        | 2023-01-01 | 2023-01-01 | 2024-12-31 | USD      | 100
c3          | other      | 2024-05-30 | 2024-05-30 | -          | USD      | 100
"""
NOTICE = """
contract_event_id | contract_id | account_id | type         | event_at   | effective_on | available_at
e1                | c1          | old        | notice_given | 2023-10-20 | 2023-12-31   | 2023-11-03
"""
LEAVES = f"""{NOTICE.rstrip()}
e2                | c2          | new        | cancelled    | 2024-03-01 | 2024-04-01   | 2024-03-02
"""
ACCOUNTS = """
account_id | valid_from | segment | hq_tz
new        | 2023-01-01 | studio  | UTC
"""
MERGER = """
source_account_key | account_id | match_rule | confidence | valid_from | available_at
old                | new        | merge      | 1.0        | 2023-11-10 | 2023-11-12
"""


def left(tmp_path: Path, cut: datetime = CUT, **tables: str) -> dict[str, str]:
    home = home_with(tmp_path / "home", **tables)
    told = outcomes(home, cut, CONFIG)
    return {row["account_id"]: f"{row['decided_at'].date()}" for row in told.to_dict("records")}


def test_an_account_that_became_another_one_did_not_leave(tmp_path: Path) -> None:
    said = {"contracts_history": CONTRACTS, "contract_events": NOTICE}
    assert left(tmp_path / "a", **said) == {"old": "2023-10-20"}
    # Its notice only tidied up: the other contract goes on.
    assert left(tmp_path / "b", **said, accounts_history=ACCOUNTS, account_aliases=MERGER) == {}


@pytest.mark.parametrize(("cut", "expected"), [("2023-11-11", {"old": "2023-10-20"}), ("2023-11-12", {})])
def test_a_merger_counts_from_the_day_it_could_be_known(tmp_path: Path, cut: str, expected: dict[str, str]) -> None:
    said = {"contracts_history": CONTRACTS.replace("2024-05-30", "2023-05-30"), "contract_events": NOTICE}
    moment = datetime.fromisoformat(f"{cut}T00:00:00+00:00")
    assert left(tmp_path, moment, **said, accounts_history=ACCOUNTS, account_aliases=MERGER) == expected


def test_what_becomes_of_the_survivor_became_of_both(tmp_path: Path) -> None:
    said = {
        "contracts_history": CONTRACTS,
        "contract_events": LEAVES,
        "accounts_history": ACCOUNTS,
        "account_aliases": MERGER,
    }
    assert left(tmp_path, **said) == {"new": "2024-03-01", "old": "2024-03-01"}


def test_labels_of_the_time_before_the_merger_are_stays(tmp_path: Path) -> None:
    home = home_with(
        tmp_path / "home",
        contracts_history=CONTRACTS,
        contract_events=NOTICE,
        accounts_history=ACCOUNTS,
        account_aliases=MERGER,
    )
    told = outcomes(home, CUT, CONFIG)
    rows = pd.DataFrame({"account_id": ["old", "new"], "as_of": pd.to_datetime(["2023-08-07"] * 2, utc=True)})
    labels = horizon_labels(rows, told, data_cut=CUT, config=CONFIG)
    assert labels.to_numpy().tolist() == [[0.0] * 4] * 2


def test_a_contract_that_moved_with_the_merger_is_one_value_that_moved_nowhere(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"target": Target.CONTRACTION})
    contracts = CONTRACTS.replace("2023-12-31", "2024-12-31")
    home = home_with(tmp_path / "home", contracts_history=contracts, accounts_history=ACCOUNTS, account_aliases=MERGER)
    assert target_outcomes(home, CUT, config).empty


def test_one_company_is_one_cluster_whatever_was_known_at_each_snapshot(tmp_path: Path) -> None:
    world = portfolio(24, 80, seed=5)
    home = stored_portfolio(tmp_path, world)
    before = gather(home, world.data_cut, CONFIG).cohort
    first, second, third = sorted(before["account_id"].unique())[:3]
    # Both are learnt at the very end, after every snapshot.
    late = world.data_cut - timedelta(hours=1)
    _load_aliases(home, first, second, late)
    _load_state(home, second, None, late)
    _load_state(home, third, second, late)
    after = gather(home, world.data_cut, CONFIG).cohort
    heads = dict(zip(after["account_id"], after["cluster_id"], strict=True))
    assert heads[first] == heads[second] == heads[third] == second
    others = ~after["account_id"].isin([first, second, third])
    assert (after["cluster_id"] == before["cluster_id"])[others].all()
    pd.testing.assert_frame_equal(after.drop(columns="cluster_id"), before.drop(columns="cluster_id"))


def _load_aliases(home: Home, key: str, account: str, at: datetime) -> None:
    load(home, "account_aliases", [alias(key, account, at, "merge")], "later")


def _load_state(home: Home, account: str, parent: str | None, at: datetime) -> None:
    state = {"account_id": account, "parent_account_id": parent, "valid_from": at, "event_at": at, "available_at": at}
    load(home, "accounts_history", [{**state, "segment": "studio", "hq_tz": "UTC", "op": "upsert"}], account)
