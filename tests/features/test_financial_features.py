"""What do the features of money say about a small case?"""

from __future__ import annotations

from functools import partial
from math import log

import pytest

from features.catalogue import features_of
from features.vocabulary import Subcategory
from tests.features.view_case import COMPANY, features_of_account, view_rows

features = partial(features_of_account, "financial")

INVOICE = "invoice_id | valid_from | account_id | issued_on | due_on | paid_at | amount_due_minor | currency | status"


def invoices(rows: str, header: str = INVOICE) -> dict[str, str]:
    return {"invoices_history": f"{header}\n{rows}"}


def test_without_data_only_the_contract_speaks() -> None:
    names = [feature.name for feature in features_of(Subcategory.FINANCIAL)]
    rows = view_rows("financial", {}, as_of=["2023-12-25", "2024-07-01"])
    assert [row["account_id"] for row in rows] == ["a1", "a1", "a2", "a2"]
    assert list(rows[0]) == ["account_id", "as_of", "known_at", *names]
    known = [{name for name in names if row[name] is not None} for row in rows[:2]]
    assert known == [
        {"annual_value_log", "billing_currency_change_w13"},
        {"annual_value_log", "annual_value_change_w52", "seats_contracted_change_w52", "billing_currency_change_w13"},
    ]


def test_days_late_are_weighted_by_amount_and_open_invoices_count_to_as_of() -> None:
    rows = """
        i1 | 2024-04-01 | a1 | 2024-03-01 | 2024-03-31 | 2024-04-10T09:00 | 1000 | USD | paid
        i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | 2024-05-20T09:00 | 1000 | USD | paid
        i3 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-21 | -                | 2000 | USD | open
        i4 | 2024-06-01 | a1 | 2024-06-01 | 2024-07-01 | -                | 9000 | USD | open
        i5 | 2023-06-01 | a1 | 2023-06-01 | 2023-07-02 | 2024-01-01T00:00 | 9000 | USD | paid
        i6 | 2024-05-01 | a1 | 2024-05-01 | 2024-05-02 | -                | 9000 | USD | draft
    """
    row = features(invoices(rows))
    # i1 10 days late, i2 early counts as 0, i3 10 days and counting; i4 not yet due, i5 before the window, i6 a draft.
    assert row["days_late_w52"] == pytest.approx((1000 * 10 + 0 + 2000 * 10) / 4000)
    assert row["invoices_late_share_w52"] == pytest.approx((2 + 4 * 2 / 3) / (3 + 4))
    assert row["open_overdue_ratio"] == 2000 / 1000000


def test_days_past_due_count_early_payment_too_over_the_last_four_invoices() -> None:
    rows = """
        i1 | 2024-01-01 | a1 | 2024-01-01 | 2024-01-31 | 2024-03-31T09:00 | 9000 | USD | paid
        i2 | 2024-02-01 | a1 | 2024-02-01 | 2024-03-02 | 2024-02-21T09:00 | 1000 | USD | paid
        i3 | 2024-03-01 | a1 | 2024-03-01 | 2024-03-31 | 2024-04-10T09:00 | 1000 | USD | paid
        i4 | 2024-04-01 | a1 | 2024-04-01 | 2024-05-01 | 2024-04-26T09:00 | 1000 | USD | paid
        i5 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-21 | -                | 2000 | USD | open
        i6 | 2024-06-01 | a1 | 2024-06-01 | 2024-07-01 | 2024-06-02T09:00 | 9000 | USD | paid
    """
    # i1 is the fifth last, i6 is paid but not yet due; amounts do not count.
    assert features(invoices(rows))["days_past_due_last4"] == (-10 + 10 - 5 + 10) / 4
    assert features(invoices("\n".join(rows.splitlines()[:3])))["days_past_due_last4"] == (60 - 10) / 2
    assert features(invoices(rows.splitlines()[-2]))["days_past_due_last4"] is None


