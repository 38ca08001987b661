"""Who is in the cohort, under which status, and when the next decision falls: by example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.features.histories import text_table
from tests.features.sql_case import step_rows

STEPS = ("account_states", "contract_states", "live_contracts", "cohort")
ACCOUNT = "account_id|valid_from|segment|hq_tz|is_internal|is_test|parent_account_id|available_at|op"
CONTRACT = (
    "contract_id|valid_from|account_id|start_on|end_on|term_months|notice_period_days|auto_renew|currency|acv_minor"
    "|available_at|op"
)
EVENT = "contract_event_id|contract_id|account_id|type|event_at|effective_on|available_at|op"
LINE = "line_id|valid_from|contract_id|product_sku|quantity"


def filled(columns: str, defaults: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    names = columns.split("|")
    return text_table(columns, [[{**defaults, **row}.get(name) for name in names] for row in rows])


def account(**facts: Any) -> dict[str, Any]:
    return {"account_id": "a1", "valid_from": "2022-01-03", "segment": "studio", "hq_tz": "UTC"} | facts


def contract(**facts: Any) -> dict[str, Any]:
    return {
        "contract_id": "c1",
        "valid_from": "2022-01-03",
        "account_id": "a1",
        "start_on": "2022-01-03",
        "end_on": "2024-12-31",
        "term_months": 12,
        "notice_period_days": 60,
        "auto_renew": "true",
        "currency": "USD",
        "acv_minor": 100,
    } | facts


def said(kind: str, day: str, **facts: Any) -> dict[str, Any]:
    row = {"contract_event_id": f"{kind} {day}", "contract_id": "c1", "account_id": "a1", "type": kind}
    return row | {"event_at": day, "available_at": day, "effective_on": "2024-12-31"} | facts


def cohort(
    as_of: str,
    *,
    contracts: Sequence[dict[str, Any]] = (),
    events: Sequence[dict[str, Any]] = (),
    accounts: Sequence[dict[str, Any]] = (),
    lines: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    tables = {
        "accounts_history": filled(ACCOUNT, {}, accounts or [account()]),
        "contracts_history": filled(CONTRACT, {}, contracts or [contract()]),
        "contract_events": filled(EVENT, {}, events),
        "subscription_lines_history": filled(LINE, {"valid_from": "2022-01-03", "product_sku": "s"}, lines),
    }
    return step_rows(tables, "cohort", as_of=as_of, steps=STEPS)


def status(as_of: str, *events: dict[str, Any], **more: Any) -> str | None:
    rows = cohort(as_of, events=events, **more)
    return rows[0]["cohort_status"] if rows else None


NOTICE = said("notice_given", "2024-03-05T10:00", available_at="2024-03-14T09:00")


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-03-04", "at_risk"),
        ("2024-03-11", "at_risk"),
        ("2024-03-18", "lost_pending"),
        ("2024-12-30", "lost_pending"),
    ],
    ids=["before", "given, not known", "known", "until the end"],
)
def test_notice_counts_from_when_it_is_known(as_of: str, expected: str) -> None:
    assert status(as_of, NOTICE) == expected


def test_an_account_leaves_the_cohort_when_its_notice_takes_effect() -> None:
    assert status("2025-01-06", NOTICE) is None


def test_notice_on_a_contract_without_end_ends_it() -> None:
    evergreen = [contract(end_on=None, notice_period_days=0)]
    notice = said("notice_given", "2024-03-05", effective_on="2024-04-30")
    assert status("2024-04-29", notice, contracts=evergreen) == "lost_pending"
    assert status("2024-05-06", notice, contracts=evergreen) is None


def test_a_notice_withdrawn_is_none() -> None:
    assert status("2024-06-03", NOTICE, said("notice_withdrawn", "2024-05-28")) == "at_risk"
    assert status("2024-05-27", NOTICE, said("notice_withdrawn", "2024-05-28")) == "lost_pending"


def test_a_renewal_after_a_notice_wins_and_one_before_does_not() -> None:
    assert status("2024-06-03", NOTICE, said("renewed", "2024-05-28")) == "at_risk"
    assert status("2024-06-03", NOTICE, said("renewed", "2024-01-02")) == "lost_pending"


def test_a_notice_entered_by_mistake_and_deleted_is_none() -> None:
    assert status("2024-06-03", NOTICE, {**NOTICE, "available_at": "2024-05-28", "op": "delete"}) == "at_risk"


def test_a_notice_corrected_to_a_renewal_is_a_renewal() -> None:
    assert status("2024-06-03", NOTICE, {**NOTICE, "available_at": "2024-05-28", "type": "renewed"}) == "at_risk"


@pytest.mark.parametrize("kind", ["cancelled", "terminated_nonpayment", "expired", "merged_into"])
def test_what_has_ended_a_contract_takes_the_account_out(kind: str) -> None:
    assert status("2024-06-03", said(kind, "2024-05-28", effective_on="2024-05-31")) is None


@pytest.mark.parametrize("kind", ["signed", "expanded", "contracted", "paused", "resumed"])
def test_other_events_are_no_notice(kind: str) -> None:
    assert status("2024-06-03", said(kind, "2024-05-28")) == "at_risk"


@pytest.mark.parametrize(
    ("as_of", "decision"),
    [
        ("2024-10-28", "2024-11-01"),
        ("2024-11-04", "2025-11-01"),
        ("2025-01-06", "2025-11-01"),
    ],
    ids=["before the date", "the date is over", "renewed by itself, not written down yet"],
)
def test_the_next_decision_is_this_terms_date_or_after_it_the_next_terms(as_of: str, decision: str) -> None:
    (row,) = cohort(as_of)
    assert str(row["decision_on"]) == decision


def test_a_monthly_contract_with_long_notice_decides_some_months_ahead() -> None:
    monthly = [contract(start_on="2024-05-01", end_on="2024-06-30", term_months=1, notice_period_days=75)]
    (row,) = cohort("2024-06-03", contracts=monthly)
    # 16 April and 17 May are over; notice by 16 June ends it on 30 August.
    assert str(row["decision_on"]) == "2024-06-16"


def test_an_evergreen_contract_has_no_decision_date() -> None:
    (row,) = cohort("2024-06-03", contracts=[contract(end_on=None)])
    assert (row["end_on"], row["decision_on"]) == (None, None)


@pytest.mark.parametrize(
    ("as_of", "renews", "is_there"),
    [
        ("2024-12-30", "false", True),
        ("2025-01-06", "false", False),
        ("2025-01-13", "true", True),
        ("2025-01-20", "true", False),
        ("2025-01-06", None, False),
    ],
)
def test_a_contract_that_renews_by_itself_may_be_written_down_two_weeks_late(
    as_of: str, renews: str | None, is_there: bool
) -> None:
    assert bool(cohort(as_of, contracts=[contract(auto_renew=renews)])) is is_there


def test_a_renewal_known_late_does_not_make_the_account_new() -> None:
    rows = [
        contract(),
        contract(valid_from="2025-01-01", start_on="2025-01-01", end_on="2025-12-31", available_at="2025-01-08"),
    ]
    before, after = (cohort(as_of, contracts=rows)[0] for as_of in ("2025-01-06", "2025-01-13"))
    assert (before["cohort_status"], after["cohort_status"]) == ("at_risk", "at_risk")
    assert (str(after["start_on"]), after["tenure_days"]) == ("2025-01-01", 1106)


@pytest.mark.parametrize(
    ("start", "expected"), [("2023-12-05", "onboarding"), ("2023-12-04", "at_risk"), ("2024-06-04", None)]
)
def test_an_account_is_new_for_26_weeks(start: str, expected: str | None) -> None:
    assert status("2024-06-03", contracts=[contract(start_on=start)]) == expected


@pytest.mark.parametrize("mark", [{"is_internal": "true"}, {"is_test": "true"}, {"op": "delete"}])
def test_internal_and_test_accounts_are_left_out_from_when_that_is_known(mark: dict[str, str]) -> None:
    accounts = [account(), account(valid_from="2024-05-01", available_at="2024-05-15", **mark)]
    assert status("2024-05-13", accounts=accounts) == "at_risk"
    assert status("2024-05-20", accounts=accounts) is None


def test_an_account_that_is_not_known_yet_is_not_there() -> None:
    assert cohort("2024-05-13", accounts=[account(available_at="2024-05-14")]) == []


def test_several_contracts_make_one_account() -> None:
    contracts = [
        contract(),
        contract(contract_id="c2", acv_minor=900, end_on="2024-09-30", start_on="2022-10-01"),
        contract(contract_id="c3", acv_minor=5000, currency="JPY", start_on="2023-06-05", end_on="2024-08-31"),
        contract(contract_id="gone", acv_minor=7000, end_on="2024-01-31", auto_renew="false"),
    ]
    lines = [
        {"line_id": "l1", "contract_id": "c1", "quantity": 3},
        {"line_id": "l2", "contract_id": "c2", "quantity": 4},
        {"line_id": "l3", "contract_id": "c3", "quantity": 5},
        {"line_id": "l4", "contract_id": "gone", "quantity": 50},
    ]
    (row,) = cohort("2024-06-03", contracts=contracts, lines=lines)
    # c3 is dearest by its number; only contracts in its currency can be added to it.
    assert (row["contract_id"], row["currency"], row["acv_minor"], row["seats"]) == ("c3", "JPY", 5000, 12)
    assert row["tenure_days"] == 882


def test_an_account_stays_at_risk_while_one_contract_is_not_under_notice() -> None:
    contracts = [contract(acv_minor=900), contract(contract_id="c2", acv_minor=100, end_on="2025-03-31")]
    (row,) = cohort("2024-06-03", contracts=contracts, events=[NOTICE])
    assert (row["cohort_status"], row["contract_id"], row["acv_minor"]) == ("at_risk", "c2", 1000)
    other = said("notice_given", "2024-05-28", contract_id="c2")
    assert status("2024-06-03", NOTICE, other, contracts=contracts) == "lost_pending"


def test_accounts_of_one_parent_are_one_cluster() -> None:
    accounts = [account(parent_account_id="holding"), account(account_id="a2")]
    contracts = [contract(), contract(contract_id="c2", account_id="a2")]
    rows = cohort("2024-06-03", accounts=accounts, contracts=contracts)
    assert [(row["account_id"], row["cluster_id"]) for row in rows] == [("a1", "holding"), ("a2", "a2")]
