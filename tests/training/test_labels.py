"""Which accounts had left, as far as the warehouse knew at a date?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.errors import DataContractError
from features.vocabulary import parse_moment
from training.config import TrainingConfig
from training.endings import FULL_CHURN, NONPAYMENT, Lapse
from training.labels import OUTCOME_COLUMNS, days_to_decision_taken, horizon_labels, outcome_frame, outcomes

from .warehouse_case import home_with

CONFIG = TrainingConfig()
CUT = "2024-06-01"

CONTRACTS = """
contract_id | account_id | valid_from | start_on   | end_on     | currency | acv_minor
c1          | a1         | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 100
c2          | a2         | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 100
c2          | a2         | 2023-12-20 | 2024-01-01 | 2024-12-31 | USD      | 100
c3          | a3         | 2023-01-01 | 2023-01-01 | -          | USD      | 100
c9          | a9         | 2024-05-30 | 2024-05-30 | -          | USD      | 100
"""
NOTICE = """
contract_event_id | contract_id | account_id | type         | event_at   | effective_on | available_at
e1                | c1          | a1         | notice_given | 2023-10-20 | 2023-12-31   | 2023-11-03
"""


def told(tmp_path: Path, cut: str = CUT, **tables: str) -> list[dict[str, Any]]:
    home = home_with(tmp_path / "home", **tables)
    return outcomes(home, parse_moment(cut), CONFIG).to_dict("records")


def accounts(tmp_path: Path, cut: str = CUT, **tables: str) -> list[str]:
    return [row["account_id"] for row in told(tmp_path, cut, **tables)]


def test_one_row_per_account_that_has_decided_to_leave(tmp_path: Path) -> None:
    assert told(tmp_path, contracts_history=CONTRACTS, contract_events=NOTICE) == [
        {
            "account_id": "a1",
            "decided_at": pd.Timestamp("2023-10-20", tz="UTC"),
            "effective_at": pd.Timestamp("2023-12-31", tz="UTC"),
            "known_at": pd.Timestamp("2023-11-03", tz="UTC"),
            "kind": "full_churn",
            "voluntary": True,
        }
    ]


@pytest.mark.parametrize(("cut", "expected"), [("2023-11-02", []), ("2023-11-03", ["a1"])])
def test_a_notice_counts_from_the_day_it_could_be_known(tmp_path: Path, cut: str, expected: list[str]) -> None:
    assert accounts(tmp_path, cut, contracts_history=CONTRACTS, contract_events=NOTICE) == expected


def test_whatever_is_known_after_the_cut_changes_nothing(tmp_path: Path) -> None:
    later_events = """
e2                | c1          | a1         | notice_withdrawn | 2023-11-20 | 2023-11-20 | 2024-06-02
e3                | c3          | a3         | cancelled        | 2024-05-20 | 2024-06-30 | 2024-06-02
"""
    later_states = """
c1          | a1         | 2024-01-01 | 2024-01-01 | 2024-12-31 | USD      | 100
"""
    head = "contract_id | account_id | valid_from | start_on | end_on | currency | acv_minor | available_at"
    dated = [f"{line} | {line.split('|')[2].strip()}" for line in CONTRACTS.strip().splitlines()[1:]]
    known_late = f"{later_states.strip()} | 2024-06-02"
    with_later = "\n".join([head, *dated, known_late])
    plain = told(tmp_path / "plain", contracts_history=CONTRACTS, contract_events=NOTICE)
    assert (
        told(tmp_path / "more", contracts_history=with_later, contract_events=NOTICE + later_events.lstrip()) == plain
    )


def test_a_term_that_ran_out_without_a_word_is_found_in_the_contracts(tmp_path: Path) -> None:
    rows = told(tmp_path, contracts_history=CONTRACTS)
    assert [(row["account_id"], row["decided_at"], row["known_at"]) for row in rows] == [
        ("a1", pd.Timestamp("2023-12-31", tz="UTC"), pd.Timestamp("2024-01-30", tz="UTC"))
    ]


def test_a_source_that_fell_silent_is_no_customer_who_left(tmp_path: Path) -> None:
    old = "\n".join(line for line in CONTRACTS.splitlines() if not line.startswith("c9"))
    # The last word is of 20 December: at the end of January c1's grace is over, but who would have told of a renewal?
    assert accounts(tmp_path / "soon", "2024-01-31", contracts_history=old) == []
    with pytest.raises(DataContractError) as refused:
        told(tmp_path / "late", "2024-03-15", contracts_history=old)
    assert refused.value.found == "none after 2023-12-20, while the terms of 1 accounts ran out"


def test_silence_about_contracts_without_end_is_no_trouble(tmp_path: Path) -> None:
    endless = """
contract_id | account_id | valid_from | start_on   | end_on | currency | acv_minor
c3          | a3         | 2020-01-01 | 2020-01-01 | -      | USD      | 100
"""
    assert accounts(tmp_path, contracts_history=endless) == []


def test_a_tombstone_takes_a_notice_back(tmp_path: Path) -> None:
    events = """
