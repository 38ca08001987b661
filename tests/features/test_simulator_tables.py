"""Do the written tables tell what happened, no more and no less, as the service will read them?"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest

from features.events import TABLES
from features.simulator import simulate
from features.steps import STEPS, name_run, run_steps
from features.warehouse import empty_table_query, open_engine
from tests.features.simulator_case import START, table

WEEKS = 130


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tables")
    simulate(regime="campaign", accounts=400, seed=5, start=START, weeks=WEEKS, out=out)
    return out


@pytest.fixture(scope="module")
def states(written: Path) -> pd.DataFrame:
    """True h, f and phase per account and week."""
    return table(written, "truth/account_weeks").set_index(["account_id", "week_start"])


def at(states: pd.DataFrame, rows: pd.DataFrame, moment: str) -> pd.DataFrame:
    """The true state of each row's account in the week of its moment; NaN outside the contract."""
    day = rows[moment].dt.floor("D")
    week = day - pd.to_timedelta(day.dt.weekday, unit="D")
    return states.reindex(pd.MultiIndex.from_arrays([rows["account_id"], week])).reset_index(drop=True)


def test_the_cohort_of_the_service_is_the_risk_set_of_the_oracle(written: Path) -> None:
    oracle = table(written, "truth/oracle")
    as_ofs = sorted(oracle["as_of"].unique())[::9]
    oracle = oracle[oracle["as_of"].isin(as_ofs)]
    cohort = cohort_rows(written, [pd.Timestamp(as_of).to_pydatetime() for as_of in as_ofs])
    both = oracle.merge(cohort, on=["account_id", "as_of"], how="outer", indicator=True)
    assert (both["_merge"] != "left_only").all()
    decided = table(written, "truth/decisions").set_index("account_id")["decided_at"]
    # The service sees more only where the notice was given: not known yet, or known and the contract still runs.
    more = both[both["_merge"] == "right_only"]
    assert (more["account_id"].map(decided) <= more["as_of"]).all()
    shared = both[both["_merge"] == "both"]
    assert ((shared["cohort_status"] == "at_risk") == shared["is_at_risk"]).all()
    to_decision = (pd.to_datetime(shared["decision_on"]).dt.tz_localize("UTC") - shared["as_of"]).dt.days
    pd.testing.assert_series_equal(to_decision, shared["days_to_decision"], check_names=False, check_dtype=False)
    assert shared["seats"].notna().all()


def cohort_rows(written: Path, as_ofs: list[object]) -> pd.DataFrame:
    """The service's own cohort over the simulated tables."""
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        for name in TABLES:
            path = written / f"{name}.parquet"
            if path.exists():
                engine.name(f"raw_{name}", [path])
                filled = "'t' AS load_id, 0 AS row_hash, available_at AS ingested_at"
                engine.name_query(name, f"SELECT *, {filled} FROM raw_{name}")
            else:
                engine.name_query(name, empty_table_query(name))
        name_run(engine, as_ofs)
        run_steps(engine, STEPS[: STEPS.index("cohort") + 1], Path(scratch))
        return engine.fetch("SELECT * FROM cohort").to_pandas()


def test_a_contract_knows_no_end_before_the_customer_could_have_told(written: Path) -> None:
    contracts = table(written, "contracts_history")
    monthly = contracts["term_months"] == 1
    ended = contracts[monthly & contracts["end_on"].notna()]
    assert len(ended) > 0
    end = pd.to_datetime(ended["end_on"]).dt.tz_localize("UTC")
    assert (ended["valid_from"] == end + pd.Timedelta(days=1)).all()
    # A renewal is a state from its first day on, never earlier.
    term = contracts[~monthly]
    assert (term["valid_from"] >= pd.to_datetime(term["start_on"]).dt.tz_localize("UTC")).all()


def test_contract_events_tell_the_decisions_and_their_delay(written: Path) -> None:
    events = table(written, "contract_events")
    decisions = table(written, "truth/decisions")
    end = table(written, "usage_daily")["available_at"].max().ceil("D")
    notices = events[events["type"] == "notice_given"].merge(decisions, on="account_id")
    assert (notices["event_at"] == notices["decided_at"]).all()
    assert (notices["available_at"] == notices["known_at"]).all()
    assert set(decisions.loc[decisions["known_at"] < end, "account_id"]) <= set(notices["account_id"])
    ended = events[events["type"].isin(["expired", "cancelled"])].merge(decisions, on="account_id")
    assert (ended["effective_on_x"] == ended["effective_on_y"]).all()
    window = ended["kind"] == "decision_window"
    assert (ended.loc[window, "type"] == "expired").all()
    assert (ended.loc[~window, "type"] == "cancelled").all()


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("tickets_history", "valid_from"),
        ("assets", "created_at"),
        ("asset_versions", "created_at"),
        ("review_events", "happened_at"),
        ("projects_history", "valid_from"),
        ("account_campaigns_history", "known_from"),
        ("survey_invitations", "sent_at"),
    ],
)
def test_all_activity_stops_with_the_contract(written: Path, name: str, moment: str) -> None:
    rows = table(written, name).merge(table(written, "truth/decisions"), on="account_id")
    end = pd.to_datetime(rows["effective_on"]).dt.tz_localize("UTC") + pd.Timedelta(days=1)
    assert len(rows) > 0
    assert (rows[moment] < end).all()


