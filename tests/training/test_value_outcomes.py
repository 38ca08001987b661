"""Whose annual value was decided to fall, or to rise, as far as the warehouse knew at a date?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.vocabulary import parse_moment
from training.config import TrainingConfig
from training.endings import FULL_CHURN, Lapse
from training.labels import OUTCOME_COLUMNS, days_to_decision_taken, horizon_labels, outcome_frame, outcomes
from training.target import Target
from training.value_outcomes import target_outcomes

from .warehouse_case import home_with

CUT = "2024-06-01"

# a1 buys more in March and gives a third back in October; a2 leaves; a3 loses one of two contracts.
CONTRACTS = """
contract_id | account_id | valid_from | start_on   | end_on     | currency | acv_minor
c1          | a1         | 2023-01-01 | 2023-01-01 | -          | USD      | 1000
c1          | a1         | 2023-03-01 | 2023-01-01 | -          | USD      | 1500
c1          | a1         | 2023-10-01 | 2023-01-01 | -          | USD      | 1000
c2          | a2         | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 1000
c3          | a3         | 2023-01-01 | 2023-01-01 | 2023-12-31 | USD      | 1000
c4          | a3         | 2023-01-01 | 2023-01-01 | -          | USD      | 1000
c9          | a9         | 2024-05-30 | 2024-05-30 | -          | USD      | 100
"""
EVENTS = """
contract_event_id | contract_id | account_id | type         | event_at   | effective_on | available_at
e1                | c1          | a1         | contracted   | 2023-09-10 | 2023-10-01   | 2023-09-12
e2                | c2          | a2         | notice_given | 2023-10-20 | 2023-12-31   | 2023-11-03
e3                | c3          | a3         | notice_given | 2023-11-01 | 2023-12-31   | 2023-11-05
"""


def found(root: Path, target: Target, cut: str = CUT, **tables: str) -> pd.DataFrame:
    home = home_with(root / "home", **({"contracts_history": CONTRACTS, "contract_events": EVENTS} | tables))
    return target_outcomes(home, parse_moment(cut), TrainingConfig(target=target))


def told(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    days = [frame[name].dt.strftime("%Y-%m-%d") for name in ("decided_at", "effective_at", "known_at")]
    return list(zip(frame["account_id"], *days, frame["kind"], frame["voluntary"], strict=True))


def test_a_contraction_is_the_decision_to_pay_a_fifth_less(tmp_path: Path) -> None:
    assert told(found(tmp_path, Target.CONTRACTION)) == [
        ("a1", "2023-09-10", "2023-10-01", "2023-10-01", "contraction", True),
        ("a2", "2023-10-20", "2023-12-31", "2023-11-03", "full_churn", False),
        ("a3", "2023-11-01", "2024-01-01", "2023-11-05", "contraction", True),
    ]


def test_an_upsell_is_the_decision_to_pay_a_tenth_more(tmp_path: Path) -> None:
    assert told(found(tmp_path, Target.UPSELL)) == [
        ("a1", "2023-03-01", "2023-03-01", "2023-03-01", "upsell", True),
        ("a2", "2023-10-20", "2023-12-31", "2023-11-03", "full_churn", False),
    ]


def test_the_outcomes_of_churn_are_those_of_the_labels(tmp_path: Path) -> None:
    frame = found(tmp_path, Target.CHURN)
    expected = outcomes(
        home_with(tmp_path / "again", contracts_history=CONTRACTS, contract_events=EVENTS),
        parse_moment(CUT),
        TrainingConfig(),
    )
    pd.testing.assert_frame_equal(frame, expected)


@pytest.mark.parametrize(("cut", "kinds"), [("2023-09-30", []), ("2023-10-01", ["contraction"])])
def test_a_change_counts_from_the_day_it_could_be_known(tmp_path: Path, cut: str, kinds: list[str]) -> None:
    # The event of 10 September is known two days later, but what it changed only with the new state of the contract.
    tables = {"contracts_history": "\n".join([*CONTRACTS.splitlines()[:5], CONTRACTS.splitlines()[-1]])}
    frame = found(tmp_path, Target.CONTRACTION, cut, contract_events="\n".join(EVENTS.splitlines()[:3]), **tables)
    assert frame["kind"].tolist() == kinds


def test_what_falls_away_because_the_account_leaves_is_no_contraction(tmp_path: Path) -> None:
    both = EVENTS + "e4 | c4 | a3 | notice_given | 2023-11-01 | 2024-02-28 | 2023-11-05\n"
    frame = found(tmp_path, Target.CONTRACTION, contract_events=both)
    assert frame[frame["account_id"] == "a3"]["kind"].tolist() == [FULL_CHURN]


def test_a_contract_merged_into_another_takes_its_value_along(tmp_path: Path) -> None:
    contracts = """
