"""Timing, size, kind of account and words for people, by example."""

from __future__ import annotations

from datetime import date, timedelta
from math import log, sqrt
from typing import Any

import pytest

from tests.features.histories import days_of, text_table, usage_table, used
from tests.features.view_case import AS_OF, COMPANY, features_of_account

CONTRACT = (
    "contract_id|valid_from|account_id|start_on|end_on|term_months|notice_period_days|currency|acv_minor|auto_renew"
)


def context(tables: dict[str, str], *, as_of: str = AS_OF) -> dict[str, Any]:
    row: dict[str, Any] = features_of_account("context", tables, as_of=as_of)
    return row


def contract(**facts: Any) -> dict[str, str]:
    row = {
        "contract_id": "c1",
        "valid_from": "2023-01-02",
        "account_id": "a1",
        "start_on": "2023-01-02",
        "end_on": "2024-12-31",
        "term_months": 24,
        "notice_period_days": 60,
        "currency": "USD",
        "acv_minor": 1234500,
        "auto_renew": "true",
    } | facts
    return {"contracts_history": text_table(CONTRACT, [[row[name] for name in CONTRACT.split("|")]])}


def test_the_decision_falls_notice_days_before_the_end() -> None:
    row = context(contract())
    assert (row["days_to_decision"], row["days_to_end"]) == (123, 183)
    assert (row["decision_on"], row["is_evergreen"]) == ("2024-11-01", 0)


def test_an_evergreen_contract_has_no_date_and_a_term_of_a_month() -> None:
    row = context(contract(end_on=None, term_months=None))
    names = ("days_to_decision", "days_to_end", "decision_on", "is_evergreen", "term_months")
    assert tuple(row[name] for name in names) == (None, None, None, 1, 1)


@pytest.mark.parametrize(
    ("months", "end", "term"), [(24, "2024-12-31", 24), (None, "2025-01-01", 24), (None, "2024-12-31", 24)]
)
def test_a_term_that_is_not_stated_follows_from_its_dates(months: int | None, end: str, term: float) -> None:
    assert context(contract(term_months=months, end_on=end))["term_months"] == term


def test_tenure_counts_from_the_first_contract() -> None:
    assert context({})["tenure_weeks"] == 78


@pytest.mark.parametrize(
    ("currency", "value"), [("USD", 12345), ("JPY", 1234500), ("KRW", 1234500), ("KWD", 1234.5), ("CLP", 1234500)]
)
def test_annual_value_is_in_major_units_of_its_currency(currency: str, value: float) -> None:
    row = context(contract(currency=currency))
    assert (row["annual_value"], row["currency"]) == (value, currency)


@pytest.mark.parametrize("segment", ["studio", "broadcaster", "agency", "other"])
def test_the_segment_is_told_in_a_word_and_in_flags(segment: str) -> None:
    accounts = text_table(
        "account_id|valid_from|segment|hq_tz|country|name|csm_owner_id",
        [("a1", "2023-01-02", segment, "UTC", "FR", "Studio Nord", "csm-7")],
    )
    row = context({"accounts_history": accounts})
    flags = {name: row[f"segment_is_{name}"] for name in ("studio", "broadcaster", "agency")}
    assert flags == {name: float(name == segment) for name in flags}
    assert (row["segment"], row["country"], row["account_name"], row["csm_owner_id"]) == (
        segment,
        "FR",
        "Studio Nord",
        "csm-7",
    )


def test_size_is_the_contracted_seats() -> None:
    row = context({})
    assert (row["seats_contracted"], row["seats_contracted_log"]) == (10, pytest.approx(log(10)))
    unknown = context({"subscription_lines_history": "line_id\n"})
    assert (unknown["seats_contracted"], unknown["seats_contracted_log"]) == (None, None)


def test_tokens_are_no_seats() -> None:
    lines = text_table(
        "line_id|valid_from|contract_id|product_sku|quantity|usage_type",
        [("l1", "2023-01-02", "c1", "suite", 10, "licensed"), ("l2", "2023-01-02", "c1", "render", 5000, "token")],
    )
    assert context({"subscription_lines_history": lines})["seats_contracted"] == 10


def test_usable_weeks_are_weeks_with_usage_under_contract() -> None:
    before = used(days_of(date(2022, 12, 5), 3))
    under = used(days_of(date(2023, 3, 6), 5, weekdays=(0, 2)))
    unknown = used([date(2024, 6, 30)])
    assert context({"usage_daily": usage_table(before, under, unknown)})["usable_weeks"] == 5
    assert context({})["usable_weeks"] == 0