def test_usual_days_past_due_fade_with_time_and_are_drawn_to_what_the_portfolio_pays() -> None:
    rows = """
        i1 | 2023-11-18 | a1 | 2023-11-18 | 2023-12-18 | 2024-03-31T09:00 | 1000 | USD | paid
        i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-30 | 2024-05-02T09:00 | 9000 | USD | paid
        i3 | 2024-05-01 | a1 | 2024-05-01 | 2024-07-01 | 2024-05-02T09:00 | 9000 | USD | paid
        i4 | 2024-05-01 | a2 | 2024-05-01 | 2024-06-30 | 2024-07-10T09:00 | 1000 | USD | open
    """
    # i1 is 28 weeks old and counts half, with 45 days at most; i2 was due yesterday, 59 days early, of which 30 count;
    # i3 is not due yet; i4 of another account is a day late and open.
    weight = round(0.5 ** (1 / 196), 3)
    usual = (0.5 * 45 - weight * 30 + weight * 1) / (0.5 + 2 * weight)
    own = (0.5 * 45 - weight * 30 + usual) / (0.5 + weight + 1)
    assert features(invoices(rows))["days_past_due_ewm28"] == pytest.approx(own)
    assert features(invoices(rows.splitlines()[-2]))["days_past_due_ewm28"] is None


def test_a_payment_counts_when_it_is_known_whatever_order_its_states_arrive_in() -> None:
    header = INVOICE.replace("valid_from", "valid_from | available_at")
    rows = """
        i1 | 2024-06-01       | 2024-06-02 | a1 | 2024-05-01 | 2024-06-01 | -                | 1000 | USD | open
        i1 | 2024-06-05T12:00 | 2024-06-20 | a1 | 2024-05-01 | 2024-06-01 | 2024-06-05T12:00 | 1000 | USD | paid
        i1 | 2024-06-03T12:00 | 2024-06-26 | a1 | 2024-05-01 | 2024-06-01 | -                | 1000 | USD | open
    """
    found = features(invoices(rows, header), as_of=["2024-06-17", "2024-06-24", "2024-07-01"])
    assert [row["days_late_w52"] for row in found] == [16, 4, 4]
    assert [row["open_overdue_ratio"] for row in found] == [0.001, 0, 0]


def test_a_voided_invoice_counts_until_the_voiding_is_known() -> None:
    rows = """
        i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | open
        i1 | 2024-06-26 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | void
    """
    before, after = features(invoices(rows), as_of=["2024-06-24", "2024-07-01"])
    assert (before["days_late_w52"], before["open_overdue_ratio"]) == (23, 0.001)
    assert (after["days_late_w52"], after["open_overdue_ratio"]) == (None, 0)
    assert after["invoices_late_share_w52"] is None


def test_an_automatic_charge_is_late_from_its_first_failed_attempt() -> None:
    rows = """
        i1 | 2024-06-20T12:00 | a1 | 2024-06-10 | - | 2024-06-20T12:00 | 1000 | USD | paid
        i2 | 2024-06-10       | a1 | 2024-06-10 | - | 2024-06-10T12:00 | 1000 | USD | paid
        i3 | 2024-06-10       | a1 | 2024-06-10 | - | -                | 2000 | USD | open
    """
    payments = """
        payment_id | attempted_at     | available_at | invoice_id | account_id | amount_minor | currency | status
        p1         | 2024-06-12T09:00 | 2024-06-13   | i1         | a1         | 1000         | USD      | failed
        p2         | 2024-06-15T09:00 | 2024-06-16   | i1         | a1         | 1000         | USD      | failed
        p3         | 2024-06-20T12:00 | 2024-06-21   | i1         | a1         | 1000         | USD      | succeeded
        p4         | 2024-06-10T12:00 | 2024-06-11   | i2         | a1         | 1000         | USD      | succeeded
        p5         | 2024-06-11T12:00 | 2024-06-29   | i3         | a1         | 2000         | USD      | failed
    """
    before, after = features({**invoices(rows), "payments": payments}, as_of=["2024-06-24", "2024-07-01"])
    # i1: 12 to 20 June; i2 at once; of i3 no failure is known at first, then it is open since 11 June.
    assert before["days_late_w52"] == pytest.approx(8 * 1000 / 4000)
    assert after["days_late_w52"] == pytest.approx((8 * 1000 + 20 * 2000) / 4000)
    assert [row["open_overdue_ratio"] for row in (before, after)] == [0, 0.002]
    assert [row["failed_payments_w26"] for row in (before, after)] == [1, 2]


