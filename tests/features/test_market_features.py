"""What do the features of the market say about a small case?"""

from __future__ import annotations

from functools import partial
from math import log

import pytest

from features.catalogue import features_of
from features.vocabulary import Subcategory
from tests.features.view_case import COMPANY, features_of_account, view_rows

features = partial(features_of_account, "market")

EVENT = "market_event_id | type | segment | region | announced_on | strength"


def events(rows: str, header: str = EVENT) -> dict[str, str]:
    return {"market_events": f"{header}\n{rows}"}


def test_without_data_every_row_is_there_and_has_no_value() -> None:
    names = [feature.name for feature in features_of(Subcategory.MARKET)]
    rows = view_rows("market", {}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["account_id"] for row in rows] == ["a1", "a1", "a2", "a2"]
    assert list(rows[0]) == ["account_id", "as_of", "known_at", *names]
    assert all(row[name] is None for row in rows for name in names)


def test_a_release_fades_to_nothing_over_26_weeks() -> None:
    rows = "m1 | competitor_feature | studio | - | 2024-01-01 | 0.8"
    found = features(events(rows), as_of=["2024-01-01", "2024-01-08", "2024-04-01", "2024-07-01", "2024-07-08"])
    # On its own Monday it has not happened before as_of; after 26 weeks nothing of it is left.
    values = [row["competitor_feature_exposure_w26"] for row in found]
    assert values == [None, pytest.approx(0.8 * 175 / 182), pytest.approx(0.8 / 2), 0, 0]


def test_a_release_weighs_as_much_as_its_family_is_used() -> None:
    header = f"{EVENT} | feature_family"
    rows = """
        m1 | competitor_feature | - | - | 2024-06-03 | 1   | collab
        m2 | competitor_feature | - | - | 2024-06-03 | 0.5 | -
        m3 | competitor_feature | - | - | 2024-06-03 | 1   | ai
    """
    usage = """
        account_id | user_key | product_sku | feature_code | usage_date | events
        a1         | u1       | suite       | core         | 2024-06-10 | 6
        a1         | u1       | suite       | collab       | 2024-06-11 | 2
        a1         | u1       | suite       | collab       | 2023-12-31 | 99
    """
    tables = {**events(rows, header), "usage_daily": usage}
    assert features(tables)["competitor_feature_exposure_w26"] == pytest.approx((2 / 8 + 0.5) * 154 / 182)
    # Who uses nothing is exposed only to what names no family.
    assert features(tables, account="a2")["competitor_feature_exposure_w26"] == pytest.approx(0.5 * 154 / 182)


def test_an_event_concerns_its_segment_and_country() -> None:
    rows = """
        m1 | competitor_feature | agency | -    | 2024-06-03 | 1
        m2 | competitor_feature | studio | GB   | 2024-06-03 | 1
        m3 | competitor_feature | studio | US   | 2024-06-03 | 0.1
        m4 | competitor_feature | -      | emea | 2024-06-03 | 0.2
    """
    assert features(events(rows))["competitor_feature_exposure_w26"] == pytest.approx(0.3 * 154 / 182)


def test_an_event_counts_from_when_it_is_known_and_as_corrected() -> None:
    header = EVENT.replace("announced_on", "announced_on | available_at | op")
    rows = """
        m1 | competitor_feature | studio | - | 2024-06-03 | 2024-06-12 | upsert | 1
        m1 | competitor_feature | studio | - | 2024-06-03 | 2024-06-19 | upsert | 0.5
        m1 | competitor_feature | studio | - | 2024-06-03 | 2024-06-26 | delete | 0.5
    """
    found = features(events(rows, header), as_of=["2024-06-10", "2024-06-17", "2024-06-24", "2024-07-01"])
    values = [row["competitor_feature_exposure_w26"] for row in found]
    assert values == [None, pytest.approx(168 / 182), pytest.approx(0.5 * 161 / 182), 0]


def test_only_competitors_that_name_the_account_are_mentions() -> None:
    rows = """
        m1 | competitor_price   | - | - | 2024-06-03 | - | a1
        m2 | competitor_win     | - | - | 2024-01-01 | - | a1
        m3 | competitor_feature | - | - | 2023-12-31 | - | a1
        m4 | acquisition        | - | - | 2024-06-03 | - | a1
        m5 | competitor_price   | - | - | 2024-06-03 | - | a2
        m6 | competitor_price   | - | - | 2024-06-03 | - | -
    """
    assert features(events(rows, f"{EVENT} | account_id"))["competitor_mentions_w26"] == 2


