"""Does the record of a home become the right accounts in the right arms, and what is said of them true?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import MissingStateError, UsageError
from features.settings import Home
from features.simulator import simulate
from features.sources import ingest
from features.vocabulary import parse_moment
from tests.walk_case import pulse
from training.acting import Impact, impact
from training.config import TrainingConfig
from training.impact_record import Record, leaving, renewals, use, value_kept
from training.impact_report import lines, store
from training.trial import read_trial

from .warehouse_case import home_with

CUT = parse_moment("2024-06-01")

ACCOUNTS = """
account_id | valid_from | parent_account_id
a1         | 2022-01-01 | p1
a2         | 2022-01-01 | -
a3         | 2022-01-01 | -
"""
CONTRACTS = """
contract_id | account_id | valid_from | start_on   | end_on     | currency | acv_minor
c1          | a1         | 2022-07-01 | 2022-07-01 | 2023-06-30 | USD      | 1000
c1          | a1         | 2023-07-01 | 2023-07-01 | 2024-06-30 | USD      | 1200
c2          | a2         | 2022-07-01 | 2022-07-01 | 2023-06-30 | USD      | 1000
c3          | a3         | 2022-07-01 | 2022-07-01 | 2023-06-30 | EUR      | 1000
c3          | a3         | 2023-07-01 | 2023-07-01 | 2024-06-30 | EUR      | 1000
c9          | a9         | 2024-05-30 | 2024-05-30 | -          | USD      | 100
"""
EVENTS = """
contract_event_id | contract_id | account_id | type         | event_at   | effective_on
e1                | c2          | a2         | notice_given | 2023-05-01 | 2023-06-30
"""
ALERTS = """
alert_id | episode_id | account_id | rule_id | risk_90 | created_at | state | external_refs        | available_at
l1       | p1         | a1         | r       | 0.2     | 2023-02-01 | done  | -                    | 2023-02-01
l2       | p2         | a1         | r       | 0.3     | 2023-04-01 | shed  | crm:9,arm:control    | 2023-04-01
l3       | p3         | a2         | r       | 0.4     | 2023-03-01 | shed  | arm:control          | 2023-03-01
l4       | p4         | a3         | r       | -       | 2023-03-01 | open  | -                    | 2023-03-01
l5       | p5         | a2         | r       | 0.9     | 2023-04-01 | shed  | arm:control          | 2024-07-01
"""
WORK = """
intervention_id | alert_id | account_id | playbook_id | kind | started_at | assigned_arm
i1              | l1       | a1         | call        | call | 2023-02-03 | treated
"""
USAGE = """
account_id | user_key | product_sku | feature_code | usage_date
a1         | u1       | suite       | core         | 2023-01-20
a1         | u1       | suite       | review       | 2023-01-20
a1         | u1       | suite       | core         | 2023-02-03
a1         | u1       | suite       | core         | 2023-03-01
a1         | u2       | suite       | core         | 2023-03-01
a1         | u2       | suite       | core         | 2022-10-01
a2         | u3       | suite       | core         | 2023-02-27
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    home = home_with(
        tmp_path_factory.mktemp("acting") / "home",
        accounts_history=ACCOUNTS,
        contracts_history=CONTRACTS,
        contract_events=EVENTS,
        alerts=ALERTS,
        interventions=WORK,
        usage_daily=USAGE,
    )
    trial = read_trial(home, CUT)
    return Record(home, trial, "control", CUT, TrainingConfig(), works=timedelta(weeks=26), quiet=timedelta(days=7))


def test_an_account_is_in_the_arm_of_its_first_alert_and_its_family_is_its_cluster(record: Record) -> None:
    entries = record.trial.entries.set_index("account_id")
    assert entries["arm"].to_dict() == {"a1": "treated", "a2": "control", "a3": None}
    assert entries["cluster_id"].to_dict() == {"a1": "p1", "a2": "a2", "a3": "a3"}
    assert (record.trial.sizes, record.trial.moved) == ({"control": 1, "treated": 1}, 1)
    # What became known after the cut is not there.
    assert len(record.trial.alerts) == 4


def test_time_at_risk_runs_from_a_week_after_an_alert_to_the_next_one_the_decision_or_half_a_year(
    record: Record,
) -> None:
    rows = leaving(record).set_index("account_id")
    assert rows["events"].to_dict() == {"a1": 0.0, "a2": 1.0}
    # a1: 52 days from 8 February until the work on the next alert is felt, 8 April to 7 October (26 weeks).
    assert rows["days"].to_dict() == {"a1": 59.0 + 182.0, "a2": 54.0}
    assert rows["worked"].to_dict() == {"a1": True, "a2": False}