def test_an_invoice_given_up_stays_overdue() -> None:
    rows = """
        i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | open
        i1 | 2024-06-15 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | uncollectible
    """
    row = features(invoices(rows))
    assert (row["open_overdue_ratio"], row["days_late_w52"]) == (0.001, 30)


def test_only_what_is_still_open_of_an_invoice_is_overdue() -> None:
    header = f"{INVOICE} | amount_paid_minor | amount_remaining_minor"
    rows = """
        i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | open | 400 | -
        i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | open | -   | 700
        i3 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 1000 | USD | open | -   | -
    """
    assert features(invoices(rows, header))["open_overdue_ratio"] == (600 + 700 + 1000) / 1000000


def test_payments_getting_later_is_the_last_two_against_the_four_before() -> None:
    rows = "\n".join(
        f"i{n} | 2024-0{n}-20 | a1 | 2024-0{n}-01 | 2024-0{n}-05 | 2024-0{n}-{5 + late:02d} | 100 | USD | paid"
        for n, late in enumerate((9, 2, 4, 0, 6, 8), start=1)
    )
    assert features(invoices(rows))["days_late_change"] == (6 + 8) / 2 - (9 + 2 + 4 + 0) / 4
    four = "\n".join(rows.splitlines()[:4])
    assert features(invoices(four))["days_late_change"] == (4 + 0) / 2 - (9 + 2) / 2
    assert features(invoices("\n".join(rows.splitlines()[:3])))["days_late_change"] is None


def test_the_dunning_stage_is_the_highest_of_the_open_invoices() -> None:
    header = f"{INVOICE} | attempt_count"
    rows = """
        i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | -          | 1000 | USD | open | 2
        i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | -          | 1000 | USD | open | -
        i3 | 2024-06-10 | a1 | 2024-05-01 | 2024-06-01 | 2024-06-10 | 1000 | USD | paid | 4
    """
    assert features(invoices(rows, header))["dunning_stage"] == 2
    assert features(invoices(rows, header), account="a2")["dunning_stage"] is None


def test_money_in_another_currency_is_converted_or_left_out() -> None:
    rows = """
        i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 100 | JPY | open
        i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 100 | CHF | open
        i3 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | - | 100 | USD | open
    """
    rates = """
        currency | rate_on    | to_reporting
        JPY      | 2024-06-28 | 0.006
        USD      | 2024-06-27 | 0.75
        USD      | 2024-06-28 | 0.5
        JPY      | 2024-07-02 | 1
    """
    # A yen has no cents: 100 yen = 0.6 = 1.20 dollars = 120 cents.
    row = features({**invoices(rows), "fx_rates": rates})
    assert row["open_overdue_ratio"] == pytest.approx((100 + 120) / 1000000)


CREDITS = """
    credit_note_id | issued_at  | invoice_id | account_id | amount_minor | reason                 | status | voided_at
    k1             | 2024-05-10 | i1         | a1         | 100          | product_unsatisfactory | issued | -
    k2             | 2024-05-10 | i1         | a1         | 400          | order_change           | issued | -
    k3             | 2024-05-10 | i1         | a1         | 400          | product_unsatisfactory | void   | 2024-05-11
    k4             | 2023-05-10 | i1         | a1         | 400          | product_unsatisfactory | issued | -
"""
BILLED = """
    i1 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | 2024-05-30 | 1000 | USD | paid
    i2 | 2024-05-01 | a1 | 2024-05-01 | 2024-06-01 | 2024-05-30 | 1000 | USD | paid
"""


def test_credits_for_quality_are_a_share_of_what_was_invoiced() -> None:
    assert features({**invoices(BILLED), "credit_notes": CREDITS})["quality_credit_ratio_w52"] == 100 / 2000
    assert features({"credit_notes": CREDITS})["quality_credit_ratio_w52"] is None


def test_credits_within_30_days_of_a_notice_are_settlement_once_the_notice_is_known() -> None:
    notice = """
        contract_event_id | event_at   | available_at | contract_id | account_id | type         | effective_on
        e1                | 2024-06-09 | 2024-06-26   | c1          | a1         | notice_given | 2025-12-31
    """
    tables = {**invoices(BILLED), "credit_notes": CREDITS, "contract_events": notice}
    rows = features(tables, as_of=["2024-06-24", "2024-07-01"])
    assert [row["quality_credit_ratio_w52"] for row in rows] == [0.05, 0]
    later = {**tables, "contract_events": notice.replace("2024-06-09", "2024-06-10")}
    assert features(later)["quality_credit_ratio_w52"] == 0.05