def test_wins_and_losses_in_the_segment_fade_over_13_weeks() -> None:
    rows = """
        m1 | competitor_win  | studio | - | 2024-06-24 | - | -
        m2 | competitor_win  | studio | - | 2024-05-20 | - | -
        m3 | competitor_loss | studio | - | 2024-06-10 | - | -
        m4 | competitor_win  | agency | - | 2024-06-24 | - | -
        m5 | competitor_win  | studio | - | 2024-04-01 | - | -
        m6 | competitor_win  | -      | - | 2024-06-24 | - | a2
    """
    # The one at a2 is in a2's segment, which is a1's too.
    row = features(events(rows, f"{EVENT} | account_id"))
    assert row["competitor_wins_segment_w13"] == pytest.approx((84 + 49 - 70 + 0 + 84) / 91)


def test_a_strike_or_outage_counts_for_8_weeks() -> None:
    rows = "m1 | strike | studio | - | 2024-04-29 | -"
    found = features(events(rows), as_of=["2024-05-06", "2024-06-24", "2024-07-01"])
    assert [row["strike_or_outage_flag"] for row in found] == [1, 1, 0]
    other = events("m1 | outage | agency | - | 2024-06-03 | -")
    assert features(other)["strike_or_outage_flag"] == 0


INDEX = "index_code | period_start | region | period_end | value | revision | available_at"


def indices(rows: str) -> dict[str, str]:
    return {"market_indices": f"{INDEX}\n{rows}"}


def test_a_trend_is_read_from_the_prints_known_at_as_of() -> None:
    rows = """
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 120 | 0 | 2024-06-14
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 130 | 1 | 2024-06-28
        consumption_studio | 2024-04-01 | global | 2024-04-30 | 110 | 0 | 2024-05-14
        consumption_studio | 2024-02-01 | global | 2024-02-29 | 100 | 0 | 2024-03-14
        consumption_studio | 2024-01-01 | global | 2024-01-31 |  90 | 0 | 2024-02-14
        consumption_studio | 2023-05-01 | global | 2023-05-31 |  80 | 0 | 2023-06-14
        consumption_agency | 2024-05-01 | global | 2024-05-31 | 999 | 0 | 2024-06-14
    """
    found = features(indices(rows), as_of=["2024-06-10", "2024-06-17", "2024-07-01"])
    trend = [row["consumption_index_trend_3m"] for row in found]
    assert trend == pytest.approx([log(110 / 90), log(120 / 100), log(130 / 100)])
    assert [row["consumption_index_yoy"] for row in found] == [
        None,
        pytest.approx(log(1.5)),
        pytest.approx(log(13 / 8)),
    ]


def test_a_revision_that_arrives_before_the_first_print_stands() -> None:
    rows = """
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 130 | 1 | 2024-06-10
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 120 | 0 | 2024-06-28
        consumption_studio | 2024-02-01 | global | 2024-02-29 | 100 | 0 | 2024-03-14
    """
    assert features(indices(rows))["consumption_index_trend_3m"] == pytest.approx(log(1.3))


def test_a_print_taken_back_or_without_a_logarithm_is_none() -> None:
    rows = """
        consumption_studio | 2024-06-01 | global | 2024-06-30 | 200 | 0 | 2024-06-14 | upsert
        consumption_studio | 2024-06-01 | global | 2024-06-30 | 200 | 0 | 2024-06-15 | delete
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 0   | 0 | 2024-06-14 | upsert
        consumption_studio | 2024-04-01 | global | 2024-04-30 | 110 | 0 | 2024-05-14 | upsert
        consumption_studio | 2024-01-01 | global | 2024-01-31 | 100 | 0 | 2024-02-14 | upsert
    """
    prints = {"market_indices": f"{INDEX} | op\n{rows}"}
    assert features(prints)["consumption_index_trend_3m"] == pytest.approx(log(1.1))


def test_a_country_reads_its_own_index_before_the_worlds() -> None:
    rows = """
        consumption_studio | 2024-05-01 | global | 2024-05-31 | 120 | 0 | 2024-06-14
        consumption_studio | 2024-02-01 | global | 2024-02-29 | 100 | 0 | 2024-03-14
        consumption_studio | 2024-05-01 | US     | 2024-05-31 | 150 | 0 | 2024-06-14
        consumption_studio | 2024-02-01 | US     | 2024-02-29 | 100 | 0 | 2024-03-14
    """
    abroad = {**indices(rows), "accounts_history": COMPANY["accounts_history"].replace("US", "GB")}
    assert features(indices(rows))["consumption_index_trend_3m"] == pytest.approx(log(1.5))
    assert features(abroad)["consumption_index_trend_3m"] == pytest.approx(log(1.2))


