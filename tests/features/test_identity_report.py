"""Does a person see who is who in numbers, and are they those that were planted?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features.identity_report import IdentityReport, identity_report
from features.settings import Home
from pulse import app
from tests.features.identity_case import alias
from tests.features.made_up_rows import COMPANY, FIRST
from tests.features.push_case import load
from tests.features.regime_case import ACCOUNTS, NOW, ingested, written
from tests.features.simulator_case import table
from tests.features.source_case import home_in, take_in, write_accounts, write_usage
from tests.features.test_point_in_time import everything

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def accounts() -> pd.DataFrame:
    """What was planted, by account."""
    return table(written("dirty")[0], "truth/dirty_accounts").set_index("account_id")


def test_the_counts_of_a_dirty_company_are_those_that_were_planted(accounts: pd.DataFrame) -> None:
    report = identity_report(ingested("dirty")[0], NOW)
    merged = int(accounts["old_id"].notna().sum())
    assert merged == report.merged == report.aliases["merge"] > 0
    assert report.accounts == ACCOUNTS + report.left_out.test_accounts
    assert report.left_out.test_accounts == 1
    assert report.left_out.internal_accounts == 0
    # A test account has a user who never sleeps, too.
    bots = int(accounts["bot"].sum())
    assert report.left_out.users == {"bot": bots + report.left_out.test_accounts}
    assert (report.circular, report.unknown_targets, report.unmatched, report.waiting) == (0, 0, {}, {})


def test_before_the_merger_was_known_there_was_none(accounts: pd.DataFrame) -> None:
    moment = datetime.combine(accounts["merged_on"].dropna().min(), datetime.min.time(), tzinfo=UTC)
    before, after = (identity_report(ingested("dirty")[0], at) for at in (moment, moment + DAY))
    assert (before.merged, before.aliases, after.merged) == (0, {}, 1)
    # The old id was an account of its own until then.
    assert before.accounts == after.accounts + 1


def test_a_clean_company_has_nobody_to_leave_out(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home").prepare()
    for name, rows in everything(4).items():
        load(home, name, rows, "first")
    report = identity_report(home, NOW)
    assert (report.aliases, report.merged, report.unmatched, report.waiting) == ({}, 0, {}, {})
    assert report.left_out.users == report.left_out.rows == {}
    told = "\n".join(report.lines())
    assert "every row bears the id of its account" in told
    assert "no stored row is without its account" in told


def test_an_empty_home_says_so_and_what_to_do(tmp_path: Path) -> None:
    report = identity_report(home_in(tmp_path), FIRST)
    assert report.lines() == [f"on {FIRST.date()} no account was known: run `pulse ingest DIR`"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A family of three, one of them by the old id of its owner; a circle; rows of nobody."""
    home = Home(root=tmp_path / "home").prepare()
    (state, *_) = COMPANY["accounts_history"]
    owners = {"a": "p-old", "b": "p", "p": None, "x": None, "y": None, "ours": None}
    cells = {**state, "available_at": FIRST, "op": "upsert"}
    told = [
        {**cells, "account_id": name, "parent_account_id": owner, "is_internal": name == "ours"}
        for name, owner in owners.items()
    ]
    load(home, "accounts_history", told, "first")
    aliases = [alias("p-old", "p", FIRST, "merge"), alias("x", "y", FIRST), alias("y", "x", FIRST)]
    load(home, "account_aliases", [*aliases, alias("k", "gone", FIRST, "explicit")], "first")
    used = {"product_sku": "s", "usage_date": FIRST.date(), "available_at": FIRST, "op": "upsert"}
    load(home, "usage_daily", [{"account_id": name, **used} for name in ("a", "p-old", "k", "nobody")], "first")
    return home


def test_families_circles_and_rows_of_nobody_are_counted(home: Home) -> None:
    report = identity_report(home, FIRST + DAY)
    assert (report.families, report.accounts_in_families) == (1, 3)
    assert (report.merged, report.circular, report.unknown_targets) == (0, 2, 1)
    assert report.unmatched == {"usage_daily": 2}
    assert report.left_out.internal_accounts == 1
    told = "\n".join(report.lines())
    assert "1 of 3 accounts" in told
    assert "2 stand for each other in a circle" in told
    assert "2 usage_daily" in told


def test_rows_that_wait_for_their_account_are_counted_by_table(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    write_accounts(tmp_path / "in")
    write_usage(tmp_path / "in", *(f"stranger,u{n},s,core,2024-01-01,1,1" for n in range(3)))
    take_in(home, tmp_path / "in")
    assert identity_report(home, NOW).waiting == {"usage_daily": 3}


def test_the_command_tells_the_same_to_people_and_to_programs(home: Home, tmp_path: Path) -> None:
    document = tmp_path / "told.json"
    words = ["identity", "status", "--as-of", f"{(FIRST + DAY).date()}", "--home", str(home.root)]
    done = CliRunner().invoke(app, [*words, "--json", str(document)])
    report: IdentityReport = identity_report(home, FIRST + DAY)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == report.lines()
    assert json.loads(document.read_text()) == json.loads(json.dumps(report.document()))
    # Counts only: no id of anybody.
    assert "nobody" not in done.stdout.replace("for nobody", "").replace("that nobody told of", "")