def test_happy_accounts_answer_more_often_and_give_higher_scores(written: Path, states: pd.DataFrame) -> None:
    sent = table(written, "survey_invitations").query("survey_family == 'nps'").reset_index(drop=True)
    answers = table(written, "survey_responses").query("survey_family == 'nps'").reset_index(drop=True)
    h = at(states, sent, "sent_at")["h"]
    answered = sent["invitation_id"].str.replace("npi", "npr").isin(answers["response_id"])
    # sigmoid(-.7 + .5 h) at h = +-1 is .45 and .23
    assert answered[h > 1].mean() > 0.40
    assert answered[h < -1].mean() < 0.27
    score, felt = answers["score_raw"], at(states, answers, "invited_at")["h"]
    middle = felt.abs() < 1
    # Away from the ends of the scale the law holds: 7.3 + 1.3 h.
    slope, level = np.polyfit(felt[middle], score[middle], 1)
    assert level == pytest.approx(7.3, abs=0.2)
    assert slope == pytest.approx(1.3, abs=0.25)
    assert ((answers["score_raw"] / 10 - answers["score_01"]).abs() < 1e-12).all()


def test_tickets_come_more_in_campaigns_and_from_the_unhappy(written: Path, states: pd.DataFrame) -> None:
    tickets = table(written, "tickets_history").drop_duplicates("ticket_id")
    felt = at(states, tickets, "created_at")
    weeks = states[states["is_whole_week"]]
    expected = 0.02 * weeks["seats"] * np.exp(-0.3 * weeks["h"]) * (1 + 0.5 * (weeks["phase"] == "active"))
    for part, weekly in ((felt["phase"] == "active", weeks["phase"] == "active"), (felt["h"] < -1, weeks["h"] < -1)):
        mean = expected[weekly].sum()
        assert abs(part.sum() - mean) < 4 * np.sqrt(mean)
    urgent = tickets["priority"].isin(["high", "urgent"]).to_numpy()
    assert urgent[felt["phase"] == "active"].mean() > 1.4 * urgent[felt["phase"] == "off"].mean()


def test_bad_ratings_come_from_the_unhappy(written: Path, states: pd.DataFrame) -> None:
    ratings = table(written, "survey_responses").query("survey_family == 'csat'").reset_index(drop=True)
    h = at(states, ratings, "invited_at")["h"]
    known = h.notna()
    expected = 1 / (1 + np.exp(1.6 + 0.6 * h[known]))
    bad = ratings.loc[known, "score_01"] < 0.5
    assert abs(bad.sum() - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())


def test_weak_finance_pays_late(written: Path, states: pd.DataFrame) -> None:
    invoices = table(written, "invoices_history").query("status == 'paid' and collection == 'send_invoice'")
    due = pd.to_datetime(invoices["due_on"]).dt.tz_localize("UTC")
    late = (invoices["paid_at"].dt.floor("D") - due).dt.days.reset_index(drop=True)
    f = at(states, invoices.assign(due=due), "due")["f"]
    known = f.notna() & (f.abs() < 1.5)
    slope, level = np.polyfit(f[known], late[known], 1)
    assert slope == pytest.approx(-5, abs=0.8)
    assert level == pytest.approx(-3, abs=0.8)


def test_amounts_add_up(written: Path) -> None:
    invoices = table(written, "invoices_history").query("status != 'void'")
    total = invoices["amount_paid_minor"] + invoices["amount_remaining_minor"]
    assert (total == invoices["amount_due_minor"]).all()
    paid = table(written, "payments").query("status == 'succeeded'").set_index("invoice_id")["amount_minor"]
    due = invoices.drop_duplicates("invoice_id").set_index("invoice_id")["amount_due_minor"]
    assert (paid == due.reindex(paid.index)).all()
    auto = invoices["collection"] == "auto_charge"
    assert invoices.loc[auto, "due_on"].isna().all()
    assert invoices.loc[~auto, "due_on"].notna().all()


def test_deliveries_are_on_time_as_often_as_the_law_says(written: Path, states: pd.DataFrame) -> None:
    accounts = table(written, "projects_history").drop_duplicates("project_id")[["project_id", "account_id"]]
    milestones = table(written, "milestones_history").merge(accounts, on="project_id")
    milestones["due"] = pd.to_datetime(milestones["baseline_on"]).dt.tz_localize("UTC")
    # Milestones due long before the export: late ones are done by then too.
    milestones = milestones[milestones["due"] < milestones["due"].max() - pd.Timedelta(days=120)]
    done = milestones[milestones["status_canonical"] == "done"].reset_index(drop=True)
    felt = at(states, done, "due")
    known = felt["h"].notna()
    logit = 1.3 + 0.35 * felt["h"] - 0.4 * (felt["phase"] == "active")
    noise = np.polynomial.hermite_e.hermegauss(9)
    weights = noise[1] / noise[1].sum()
    chance = sum(weight / (1 + np.exp(-(logit + 0.6 * node))) for node, weight in zip(noise[0], weights, strict=True))
    on_time = pd.to_datetime(done["completed_on"]) <= pd.to_datetime(done["baseline_on"])
    assert on_time[known].mean() == pytest.approx(chance[known].mean(), abs=0.01)


