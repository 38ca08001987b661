"""Rows that name an account nobody knows, and aliases that lead in a circle: refused with a reason, let in later."""

from __future__ import annotations

from pathlib import Path

from features.settings import Home
from features.sources.owners import in_order_of_need
from features.sources.plan import canonical_plan
from features.sources.report import IngestReport
from tests.features.replay_case import file_of, lines_of, play, waiting
from tests.features.source_case import NOW, home_in, stored, take_in, write_accounts, write_text, write_usage

ALIAS_HEADER = "source_system,source_account_key,account_id,match_rule,confidence,valid_from"


def write_aliases(folder: Path, *rows: str) -> Path:
    return write_text(folder, "account_aliases.csv", ALIAS_HEADER, *rows)


def used(home: Home) -> list[str]:
    return sorted(row["account_id"] for row in stored(home, "usage_daily", "account_id"))


def refused(report: IngestReport) -> dict[str, dict[str, int]]:
    return {table.table: table.quarantined for table in report.tables if table.quarantined}


def test_a_row_of_an_account_that_nobody_knows_waits_with_a_reason_until_the_account_comes(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    write_accounts(tmp_path / "a", "a1,2023-01-01T00:00:00Z,Aurora,studio,UTC")
    write_usage(
        tmp_path / "a", "a1,u,s,core,2024-01-01,1,1", "a2,u,s,core,2024-01-01,1,1", "a3,u,s,core,2024-01-02,1,1"
    )
    report = take_in(home, tmp_path / "a")
    assert refused(report) == {"usage_daily": {"unmatched": 2}}
    assert used(home) == ["a1"]
    assert waiting(home, "usage_daily") == [(2, "account_id", "unmatched"), (3, "account_id", "unmatched")]
    assert lines_of(file_of(home, "usage_daily"))[0]["reason"] == "no account and no alias has this id"
    assert report.replayed is None
    # An account arrives, and an alias of a source: each lets in what waited for it.
    write_accounts(tmp_path / "b", "a2,2023-01-01T00:00:00Z,Birch,studio,UTC")
    later = take_in(home, tmp_path / "b")
    assert later.replayed is not None
    assert (later.replayed.new, later.replayed.refused) == (1, 1)
    assert "1 new, 1 stay" in "\n".join(later.lines())
    assert used(home) == ["a1", "a2"]
    write_aliases(tmp_path / "c", "crm,a3,a1,merge,1,2023-06-01T00:00:00Z")
    last = take_in(home, tmp_path / "c")
    assert last.replayed is not None
    assert (last.replayed.new, last.replayed.refused) == (1, 0)
    # As it came: who owns it is said when it is read.
    assert used(home) == ["a1", "a2", "a3"]
    assert waiting(home, "usage_daily") == []


def test_a_row_that_waited_is_known_from_when_it_would_have_been_known_at_first(tmp_path: Path) -> None:
    home, other = home_in(tmp_path / "x"), home_in(tmp_path / "y")
    write_usage(tmp_path / "u", "a2,u,s,core,2024-01-01,1,1")
    write_accounts(tmp_path / "first", "a1,2023-01-01T00:00:00Z,Aurora,studio,UTC")
    write_accounts(tmp_path / "second", "a2,2023-01-01T00:00:00Z,Birch,studio,UTC")
    for folder in ("first", "u", "second"):
        take_in(home, tmp_path / folder)
    for folder in ("first", "second", "u"):
        take_in(other, tmp_path / folder)
    assert stored(home, "usage_daily", "account_id", "available_at", "row_hash") == stored(
        other, "usage_daily", "account_id", "available_at", "row_hash"
    )


def test_while_no_account_is_known_every_row_is_taken(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    write_usage(tmp_path / "in", "a1,u,s,core,2024-01-01,1,1")
    assert take_in(home, tmp_path / "in").refused == 0


def test_who_may_be_named_is_read_before_whoever_names(tmp_path: Path) -> None:
    # Files come in the order of their names; account_campaigns_history would come before accounts_history.
    write_accounts(tmp_path / "in", "a1,2023-01-01T00:00:00Z,Aurora,studio,UTC")
    write_aliases(tmp_path / "in", "crm,k1,a1,explicit,1,2023-01-01T00:00:00Z")
    header = "account_id,campaign_instance_id,known_from,participation,confidence"
    write_text(tmp_path / "in", "account_campaigns_history.csv", header, "k1,i,2023-02-01T00:00:00Z,declared,1")
    ordered = [work.table for work in in_order_of_need(canonical_plan(tmp_path / "in").tables)]
    assert ordered == ["accounts_history", "account_aliases", "account_campaigns_history"]
    # The key is one of another source than the file's, so it stands for nobody here.
    assert refused(take_in(home_in(tmp_path), tmp_path / "in")) == {"account_campaigns_history": {"unmatched": 1}}


def test_the_key_of_a_source_is_known_in_that_source(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    write_accounts(tmp_path / "in", "a1,2023-01-01T00:00:00Z,Aurora,studio,UTC")
    write_aliases(
        tmp_path / "in", "crm,k1,a1,explicit,1,2023-01-01T00:00:00Z", "crm,k2,gone,merge,1,2023-01-01T00:00:00Z"
    )
    header = "source_system,account_id,user_key,product_sku,feature_code,usage_date,sessions,active_minutes"
    rows = [f"{source},{key},u,s,core,2024-01-01,1,1" for source, key in (("crm", "k1"), ("app", "k1"), ("crm", "k2"))]
    write_usage(tmp_path / "in", *rows, header=header)
    take_in(home, tmp_path / "in")
    # The last stands for an account that nobody told of.
    assert waiting(home, "usage_daily") == [(2, "account_id", "unmatched"), (3, "account_id", "unmatched")]


def test_an_alias_that_closes_a_circle_is_refused_and_one_to_itself_is_not(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    write_aliases(tmp_path / "a", "crm,a,b,merge,1,2023-01-01T00:00:00Z", "crm,s,s,manual,1,2023-01-01T00:00:00Z")
    assert take_in(home, tmp_path / "a").refused == 0
    write_aliases(
        tmp_path / "b",
        "crm,b,c,merge,1,2023-02-01T00:00:00Z",
        "crm,c,a,merge,1,2023-03-01T00:00:00Z",
        "crm,c,d,merge,1,2023-04-01T00:00:00Z",
        # The key of a source is nobody's account id, so nothing leads on from it.
        "crm,d,a,explicit,1,2023-05-01T00:00:00Z",
    )
    report = take_in(home, tmp_path / "b")
    assert refused(report) == {"account_aliases": {"circle": 1}}
    assert waiting(home, "account_aliases") == [(2, "account_id", "circle")]
    assert lines_of(file_of(home, "account_aliases"))[0]["reason"] == "the aliases lead back to the id itself"
    # It stays refused as long as the circle is one.
    assert play(home, now=NOW).refused == 1


def test_rows_whose_mapping_is_gone_go_on_waiting_and_the_load_that_brought_their_account_stands(
    tmp_path: Path,
) -> None:
    home = home_in(tmp_path)
    write_accounts(tmp_path / "a", "a1,2023-01-01T00:00:00Z,Aurora,studio,UTC")
    take_in(home, tmp_path / "a")
    mapping = write_text(
        tmp_path,
        "own.yaml",
        "source_system: own",
        "tables:",
        "  - table: usage_daily",
        "    file: use.csv",
        "    columns: {account_id: who, product_sku: tool, usage_date: day}",
        "    constants: {tz: UTC}",
    )
    write_text(tmp_path / "m", "use.csv", "who,tool,day", "a2,s,2024-01-01")
    take_in(home, tmp_path / "m", mapping=mapping)
    assert waiting(home, "usage_daily") == [(1, "account_id", "unmatched")]
    mapping.unlink()
    write_accounts(tmp_path / "b", "a2,2023-01-01T00:00:00Z,Birch,studio,UTC")
    report = take_in(home, tmp_path / "b")
    assert report.new == 1
    assert report.replayed is not None
    assert (report.replayed.new, report.replayed.refused) == (0, 1)
    assert waiting(home, "usage_daily") == [(1, "account_id", "unmatched")]