SOURCES = {
    "usage_daily": usage_table(used(["2024-06-20"])),
    "projects_history": "project_id|valid_from|account_id|kind|status_canonical\np|2024-02-05|a1|spot|active",
    "invoices_history": "invoice_id|valid_from|account_id|amount_due_minor|currency|status\n"
    "i|2024-05-06|a1|100|USD|open",
    "tickets_history": "ticket_id|valid_from|account_id|created_at|status\nt|2024-01-02|a1|2024-01-02|open",
    "survey_responses": "response_id|question_key|survey_id|survey_family|account_id|submitted_at\n"
    "r|q|s|nps|a1|2024-03-04",
    "account_campaigns_history": "account_id|campaign_instance_id|known_from|participation|confidence\n"
    "a1|x|2023-06-05|declared|1",
}


def test_every_source_that_told_something_lately_is_counted() -> None:
    assert context(SOURCES)["sources_present"] == 6
    assert context({})["sources_present"] == 0


@pytest.mark.parametrize("table", sorted(SOURCES))
def test_a_source_counts_on_its_own_and_not_when_it_is_old(table: str) -> None:
    alone = {table: SOURCES[table]}
    assert context(alone)["sources_present"] == 1
    assert context(alone, as_of="2025-09-29")["sources_present"] == 0


def campaigns(*rows: tuple[str, str, int]) -> dict[str, str]:
    instances = [
        (
            name,
            "2023-01-02",
            name,
            f"The {name}",
            first,
            date.fromisoformat(first) + timedelta(days=days - 1),
            "account_local",
            "confirmed",
        )
        for name, first, days in rows
    ]
    columns = "campaign_instance_id|known_from|campaign_id|label|active_start_local|active_end_local|tz_policy|status"
    parts = [("a1", name, "2023-01-02", "declared", 1) for name, *_ in rows]
    return {
        "campaign_instances_history": text_table(columns, instances),
        "account_campaigns_history": text_table(
            "account_id|campaign_instance_id|known_from|participation|confidence", parts
        ),
    }


@pytest.mark.parametrize(
    ("rows", "phase", "conflict", "words"),
    [
        ((), "none", 0, None),
        ((("ad", "2023-10-02", 7),), "off", 0, None),
        ((("ad", "2024-07-08", 7),), "pre", 0, "The ad (pre)"),
        ((("ad", "2024-06-24", 14), ("by", "2024-06-24", 14)), "active", 0, "The ad (active), The by (active)"),
        ((("ad", "2024-07-08", 7), ("by", "2024-06-03", 7)), "post", 1, "The by (post), The ad (pre)"),
        (
            (("ad", "2024-07-08", 7), ("by", "2024-06-03", 7), ("cy", "2024-06-24", 14), ("do", "2024-07-01", 7)),
            "active",
            1,
            "The cy (active), The do (active), The by (post) and 1 more",
        ),
    ],
    ids=["no campaign", "long ago", "one ahead", "two run", "post leads pre", "more than three"],
)
def test_the_phase_and_the_live_campaigns_in_words(
    rows: tuple[tuple[str, str, int], ...], phase: str, conflict: float, words: str | None
) -> None:
    row = context(campaigns(*rows))
    assert (row["phase"], row["phase_conflict"], row["campaigns_live"]) == (phase, conflict, words)


def test_campaigns_of_two_years_are_counted() -> None:
    rows = campaigns(
        ("old", "2022-06-20", 7), ("ad", "2022-08-01", 7), ("by", "2024-06-03", 7), ("cy", "2024-07-08", 7)
    )
    assert context(rows)["campaign_count_w104"] == 2


EVEN = ("2021-09-06", "2022-03-07", "2022-09-05", "2023-03-06", "2023-09-04", "2024-03-04")
UNEVEN = ("2022-03-07", "2022-03-14", "2022-03-21", "2022-03-28", "2024-03-04")


