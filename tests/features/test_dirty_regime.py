"""Is the dirt exactly what the truth says, and does ingest refuse the planted rows and no others?"""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.events import TABLES
from features.simulator import REGIMES
from features.simulator.dirty_accounts import CURRENCIES
from features.simulator.stains import CONTRADICTED, REPEATED, STAINS
from features.sources.quarantine import quarantine_file
from features.warehouse import Warehouse
from tests.features.regime_case import ACCOUNTS, ingested, written
from tests.features.simulator_case import table

LAW = REGIMES["dirty"].world.dirt
assert LAW is not None
PRODUCTION = ("projects_history", "assets", "asset_versions", "review_events")
SURVEYS = ("survey_invitations", "survey_responses")


def stored(name: str) -> pd.DataFrame:
    files = Warehouse(ingested("dirty")[0]).dataset(name).files()
    return pd.concat([pq.read_table(path).to_pandas() for path in files], ignore_index=True)


def clean(name: str) -> pd.DataFrame:
    return table(written("campaign")[0], name)


@pytest.fixture(scope="module")
def dirt() -> pd.DataFrame:
    return table(written("dirty")[0], "truth/dirt")


@pytest.fixture(scope="module")
def accounts() -> pd.DataFrame:
    return table(written("dirty")[0], "truth/dirty_accounts").set_index("account_id")


def planted(dirt: pd.DataFrame, name: str, kind: str) -> int:
    return int(dirt.loc[(dirt["table"] == name) & (dirt["kind"] == kind), "planted"].sum())


def test_ingest_refuses_exactly_the_planted_rows_by_rule_in_every_table(dirt: pd.DataFrame) -> None:
    expected = dirt[dirt["refused"] > 0].groupby(["table", "rule"])["refused"].sum().to_dict()
    report = ingested("dirty")[1]
    assert {(each.table, rule): rows for each in report.tables for rule, rows in each.quarantined.items()} == expected
    assert report.refused == dirt["refused"].sum() > 500


def test_ingest_knows_exactly_the_repeated_rows(dirt: pd.DataFrame) -> None:
    expected = dirt[dirt["known"] > 0].groupby("table")["known"].sum().to_dict()
    assert {each.table: each.known for each in ingested("dirty")[1].tables if each.known} == expected
    # Three in a hundred, where there are enough rows to count.
    for name in ("usage_daily", "review_events", "seat_assignments_history"):
        assert expected[name] / written("dirty")[1].rows[name] == pytest.approx(0.03, rel=0.2)


def test_rules_of_every_kind_are_broken(dirt: pd.DataFrame) -> None:
    declared = {stain.rule for stain in STAINS} | {"conflict", "malformed", "zone", "order"}
    # At this size a rule of which few rows are planted may have none.
    assert declared - {"maximum", "range", "text"} <= set(dirt.loc[dirt["refused"] > 0, "rule"]) <= declared
    assert len(declared) == 14


def test_stains_are_declared_for_columns_and_values_that_break_their_rule() -> None:
    for stain in STAINS:
        names = {column.name for column in TABLES[stain.table].columns} | {"event_at", "available_at"}
        assert stain.column in names
        assert hasattr(LAW, stain.share)
        if stain.rule == "choices":
            assert stain.cell not in TABLES[stain.table].column(stain.column).choices
        if stain.rule == "required":
            assert not TABLES[stain.table].column(stain.column).nullable
    assert set(CONTRADICTED) <= set(REPEATED) <= set(TABLES)
    assert not any(column in TABLES[name].key for name, column in CONTRADICTED.items())