contract_id | account_id | valid_from | start_on   | end_on | currency | acv_minor
c1          | a1         | 2023-01-01 | 2023-01-01 | -      | USD      | 1000
c2          | a1         | 2023-01-01 | 2023-01-01 | -      | USD      | 1000
c2          | a1         | 2023-06-01 | 2023-01-01 | -      | USD      | 2000
c9          | a9         | 2024-05-30 | 2024-05-30 | -      | USD      | 100
"""
    events = """
contract_event_id | contract_id | account_id | type        | event_at   | effective_on | available_at
e1                | c1          | a1         | merged_into | 2023-05-20 | 2023-06-01   | 2023-05-21
"""
    tables = {"contracts_history": contracts, "contract_events": events}
    assert found(tmp_path / "up", Target.UPSELL, **tables).empty
    assert found(tmp_path / "down", Target.CONTRACTION, **tables).empty


SEEN = {
    "a1": ["2023-01-02", "2023-02-27", "2023-03-01", "2023-09-04", "2023-12-04"],
    "a2": ["2023-01-02", "2023-10-16", "2023-10-23"],
    "a7": ["2023-01-02"],
}
ROWS = pd.DataFrame(
    [(name, pd.Timestamp(day, tz="UTC").as_unit("us")) for name, days in SEEN.items() for day in days],
    columns=["account_id", "as_of"],
)


def decided() -> pd.DataFrame:
    moments = [("a1", "2023-03-01"), ("a1", "2023-10-01")]
    days = [pd.Timestamp(day, tz="UTC").as_unit("us") for _, day in moments]
    changed = pd.DataFrame(
        {"account_id": [name for name, _ in moments], "decided_at": days, "effective_at": days, "known_at": days}
    ).assign(kind="upsell", voluntary=True)
    gone = parse_moment("2023-10-20")
    lapse = outcome_frame({"a2": Lapse(gone, gone, gone, FULL_CHURN)}).assign(voluntary=False)
    return pd.concat([changed, lapse], ignore_index=True)[list(OUTCOME_COLUMNS)]


def test_of_changes_that_recur_the_next_one_is_meant_and_whoever_left_is_over() -> None:
    days, voluntary = days_to_decision_taken(ROWS, decided())
    nothing = float("nan")
    expected = pd.Series([58.0, 2.0, 214.0, 27.0, nothing, 291.0, 4.0, -3.0, nothing])
    pd.testing.assert_series_equal(days, expected, check_names=False)
    assert voluntary.tolist() == [True, True, True, True, False, False, False, False, False]


def test_labels_are_censored_where_an_account_leaves() -> None:
    labels = horizon_labels(ROWS, decided(), data_cut=parse_moment("2024-06-01"), config=TrainingConfig())
    nothing = float("nan")
    expected = pd.Series([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, nothing, nothing, 0.0])
    pd.testing.assert_series_equal(labels["y_90"], expected, check_names=False)


def test_the_index_and_order_of_rows_are_kept() -> None:
    shuffled = ROWS.iloc[[8, 3, 0, 7, 1]]
    days, _ = days_to_decision_taken(shuffled, decided())
    whole, _ = days_to_decision_taken(ROWS, decided())
    pd.testing.assert_series_equal(days, whole.loc[shuffled.index], check_names=False)