contract_event_id | contract_id | account_id | type      | event_at   | effective_on | available_at | op
e1                | c3          | a3         | cancelled | 2024-03-01 | 2024-03-31   | 2024-03-05   | upsert
e1                | c3          | a3         | cancelled | 2024-03-01 | 2024-03-31   | 2024-04-01   | delete
"""
    assert accounts(tmp_path, "2024-03-20", contracts_history=CONTRACTS, contract_events=events) == ["a1", "a3"]
    assert accounts(tmp_path / "later", contracts_history=CONTRACTS, contract_events=events) == ["a1"]


def test_the_last_state_of_a_term_is_the_one_that_counts(tmp_path: Path) -> None:
    shortened = CONTRACTS + "c3 | a3 | 2024-02-01 | 2023-01-01 | 2024-02-29 | USD | 100\n"
    rows = {row["account_id"]: row for row in told(tmp_path, contracts_history=shortened)}
    assert rows["a3"]["decided_at"] == pd.Timestamp("2024-02-29", tz="UTC")


def test_a_state_that_was_deleted_never_held(tmp_path: Path) -> None:
    contracts = """
contract_id | account_id | valid_from | start_on   | end_on     | currency | acv_minor | available_at | op
c1          | a1         | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 100       | 2023-01-02   | upsert
c1          | a1         | 2024-01-01 | 2024-01-01 | 2024-12-31 | USD      | 100       | 2024-01-02   | upsert
c1          | a1         | 2024-01-01 | 2024-01-01 | 2024-12-31 | USD      | 100       | 2024-03-01   | delete
"""
    assert accounts(tmp_path, "2024-02-15", contracts_history=contracts) == []
    assert accounts(tmp_path / "later", contracts_history=contracts) == ["a1"]


def test_a_contract_that_moved_to_another_account_is_no_churn_of_the_old_one(tmp_path: Path) -> None:
    moved = CONTRACTS + "c1 | a9 | 2024-01-01 | 2024-01-01 | 2024-12-31 | USD | 100\n"
    assert accounts(tmp_path, contracts_history=moved) == []


def test_an_account_that_another_one_bought_lives_on_in_the_buyer(tmp_path: Path) -> None:
    bought = """
account_id | valid_from | segment | hq_tz | acquired_by_account_id
a1         | 2023-01-01 | studio  | UTC   | -
a1         | 2023-11-01 | studio  | UTC   | a2
"""
    assert accounts(tmp_path, contracts_history=CONTRACTS, accounts_history=bought) == []


def test_an_empty_warehouse_tells_of_nobody(tmp_path: Path) -> None:
    home = home_with(tmp_path / "home")
    frame = outcomes(home, datetime(2024, 1, 1, tzinfo=UTC), CONFIG)
    assert list(frame.columns) == list(OUTCOME_COLUMNS)
    assert frame.empty
    assert str(frame["decided_at"].dtype) == "datetime64[us, UTC]"


def decided(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return outcome_frame(
        {name: Lapse(parse_moment(day), parse_moment(day), parse_moment(day), kind) for name, day, kind in rows}
    )


def rows_at(*rows: tuple[str, str]) -> pd.DataFrame:
    as_ofs = pd.to_datetime([as_of for _, as_of in rows], utc=True)
    return pd.DataFrame({"account_id": [account for account, _ in rows], "as_of": as_ofs})


def test_horizon_labels_of_a_leaver_a_stayer_and_one_the_vendor_ended() -> None:
    who = decided(("gone", "2024-03-01", FULL_CHURN), ("unpaid", "2024-03-01", NONPAYMENT))
    rows = rows_at(("gone", "2024-01-01"), ("stays", "2024-01-01"), ("unpaid", "2024-01-01"), ("gone", "2024-03-04"))
    labels = horizon_labels(rows, who, data_cut=parse_moment("2025-01-01"), config=CONFIG)
    nothing = [None] * 4
    # 1 March is day 60 after 1 January in a leap year: inside 60, not inside 30.
    assert labels.astype(object).where(labels.notna(), None).to_numpy().tolist() == [
        [0.0, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, None, None, None],  # the vendor ended it on day 60: whether it would have left is not known
        nothing,  # had decided before: not at risk
    ]


@pytest.mark.parametrize(("cut", "known"), [("2024-05-29", [True, False]), ("2024-05-30", [True, True])])
def test_a_label_is_final_once_horizon_grace_and_recording_lag_are_over(cut: str, known: list[bool]) -> None:
    # 1 January + 90 + 30 + 30 days is 30 May 2024; the 60-day label is older.
    labels = horizon_labels(rows_at(("stays", "2024-01-01")), decided(), data_cut=parse_moment(cut), config=CONFIG)
    assert labels[["y_60", "y_90"]].notna().to_numpy().tolist() == [known]


def test_labels_keep_the_rows_their_order_and_their_index() -> None:
    rows = rows_at(("b", "2024-01-01"), ("a", "2024-01-01"), ("b", "2024-01-01")).set_axis([7, 3, 5])
    labels = horizon_labels(rows, decided(("b", "2024-01-20", FULL_CHURN)), data_cut=parse_moment(CUT), config=CONFIG)
    assert labels.index.tolist() == [7, 3, 5]
    assert labels["y_30"].tolist() == [1.0, 0.0, 1.0]


def test_days_to_the_decision_count_from_the_snapshot() -> None:
    who = decided(("a", "2024-01-11", FULL_CHURN), ("b", "2024-01-11", NONPAYMENT))
    days, voluntary = days_to_decision_taken(
        rows_at(("a", "2024-01-01"), ("b", "2024-01-15"), ("c", "2024-01-01")), who
    )
    assert days.fillna(-99).tolist() == [10.0, -4.0, -99]
    assert voluntary.tolist() == [True, False, False]
