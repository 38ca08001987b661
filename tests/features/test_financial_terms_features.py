"""What do the features of terms say about a small case: price, renewal by itself, signature, currency?"""

from __future__ import annotations

from functools import partial
from math import log

import pytest

from tests.features.view_case import COMPANY, features_of_account

features = partial(features_of_account, "financial")

TERMS = "contract_id | valid_from | account_id | signed_on | start_on | end_on | term_months | currency | acv_minor"
LINES = "line_id | valid_from | contract_id | product_sku | quantity"


def contracts(rows: str, lines: str = "l1 | 2022-01-03 | c1 | suite | 10") -> dict[str, str]:
    return {
        "accounts_history": COMPANY["accounts_history"].replace("2023-01-02", "2022-01-03"),
        "contracts_history": f"{TERMS}\n{rows}",
        "subscription_lines_history": f"{LINES}\n{lines}",
    }


RENEWED = """
    c1 | 2022-01-03 | a1 | 2021-12-20 | 2022-01-03 | 2023-01-02 | 12 | USD | 100000
    c1 | 2022-06-06 | a1 | 2021-12-20 | 2022-01-03 | 2023-01-02 | 12 | USD | 120000
    c1 | 2023-01-03 | a1 | 2023-01-12 | 2023-01-03 | 2024-12-31 | 24 | USD | 165000
"""
GROWING = """
    l1 | 2022-01-03 | c1 | suite | 10
    l1 | 2022-06-06 | c1 | suite | 12
    l1 | 2023-01-03 | c1 | suite | 15
"""


def test_a_price_rise_is_counted_per_seat_against_the_end_of_the_term_before() -> None:
    rows = features(contracts(RENEWED, GROWING), as_of=["2022-12-26", "2023-01-09", "2024-07-01"])
    assert [row["price_per_seat_change"] for row in rows] == [None, *[pytest.approx(log(11_000 / 10_000))] * 2]


def test_a_term_in_another_currency_or_without_seats_has_no_price_change() -> None:
    foreign = RENEWED.replace("12 | USD | 120000", "12 | EUR | 120000")
    assert features(contracts(foreign, GROWING))["price_per_seat_change"] is None
    assert features(contracts(RENEWED, "l1 | 2024-01-01 | c1 | suite | 10"))["price_per_seat_change"] is None


@pytest.mark.parametrize(
    ("ended", "change"),
    [("2023-01-02", log(1.5)), ("2023-02-03", log(1.5)), ("2023-02-04", None), ("2022-10-03", None)],
    ids=["the day before", "with an overlap", "it runs beside", "long before"],
)
def test_a_new_contract_follows_the_one_that_ended_about_when_it_began(ended: str, change: float | None) -> None:
    rows = f"""
        c1 | 2022-01-03 | a1 | 2021-12-20 | 2022-01-03 | {ended}    | 12 | USD | 100000
        c3 | 2023-01-03 | a1 | 2022-12-24 | 2023-01-03 | 2024-12-31 | 24 | USD | 150000
    """
    row = features(contracts(rows, "l1 | 2022-01-03 | c1 | suite | 10\nl3 | 2023-01-03 | c3 | suite | 10"))
    assert row["price_per_seat_change"] == (change if change is None else pytest.approx(change))
    assert (row["renewal_signed_late_days"] is None) == (change is None)


def test_the_delay_of_a_signature_counts_from_the_end_of_the_term_before() -> None:
    assert features(contracts(RENEWED))["renewal_signed_late_days"] == 10
    early = RENEWED.replace("2023-01-12", "2022-12-24")
    assert features(contracts(early))["renewal_signed_late_days"] == -9
    assert features(contracts(RENEWED.replace("2023-01-12", "-")))["renewal_signed_late_days"] is None
    assert features(contracts(RENEWED), as_of="2022-12-26")["renewal_signed_late_days"] is None


AUTO = "contract_id | valid_from | available_at | account_id | start_on | end_on | currency | acv_minor | auto_renew"


@pytest.mark.parametrize(
    ("switched", "known", "off"),
    [("2024-01-01", "2024-01-01", 1), ("2024-01-02", "2024-01-02", 0), ("2023-11-01", "2024-01-02", 0)],
    ids=["26 weeks ago", "a day less: that is the notice", "known too late"],
)
def test_auto_renew_off_counts_only_when_it_was_known_for_26_weeks(switched: str, known: str, off: int) -> None:
    rows = f"""
        c1 | 2023-01-02 | 2023-01-02 | a1 | 2023-01-02 | 2025-12-31 | USD | 1000 | true
        c1 | {switched} | {known}    | a1 | 2023-01-02 | 2025-12-31 | USD | 1000 | false
    """
    assert features({"contracts_history": f"{AUTO}\n{rows}"})["auto_renew_off"] == off


def test_auto_renew_off_forgets_what_was_switched_on_again_and_needs_half_a_year() -> None:
    rows = """
        c1 | 2023-01-02 | 2023-01-02 | a1 | 2023-01-02 | 2025-12-31 | USD | 1000 | false
        c1 | 2024-06-04 | 2024-06-05 | a1 | 2023-01-02 | 2025-12-31 | USD | 1000 | true
        c1 | 2024-06-18 | 2024-06-19 | a1 | 2023-01-02 | 2025-12-31 | USD | 1000 | false
    """
    as_ofs = ["2023-06-26", "2023-07-03", "2024-06-03", "2024-06-10", "2024-07-01"]
    found = features({"contracts_history": f"{AUTO}\n{rows}"}, as_of=as_ofs)
    assert [row["auto_renew_off"] for row in found] == [None, 1, 1, 0, 0]
    untold = rows.replace("true", "-")
    assert features({"contracts_history": f"{AUTO}\n{untold}"})["auto_renew_off"] is None


RATES = """
    currency | rate_on    | available_at | to_reporting
    USD      | 2024-03-28 | 2024-03-29   | 1.0
    USD      | 2024-06-28 | 2024-06-29   | 1.0
    JPY      | 2024-03-28 | 2024-03-29   | 0.0080
    JPY      | 2024-04-02 | 2024-04-03   | 0.0050
    JPY      | 2024-06-28 | 2024-06-29   | 0.0070
    JPY      | 2024-06-28 | 2024-06-30   | 0.0064
    JPY      | 2024-06-29 | 2024-07-02   | 0.0010
"""


def abroad(country: str) -> dict[str, str]:
    return {"accounts_history": COMPANY["accounts_history"].replace("| US", f"| {country}"), "fx_rates": RATES}


def test_the_bill_gets_dearer_when_the_own_currency_falls() -> None:
    # Yen fell from 0.0080 to 0.0064 dollars: the same dollars cost a quarter more.
    assert features(abroad("JP"))["billing_currency_change_w13"] == pytest.approx(log(1.25))
    assert features(abroad("US"))["billing_currency_change_w13"] == 0


@pytest.mark.parametrize("country", ["-", "XX", "GB"], ids=["no country", "no such country", "no rate"])
def test_billing_currency_change_w13_needs_both_currencies(country: str) -> None:
    assert features(abroad(country))["billing_currency_change_w13"] is None


def test_billing_currency_change_w13_takes_no_rate_older_than_31_days() -> None:
    rows = features(abroad("JP"), as_of=["2024-07-22", "2024-07-29"])
    # First the yen of 2 April and of 29 June; a week later the dollar's rate of 28 June is too old.
    assert [row["billing_currency_change_w13"] for row in rows] == [pytest.approx(log(5)), None]