def test_failures_count_by_invoice_and_disputes_by_payment_as_known() -> None:
    payments = """
        payment_id | attempted_at | available_at | invoice_id | account_id | amount_minor | currency | status
        p1         | 2024-06-10   | 2024-06-11   | i1         | a1         | 10           | USD      | failed
        p2         | 2024-06-12   | 2024-06-13   | i1         | a1         | 10           | USD      | failed
        p3         | 2024-06-12   | 2024-06-13   | -          | a1         | 10           | USD      | failed
        p4         | 2023-12-31   | 2024-01-02   | i2         | a1         | 10           | USD      | failed
        p5         | 2024-05-10   | 2024-05-11   | i3         | a1         | 10           | USD      | succeeded
        p5         | 2024-05-10   | 2024-06-27   | i3         | a1         | 10           | USD      | disputed
    """
    before, after = features({"payments": payments}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["failed_payments_w26"] for row in (before, after)] == [3, 2]
    assert [row["payment_disputes_w52"] for row in (before, after)] == [0, 1]
    other = features({"payments": payments}, account="a2", as_of=["2024-01-01", "2024-07-01"])
    assert [row["failed_payments_w26"] for row in other] == [None, 0]


def test_value_and_seats_are_compared_with_what_was_known_52_weeks_ago() -> None:
    contracts = f"""{COMPANY["contracts_history"]}
        c1 | 2024-01-01 | a1 | 2023-01-02 | 2025-12-31 | 36 | USD | 1500000
        c2 | 2024-01-01 | a2 | 2023-01-02 | 2025-12-31 | 36 | EUR | 1500000
    """
    lines = f"""{COMPANY["subscription_lines_history"]}
        l1 | 2024-01-01 | c1 | suite | 5
    """
    tables = {"contracts_history": contracts, "subscription_lines_history": lines}
    row = features(tables)
    assert row["annual_value_log"] == pytest.approx(log(15000))
    assert row["annual_value_change_w52"] == pytest.approx(log(1.5))
    assert row["seats_contracted_change_w52"] == pytest.approx(log(0.5))
    assert features(tables, account="a2")["annual_value_change_w52"] is None


def test_the_discount_is_compared_with_the_term_before() -> None:
    contracts = """
        contract_id | valid_from | account_id | start_on   | end_on     | currency | acv_minor | discount_pct
        c1          | 2023-01-02 | a1         | 2023-01-02 | 2024-01-01 | USD      | 1000      | 0.10
        c1          | 2023-06-01 | a1         | 2023-01-02 | 2024-01-01 | USD      | 1000      | 0.15
        c1          | 2023-12-01 | a1         | 2024-01-02 | 2025-01-01 | USD      | 1000      | 0.30
    """
    rows = features({"contracts_history": contracts}, as_of=["2023-10-02", "2024-07-01"])
    assert rows[0]["discount_change"] is None
    assert rows[1]["discount_change"] == pytest.approx(0.15)


def test_the_busiest_week_is_measured_by_the_seats_of_today() -> None:
    usage = """
        account_id | user_key | product_sku | feature_code | usage_date | events | available_at
        a1         | u1       | suite       | core         | 2024-01-01 | 1      | 2024-01-02
        a1         | u2       | suite       | core         | 2024-01-03 | 1      | 2024-01-04
        a1         | u3       | suite       | core         | 2024-01-07 | 1      | 2024-01-08
        a1         | u4       | suite       | core         | 2024-01-07 | 1      | 2024-06-27
        a1         | u1       | suite       | core         | 2024-01-08 | 1      | 2024-01-09
    """
    rows = features({"usage_daily": usage}, as_of=["2024-06-24", "2024-07-01", "2024-07-08", "2024-08-05"])
    assert [row["peak_seat_utilisation_w26"] for row in rows] == [0.3, 0.4, 0.1, 0]
    assert features({"usage_daily": usage}, account="a2")["peak_seat_utilisation_w26"] is None