def test_what_is_stored_of_usage_is_the_clean_company_without_refused_rows_and_blackouts() -> None:
    key = ["account_id", "user_key", "feature_code", "usage_date"]
    usual, here = clean("usage_daily"), stored("usage_daily")
    here = here[~here["user_key"].map(stranger)]
    both = usual.merge(here, on=key, suffixes=("", "_here"))
    assert len(both) == len(here)
    for column in ("events", "sessions", "active_minutes", "available_at"):
        assert (both[column] == both[f"{column}_here"]).all()
    report = ingested("dirty")[1]
    with quarantine_file(ingested("dirty")[0], "usage_daily", report.load_id).open() as lines:
        cells = [json.loads(line)["cells"] for line in lines]
    refused = {tuple(each[name] for name in key) for each in cells if not stranger(each["user_key"])}
    lost = {tuple(map(str, row)) for row in usual[key].itertuples(index=False)}
    lost -= {tuple(map(str, row)) for row in here[key].itertuples(index=False)}
    spans = table(written("dirty")[0], "truth/blackouts")
    dark = {
        row
        for row in lost
        for first, last in zip(spans["first_day"], spans["last_day"], strict=True)
        if str(first) <= row[-1] <= str(last)
    }
    assert lost - dark == refused
    assert len(dark) > 1000


def stranger(user: str) -> bool:
    """Bots and testers."""
    return user.startswith("svc-") or user == "tester"


def test_nobody_has_usage_in_a_blackout() -> None:
    days = stored("usage_daily")["usage_date"]
    spans = table(written("dirty")[0], "truth/blackouts")
    assert [(last - first).days + 1 for first, last in zip(spans["first_day"], spans["last_day"], strict=True)] == [
        10,
        14,
    ]
    for first, last in zip(spans["first_day"], spans["last_day"], strict=True):
        assert not ((days >= first) & (days <= last)).any()
        assert (days == first - timedelta(days=3)).any()
        assert (days == last + timedelta(days=3)).any()


def test_sources_are_missing_for_the_named_accounts_and_for_no_others(accounts: pd.DataFrame) -> None:
    assert accounts["missing_production"].sum() == round(0.4 * ACCOUNTS)
    assert accounts["missing_surveys"].sum() == round(0.3 * ACCOUNTS)
    for names, flag in ((PRODUCTION, "missing_production"), (SURVEYS, "missing_surveys")):
        without = set(accounts.index[accounts[flag]])
        for name in names:
            told = set(stored(name)["account_id"].str.removeprefix("old-"))
            assert not told & without
            assert told == set(clean(name)["account_id"]) - without
    projects = stored("projects_history")
    assert set(stored("milestones_history")["project_id"]) <= set(clean("projects_history")["project_id"])
    kept = stored("milestones_history").merge(clean("projects_history")[["project_id", "account_id"]].drop_duplicates())
    assert set(kept["account_id"]) <= set(projects["account_id"])


def test_production_and_surveys_arrive_late_but_not_later_than_declared() -> None:
    for name, key, longest in (
        ("assets", "asset_id", timedelta(hours=24)),
        ("survey_responses", "response_id", timedelta(days=14)),
    ):
        both = clean(name).merge(stored(name), on=key, suffixes=("", "_here"))
        late = both["available_at_here"] - both["available_at"]
        assert late.min() >= timedelta(0)
        assert longest / 2 < late.max() <= longest
        assert (both["event_at_here"] == both["event_at"]).all()


def test_a_corrected_invoice_is_wrong_until_the_correction_is_known(dirt: pd.DataFrame) -> None:
    rows = stored("invoices_history").sort_values("available_at")
    twice = rows[rows.duplicated(["invoice_id", "valid_from"], keep=False)].groupby(["invoice_id", "valid_from"])
    assert 0 < twice.ngroups <= planted(dirt, "invoices_history", "corrected later")
    for _, versions in twice:
        wrong, right = versions.to_dict("records")
        assert wrong["amount_due_minor"] == pytest.approx(1.1 * right["amount_due_minor"], abs=1)
        assert timedelta(hours=1) <= right["available_at"] - wrong["available_at"] <= timedelta(days=30)
        assert right["recorded_at"] > wrong["recorded_at"]