def test_use_is_days_of_persons_before_the_alert_and_after_the_quiet_week(record: Record) -> None:
    rows = use(record).set_index("account_id")
    # Two features on one day are one day; 3 February lies in the quiet week, 1 October too far back.
    assert rows["before"].to_dict() == {"a1": 1.0, "a2": 1.0}
    assert rows["after"].to_dict() == {"a1": 2.0, "a2": 0.0}


def test_a_renewal_counts_when_the_term_that_ran_has_ended(record: Record) -> None:
    rows = renewals(record).set_index("account_id")
    assert rows["part"].to_dict() == {"a1": 1.0, "a2": 0.0}
    assert {f"{end:%Y-%m-%d}" for end in rows["ends"]} == {"2023-06-30"}
    early = replace(record, cut=parse_moment("2023-07-05"), trial=read_trial(record.home, parse_moment("2023-07-05")))
    assert renewals(early).empty, "a late renewal may still come within the grace"


def test_value_a_year_later_is_that_of_the_contracts_then_and_nothing_of_who_left(record: Record) -> None:
    rows, elsewhere = value_kept(record)
    found = rows.set_index("account_id")
    assert found["whole"].to_dict() == {"a1": 1000.0, "a2": 1000.0}
    assert found["part"].to_dict() == {"a1": 1200.0, "a2": 0.0}
    assert elsewhere == 0


def test_three_accounts_prove_nothing_and_the_page_says_so(record: Record) -> None:
    found = impact(record.home, "revenue", CUT)
    assert all(effect.change.value is None for effect in found.effects)
    told = lines(found)
    assert "accounts per arm: control 1, treated 1" in told[0]
    assert all("cannot be told: an arm has 1 accounts; 10 are needed" in line for line in told[1:5])
    assert told[-2:] == [
        "note: 1 alerted accounts bear no arm and are left out of the comparison",
        "note: 1 accounts have alerts in a second arm; they stay in their first",
    ]
    page = store(record.home, found).read_text()
    assert "Renewals when the term ended" in page
    assert "<img" not in page


def test_without_alerts_or_arms_it_is_said_what_is_missing(tmp_path: Path, record: Record) -> None:
    empty = home_with(tmp_path / "empty", contracts_history=CONTRACTS, accounts_history=ACCOUNTS)
    with pytest.raises(MissingStateError, match="no alert is on record"):
        impact(empty, "trend", CUT)
    bare = ALERTS.replace("arm:control", "x:1")
    armless = home_with(tmp_path / "armless", contracts_history=CONTRACTS, accounts_history=ACCOUNTS, alerts=bare)
    with pytest.raises(MissingStateError, match="no alert bears an arm"):
        impact(armless, "engagement", CUT)
    before_and_after = impact(armless, "trend", CUT)
    assert (before_and_after.effects, before_and_after.arms) == ((), {})
    with pytest.raises(UsageError, match="the arms cannot be compared"):
        impact(record.home, "trend", CUT, control="held-out")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A company in which acting works, by the simulator; without the use of its tools, which is most of its rows."""
    folder = tmp_path_factory.mktemp("world")
    home = Home(root=folder / "home")
    simulate(regime="treated", accounts=260, seed=41, start=date(2021, 1, 4), weeks=156, out=folder / "company")
    kept = {"accounts_history", "contracts_history", "contract_events", "alerts", "interventions"}
    for path in (folder / "company").glob("*.parquet"):
        if path.stem not in kept:
            path.unlink()
    ingest(home, folder / "company", mapping=None, now=datetime(2026, 1, 1, tzinfo=UTC))
    return home


def test_the_arms_on_record_are_those_the_simulator_drew_and_the_commands_tell_them(world: Home) -> None:
    truth = pq.read_table(world.root.parent / "company" / "truth" / "treatment.parquet").to_pandas()
    drawn = truth.sort_values("raised_at").drop_duplicates("account_id").groupby("arm").size().to_dict()
    told = pulse("impact", "trend", "--as-of", "2024-01-01", home=world.root)
    assert (told.code, told.document["arms"]) == (0, drawn)
    found = Impact.model_validate({name: value for name, value in told.document.items() if name != "page"})
    (effect,) = found.effects
    # Who left while work could be felt, by the truth; the effect of an alert begins on the Monday after it.
    felt = truth[(truth["decided_at"] >= truth["works_from"]) & (truth["decided_at"] < truth["works_until"])]
    assert effect.change.positives == pytest.approx(len(felt), abs=2)
    by_arm = felt.groupby("arm").size()
    assert effect.worked is not None
    assert effect.held_out is not None
    assert (effect.worked < effect.held_out) == (by_arm["treated"] < by_arm["control"])
    page = Path(told.document["page"]).read_text()
    assert page.count("<img") == 1 + bool(found.trend and found.trend.spans)
    wrong = pulse("impact", "revenue", "--as-of", "2024-01-01", "--control", "nobody", home=world.root)
    assert wrong.code == 2
    assert "the arms cannot be compared" in wrong.stderr