NOTICE = "contract_event_id | event_at | available_at | contract_id | account_id | type | effective_on"


def loss_rates(rows: str, as_of: list[str]) -> list[float | None]:
    found = features({"contract_events": f"{NOTICE}\n{rows}"}, as_of=as_of)
    return [row["segment_churn_rate_lagged"] for row in found]


def test_losses_count_once_matured_60_days() -> None:
    # 2024-01-10 is 60 days before Sunday 2024-03-10. At risk: both accounts at each Monday from 2024-01-15 on.
    rows = "e1 | 2024-01-10 | 2024-01-11 | c1 | a1 | notice_given | 2025-12-31"
    early, first, later = loss_rates(rows, ["2024-03-04", "2024-03-18", "2024-03-25"])
    assert early is None
    assert first == pytest.approx(1 / (2 / 52))
    assert later == pytest.approx(1 / (4 / 52))


def test_losses_of_the_segment_are_shrunk_to_the_portfolios() -> None:
    accounts = COMPANY["accounts_history"].replace("a2         | 2023-01-02 | studio ", "a2 | 2023-01-02 | agency")
    rows = f"{NOTICE}\n e1 | 2023-12-20 | 2023-12-20 | c2 | a2 | cancelled | 2025-12-31"
    found = view_rows("market", {"accounts_history": accounts, "contract_events": rows}, as_of="2024-07-01")
    # Mondays from 25 December to 29 April: 19 weeks of each account.
    years = 19 / 52
    portfolio = 1 / (2 * years)
    expected = [(lost + 20 * portfolio) / (years + 20) for lost in (0, 1)]
    assert [row["segment_churn_rate_lagged"] for row in found] == pytest.approx(expected)


def test_a_notice_counts_as_known_and_not_when_taken_back() -> None:
    rows = """
        e1 | 2024-01-02 | 2024-01-03 | c1 | a1 | notice_given     | 2025-12-31
        e2 | 2024-01-03 | 2024-06-12 | c2 | a2 | notice_given     | 2025-12-31
        e3 | 2024-02-01 | 2024-06-26 | c1 | a1 | notice_withdrawn | 2024-02-01
    """
    one, two, one_again = loss_rates(rows, ["2024-06-10", "2024-06-24", "2024-07-01"])
    weeks = [(14 + n) * 2 / 52 for n in (0, 2, 3)]
    assert (one, two, one_again) == pytest.approx((1 / weeks[0], 2 / weeks[1], 1 / weeks[2]))


BOUGHT = "market_event_id | type | account_id | announced_on | available_at | strength"


def test_an_account_is_bought_for_52_weeks_once_the_market_says_so() -> None:
    rows = """
        m1 | acquisition | a1 | 2024-06-19 | 2024-06-26 | 0
        m2 | acquisition | -  | 2024-06-03 | 2024-06-03 | 0
        m3 | strike      | a2 | 2024-06-03 | 2024-06-03 | 0
    """
    mondays = ["2024-06-17", "2024-06-24", "2024-07-01", "2025-06-16", "2025-06-23"]
    found = features(events(rows, BOUGHT), as_of=mondays)
    # 16 June 2025 is 362 days after the announcement, 23 June 369.
    assert [row["acquisition_flag_w52"] for row in found] == [0, 0, 1, 1, 0]
    assert features(events(rows, BOUGHT), account="a2")["acquisition_flag_w52"] == 0


def test_an_account_is_bought_when_its_record_says_by_whom() -> None:
    accounts = """
        account_id | valid_from | available_at | segment | hq_tz | acquired_by_account_id
        a1         | 2023-01-02 | 2023-01-02   | studio  | UTC   | -
        a1         | 2024-06-12 | 2024-06-20   | studio  | UTC   | a9
        a1         | 2024-06-25 | 2024-06-25   | agency  | UTC   | a9
        a2         | 2023-01-02 | 2023-01-02   | studio  | UTC   | a9
        a2         | 2024-06-12 | 2024-06-12   | studio  | UTC   | -
    """
    mondays = ["2024-06-17", "2024-06-24", "2024-07-01", "2025-06-09", "2025-06-16"]
    found = features({"accounts_history": accounts}, as_of=mondays)
    # Without a market source a record that names no buyer is no answer.
    assert [row["acquisition_flag_w52"] for row in found] == [None, 1, 1, 1, None]
    before, after = features({"accounts_history": accounts}, account="a2", as_of=["2023-12-25", "2024-06-17"])
    assert (before["acquisition_flag_w52"], after["acquisition_flag_w52"]) == (1, None)