@pytest.mark.parametrize(
    ("starts", "irregularity"),
    [
        (EVEN, 0.0),  # every 182 days
        (EVEN[-3:], None),
        (UNEVEN, sqrt(3 * 7**2 + 707**2 - 4 * 182**2) / (2 * 182)),  # days between: 7, 7, 7, 707, on average 182
        (("2021-06-07", *UNEVEN), sqrt(3 * 7**2 + 707**2 - 4 * 182**2) / (2 * 182)),  # older than 156 weeks
        ((*EVEN, "2024-08-05"), 0.0),  # still ahead
        ((*EVEN, EVEN[-1]), 0.0),  # two on one day are one start
        ((), None),
    ],
    ids=["even", "too few", "uneven", "long ago", "ahead", "together", "none"],
)
def test_campaigns_are_uneven_by_the_spread_of_the_days_between_their_starts(
    starts: tuple[str, ...], irregularity: float | None
) -> None:
    row = context(campaigns(*((f"c{place}", start, 7) for place, start in enumerate(starts))))
    assert row["campaign_gap_cv_w156"] == (None if irregularity is None else pytest.approx(irregularity, abs=1e-12))


def test_cohort_facts_are_shown_as_they_are() -> None:
    row = context({})
    assert (row["cohort_status"], row["contract_id"]) == ("at_risk", "c1")
    young = context({**COMPANY, **contract(start_on="2024-03-04")})
    assert young["cohort_status"] == "onboarding"


@pytest.mark.parametrize(("seats", "band"), [(10, "1_to_10"), (11, "11_to_50"), (51, "51_to_250"), (251, None)])
def test_size_is_told_in_bands_of_contracted_seats(seats: int, band: str | None) -> None:
    lines = f"line_id|valid_from|contract_id|product_sku|quantity\nl1|2023-01-02|c1|suite|{seats}"
    row = context({"subscription_lines_history": lines})
    found = {name: row[f"size_is_{name}"] for name in ("1_to_10", "11_to_50", "51_to_250")}
    assert found == {name: float(name == band) for name in found}
    assert context({"subscription_lines_history": "line_id\n"})["size_is_11_to_50"] is None


@pytest.mark.parametrize(
    ("country", "region"), [("BR", "americas"), ("FR", "emea"), ("ZA", "emea"), ("JP", "apac"), ("-", None)]
)
def test_the_region_follows_from_the_country(country: str, region: str | None) -> None:
    accounts = f"account_id|valid_from|segment|hq_tz|country\na1|2023-01-02|studio|UTC|{country}"
    row = context({"accounts_history": accounts})
    found = {name: row[f"region_is_{name}"] for name in ("americas", "emea", "apac")}
    assert found == {name: float(name == region) for name in found}


def test_the_product_mix_is_what_live_lines_hold() -> None:
    lines = text_table(
        "line_id|valid_from|available_at|contract_id|product_sku|quantity|usage_type|status",
        [
            ("l1", "2023-01-02", "2023-01-02", "c1", "suite", 10, "licensed", "active"),
            ("l2", "2023-01-02", "2023-01-02", "c1", "render", 5000, "token", None),
            ("l3", "2023-01-02", "2023-01-02", "c1", "suite", 2, None, None),
            ("l4", "2023-01-02", "2023-01-02", "c1", "store", 7, "metered", "ended"),
            ("l5", "2024-06-26", "2024-07-02", "c1", "cloud", 7, "metered", "active"),
            ("l6", "2023-01-02", "2023-01-02", "c2", "other", 7, "metered", "active"),
            ("l7", "2023-01-02", "2023-01-02", "c1", "gone", 0, "licensed", "active"),
        ],
    )
    names = ("products_contracted", "buys_tokens", "buys_metered_units", "product_mix")
    row = context({"subscription_lines_history": lines})
    assert tuple(row[name] for name in names) == (2, 1, 0, "render, suite")
    later = context({"subscription_lines_history": lines}, as_of="2024-07-08")
    assert tuple(later[name] for name in names) == (3, 1, 1, "render, suite, cloud")
    unknown = context({"subscription_lines_history": "line_id\n"})
    assert tuple(unknown[name] for name in names) == (None, None, None, None)


@pytest.mark.parametrize(
    ("table", "source"),
    [
        ("usage_daily", "usage"),
        ("projects_history", "production"),
        ("invoices_history", "invoices"),
        ("tickets_history", "tickets"),
        ("survey_responses", "surveys"),
        ("account_campaigns_history", "campaigns"),
    ],
)
def test_each_source_is_told_for_itself(table: str, source: str) -> None:
    row = context({table: SOURCES[table]})
    present = ("usage", "production", "invoices", "tickets", "surveys", "campaigns")
    assert {name: row[f"{name}_present"] for name in present} == {name: float(name == source) for name in present}