def test_a_version_is_submitted_then_decided_and_sent_back_work_comes_again(written: Path) -> None:
    versions = table(written, "asset_versions").sort_values(["asset_id", "version_no"])
    assert (versions.groupby("asset_id")["version_no"].diff().dropna() == 1).all()
    assert (versions.groupby("asset_id")["created_at"].diff().dropna() > pd.Timedelta(0)).all()
    events = table(written, "review_events").merge(
        versions[["version_id", "created_at", "version_no"]], on="version_id"
    )
    assert (events["happened_at"] > events["created_at"]).all()
    approved = events[events["type"] == "approved"].set_index("asset_id")["version_no"]
    last = versions.groupby("asset_id")["version_no"].max()
    assert approved.index.is_unique
    assert (last.reindex(approved.index) == approved).all()
    # sigmoid(.9 + .3 h) is about .7 for the average account; the campaign's share lowers it.
    assert 0.60 < (approved == 1).mean() < 0.80


def test_no_production_data_without_consent(written: Path) -> None:
    consent = (
        table(written, "accounts_history").drop_duplicates("account_id").set_index("account_id")["consent_pm_data"]
    )
    assert 0.75 < consent.mean() < 0.95
    for name in ("projects_history", "assets", "asset_versions", "review_events"):
        assert consent.reindex(table(written, name)["account_id"].unique()).all()


def test_recorded_participation_finds_the_true_one(written: Path) -> None:
    true = set(table(written, "truth/participation")[["account_id", "campaign_instance_id"]].itertuples(index=False))
    beliefs = table(written, "account_campaigns_history").sort_values("known_from")
    latest = beliefs.drop_duplicates(["account_id", "campaign_instance_id"], keep="last")
    trusted = latest[(latest["confidence"] >= 0.5) & latest["participation"].isin(["declared", "inferred"])]
    found = set(trusted[["account_id", "campaign_instance_id"]].itertuples(index=False))
    started = {pair for pair in true if pair[1] in set(latest["campaign_instance_id"])}
    assert len(found & true) / len(found) > 0.95
    assert len(found & started) / len(started) > 0.8
    declared = beliefs[beliefs["participation"] == "declared"]
    assert (declared["confidence"] == 1).all()
    assert beliefs.loc[beliefs["participation"] == "prior", "confidence"].max() < 0.5


def test_a_competitors_release_is_seen_at_the_start_of_each_shock(written: Path) -> None:
    shocks = table(written, "truth/shocks")
    events = table(written, "market_events")
    export = pd.Timestamp(START, tz="UTC") + pd.Timedelta(weeks=WEEKS)
    first_day = pd.to_datetime(shocks["first_day"]).dt.tz_localize("UTC")
    known = shocks[first_day + pd.Timedelta(days=1) <= export]
    releases = events[events["type"] == "competitor_feature"]
    assert sorted(zip(releases["segment"], releases["announced_on"], strict=True)) == sorted(
        zip(known["segment"], known["first_day"], strict=True)
    )
    reached = table(written, "truth/accounts").set_index("account_id")["susceptible"]
    assert reached.reindex(events["account_id"].dropna()).all()


def test_an_index_is_printed_after_two_weeks_and_revised_once(written: Path) -> None:
    indices = table(written, "market_indices")
    after = (indices["published_at"] - pd.to_datetime(indices["period_end"]).dt.tz_localize("UTC")).dt.days
    assert set(after[indices["revision"] == 0]) == {15}
    assert set(after[indices["revision"] == 1]) == {46}
    assert set(indices["index_code"]) == {"consumption_studio", "consumption_broadcaster", "consumption_agency"}
    first = indices.pivot(index=["index_code", "period_start"], columns="revision", values="value")
    miss = (first[0] / first[1] - 1).dropna()
    assert miss.std() == pytest.approx(0.005, rel=0.35)


def test_seats_rise_at_renewal_of_the_healthy(written: Path, states: pd.DataFrame) -> None:
    events = table(written, "contract_events").query("type == 'renewed'").reset_index(drop=True)
    events = events[events["event_at"] >= pd.Timestamp(START, tz="UTC")].reset_index(drop=True)
    contracts = table(written, "subscription_lines_history")
    seats = contracts.drop_duplicates("contract_id", keep="first").set_index("contract_id")["quantity"]
    change = events["seats_delta"] / seats.reindex(events["contract_id"]).to_numpy()
    h = at(states, events, "event_at")["h"]
    assert change[h > 0.8].mean() > change[h < -0.8].mean()