def test_naive_times_are_those_of_the_head_office_summer_and_winter(accounts: pd.DataFrame) -> None:
    zones = clean("accounts_history").drop_duplicates("account_id").set_index("account_id")["hq_tz"]
    offsets: Counter[float] = Counter()
    with (written("dirty")[0] / "tickets_history.csv").open() as lines:
        for row in csv.DictReader(lines):
            account = row["account_id"].removeprefix("old-")
            if account not in accounts.index:
                continue
            naive = not row["created_at"].endswith("Z")
            assert naive == accounts.loc[account, "naive_time"]
            if naive:
                local = pd.Timestamp(row["valid_from"]).to_pydatetime()
                moment = pd.Timestamp(row["event_at"])
                assert moment.tz_convert(ZoneInfo(zones[account])).tz_localize(None).floor("s") == local
                offsets[(local - moment.tz_localize(None).to_pydatetime()).total_seconds() / 3600] += 1
    # More offsets than zones: clocks were changed in between.
    assert len(offsets) > zones[accounts.index[accounts["naive_time"]]].nunique()


def test_tickets_without_a_zone_are_refused_and_no_other_ticket_of_those_accounts_is_in(accounts: pd.DataFrame) -> None:
    told = stored("tickets_history")["account_id"].str.removeprefix("old-")
    assert not set(told) & set(accounts.index[accounts["naive_time"]])
    assert len(set(told)) > 10


def test_a_merged_account_goes_by_its_old_id_until_the_merge(accounts: pd.DataFrame) -> None:
    merged = accounts[accounts["old_id"].notna()]
    assert len(merged) == 1
    name, row = merged.index[0], merged.iloc[0]
    alias = stored("account_aliases").iloc[0]
    assert (alias["source_account_key"], alias["account_id"], alias["match_rule"]) == (row["old_id"], name, "merge")
    states = stored("accounts_history").query("account_id == @row.old_id").sort_values("valid_from")
    assert states["acquired_by_account_id"].tolist()[-1] == name
    assert row["old_id"] not in set(stored("contracts_history")["account_id"])


def test_other_currencies_say_the_same_value_at_the_planted_rate(accounts: pd.DataFrame) -> None:
    foreign = accounts[accounts["currency"] != "USD"]
    assert len(foreign) == round(0.15 * ACCOUNTS)
    minor = {"USD": 1.0, "EUR": 1 / 1.10, "GBP": 1 / 1.25, "JPY": 1 / 0.007 / 100}
    both = clean("contracts_history").merge(
        stored("contracts_history"), on=["contract_id", "valid_from"], suffixes=("", "_here")
    )
    real = both[both["account_id"].isin(accounts.index)]
    assert (real["currency_here"] == real["account_id"].map(accounts["currency"])).all()
    value = real["acv_minor"] * real["currency_here"].map(minor)
    assert (np.abs(value - real["acv_minor_here"]) <= 0.5 + 1e-9 * value).all()
    assert set(stored("payments")["currency"]) <= set(CURRENCIES)
    rates = stored("fx_rates").groupby("currency")["to_reporting"].mean()
    assert rates.to_dict() == pytest.approx({"USD": 1.0, "EUR": 1.10, "GBP": 1.25, "JPY": 0.007}, rel=0.01)


def test_test_accounts_and_bots_are_there_to_be_kept_out(accounts: pd.DataFrame, dirt: pd.DataFrame) -> None:
    states = stored("accounts_history")
    assert states.loc[states["account_id"].str.startswith("acc-test-"), "is_test"].all()
    assert states["is_test"].isin([True]).sum() == 1
    usage = stored("usage_daily")
    bots = usage[usage["user_key"].str.startswith("svc-")]
    assert set(bots["account_id"]) == set(accounts.index[accounts["bot"]])
    assert bots["events"].min() > clean("usage_daily")["events"].quantile(0.99)
    assert dict(dirt[dirt["table"] == ""].set_index("kind")["planted"]).keys() == {
        "bot",
        "old id",
        "rate",
        "test account",
    }
