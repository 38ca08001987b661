"""`pulse campaigns ...`: what each command tells, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.calendars.rules import calendar_names
from features.settings import Home
from tests.features.campaign_case import done, join, phases, say, vendor
from tests.features.source_case import everything_in, stored, write_text

NOW = "2026-02-02"
TWO = (
    "campaign_id,label,family,active_start_local,active_end_local,event_tz,pre_days,post_days",
    "gala,Gala 2026,awards,2026-03-02,2026-03-15,Europe/Paris,14,14",
    "fair,Fair 2026,custom,2026-03-09,2026-03-10,,14,14",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A vendor who imported two campaigns on 2 February, and moved the gala by a week on the 20th."""
    folder = tmp_path_factory.mktemp("studio")
    home = vendor(folder)
    done(home, "import", write_text(folder, "two.csv", *TWO), now=NOW)
    join(home, folder, "gala_2026", "a1,declared,1", "a2,declined,1", "a3,inferred,0.7", now="2026-02-03")
    join(home, folder, "fair_2026", "a1,prior,0.4", now="2026-02-04")
    done(home, "shift", "gala_2026", "--to", "2026-03-09", "--why", "the hall", now="2026-02-20")
    return home


def test_without_a_calendar_every_question_names_the_next_step_and_writes_nothing(home: Home) -> None:
    for words in (("list",), ("as-of", "2026-01-01")):
        told = done(home, *words, now=NOW)
        assert told.document["campaigns"] == []
        assert "pulse campaigns import" in told.out
        assert ", ".join(calendar_names()) in told.out
    assert not home.root.exists()


def test_a_list_tells_what_is_believed_now(studio: Home) -> None:
    told = done(studio, "list", now="2026-03-10")
    first, second = told.document["campaigns"]
    names = ("campaign_instance_id", "family", "first", "last", "zone", "status", "phase", "accounts")
    assert tuple(first[name] for name in names) == (
        "fair_2026",
        "custom",
        "2026-03-09",
        "2026-03-10",
        "",
        "confirmed",
        "active",
        {"prior": 1},
    )
    assert tuple(second[name] for name in names) == (
        "gala_2026",
        "awards",
        "2026-03-09",
        "2026-03-22",
        "Europe/Paris",
        "moved",
        "active",
        {"declared": 1, "declined": 1, "inferred": 1},
    )
    assert second["known_at"] == "2026-02-20T00:00:00+00:00"
    assert "2 campaign instances, as believed now" in told.out
    assert "1 declared, 1 declined, 1 inferred" in told.out


@pytest.mark.parametrize(("year", "count"), [(2026, 2), (2025, 0)])
def test_a_list_may_be_of_one_year(studio: Home, year: int, count: int) -> None:
    told = done(studio, "list", "--year", year, now="2026-03-10")
    assert len(told.document["campaigns"]) == count
    assert told.out.startswith(f"{count} campaign instances in {year}")


@pytest.mark.parametrize(
    ("day", "first", "status"),
    [("2026-02-19", "2026-03-02", "confirmed"), ("2026-02-21", "2026-03-09", "moved")],
)
def test_the_date_that_was_believed_then(studio: Home, day: str, first: str, status: str) -> None:
    told = done(studio, "as-of", day, "--campaign", "gala", now="2026-05-01")
    (gala,) = told.document["campaigns"]
    assert (gala["first"], gala["status"]) == (first, status)
    assert first in told.out


def test_before_anything_was_known_nothing_was_believed(studio: Home) -> None:
    told = done(studio, "as-of", "2026-02-01", now="2026-05-01")
    assert told.document["campaigns"] == []
    assert told.out.startswith("on 2026-02-01 no campaign was known")


def test_what_is_over_is_not_told_unless_asked_for(studio: Home) -> None:
    assert done(studio, "as-of", "2026-06-01", now="2026-06-01").document["campaigns"] == []
    assert len(done(studio, "as-of", "2026-06-01", "--campaign", "gala", now="2026-06-01").document["campaigns"]) == 1


def test_the_phase_of_an_account_on_a_day_and_how_its_part_is_known(studio: Home) -> None:
    told = done(studio, "as-of", "2026-03-10", "--account", "a1", now="2026-05-01")
    gala, fair = told.document.pop("campaigns")
    assert told.document == {
        "account_id": "a1",
        "as_of": "2026-03-10T00:00:00+00:00",
        "day": "2026-03-10",
        "zone": "America/New_York",
        "phase": "active",
        "rule": "the only live phase is active",
        "conflict": False,
        "live": {"pre": 0, "active": 1, "post": 0},
        "project_phase": None,
    }
    names = ("campaign_instance_id", "participation", "confidence", "takes_part", "phase")
    assert tuple(fair[name] for name in names) == ("fair_2026", "prior", 0.4, False, None)
    assert tuple(gala[name] for name in names) == ("gala_2026", "declared", 1.0, True, "active")
    assert gala["active_start"] == "2026-03-08T23:00:00+00:00"
    assert "in phase active: the only live phase is active" in told.out
    assert "project phase: no basis" in told.out


@pytest.mark.parametrize(
    ("account", "day", "phase"),
    [
        # As believed then: by the first date until the 20th, by the second from then on.
        ("a1", "2026-02-17", "pre"),
        ("a1", "2026-02-21", "none"),
        ("a1", "2026-02-24", "pre"),
        # 9 March begins in Paris when it is 8:00 in Tokyo and 19:00 on the 8th in New York.
        ("a1", "2026-03-08", "pre"),
        ("a3", "2026-03-08", "pre"),
        ("a3", "2026-03-09", "active"),
        ("a2", "2026-03-09", "none"),
    ],
)
def test_the_day_is_the_accounts_own_and_the_belief_that_of_the_day(
    studio: Home, account: str, day: str, phase: str
) -> None:
    assert done(studio, "as-of", day, "--account", account, now="2026-05-01").document["phase"] == phase


def test_a_part_in_nothing_is_told(studio: Home) -> None:
    told = done(studio, "as-of", "2026-03-10", "--account", "a1", "--campaign", "other", now="2026-05-01")
    assert told.document["campaigns"] == []
    assert "nothing was known of a part in other" in told.out


@pytest.mark.parametrize(("account", "day"), [("nobody", "2026-03-10"), ("a1", "2025-01-05")])
def test_an_account_that_was_not_known_is_an_error_of_its_own(studio: Home, account: str, day: str) -> None:
    told = say(studio, "as-of", day, "--account", account, now="2026-05-01")
    assert (told.code, told.document["failure"]["error"]) == (6, "UnknownAccount")


def test_a_home_without_accounts_says_so(home: Home) -> None:
    told = say(home, "as-of", "2026-03-10", "--account", "a1", now=NOW)
    assert (told.code, told.document["failure"]["error"]) == (5, "MissingStateError")


def test_our_calendars_are_imported_by_name_for_three_years_and_twice_adds_nothing(home: Home) -> None:
    told = done(home, "import", "upfronts", now="2026-01-10")
    assert (told.document["entries"], told.document["new"]) == (6, 6)
    rows = done(home, "list", now="2026-01-10").document["campaigns"]
    assert [(row["campaign_instance_id"], row["first"], row["last"], row["status"]) for row in rows[:2]] == [
        ("upfronts_2026", "2026-04-20", "2026-05-14", "tentative"),
        ("cannes_lions_2026", "2026-06-01", "2026-06-26", "tentative"),
    ]
    assert rows[0]["source"] == "rule, within 0 days"
    before = everything_in(home)
    again = done(home, "import", "upfronts", now="2026-01-11")
    assert (again.document["new"], again.document["unchanged"], again.document["ingest"]) == (0, 6, None)
    assert everything_in(home) == before


def test_a_shift_by_hand_is_stronger_than_the_rule_that_is_imported_again(home: Home) -> None:
    done(home, "import", "upfronts", "--years", "2026", now="2026-01-10")
    done(home, "shift", "upfronts_2026", "--to", "2026-04-27", "--why", "new hall", now="2026-01-11")
    told = done(home, "import", "upfronts", "--years", "2026", now="2026-01-12")
    assert (told.document["older"], told.document["changed"]) == (1, 0)
    assert done(home, "list", now="2026-01-12").document["campaigns"][0]["first"] == "2026-04-27"


def test_a_backfill_of_a_calendar_knows_the_shifts_of_2020_on_their_days(home: Home) -> None:
    done(home, "import", "sports", "--years", "2019-2022", "--backfill", now="2026-01-10")

    def status(day: str, campaign: str) -> list[str]:
        told = done(home, "as-of", day, "--campaign", campaign, now="2026-01-10")
        return [f"{row['campaign_instance_id']} {row['status']}" for row in told.document["campaigns"]]

    assert status("2020-03-11", "march_madness_2020") == ["march_madness_2020 tentative"]
    assert status("2020-03-12", "march_madness_2020") == ["march_madness_2020 cancelled"]
    assert status("2020-03-29", "summer_games") == ["summer_games_2020 tentative"]
    (games,) = done(home, "as-of", "2020-03-30", "--campaign", "summer_games", now=NOW).document["campaigns"]
    assert (games["first"], games["last"], games["status"]) == ("2021-06-25", "2021-08-08", "moved")


def test_a_calendar_from_another_program_comes_in_as_ics_and_its_dates_are_listed(home: Home, tmp_path: Path) -> None:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z"]
    lines += ["SUMMARY:Award Season 2027", "DTSTART;VALUE=DATE:20270125", "DTEND;VALUE=DATE:20270315"]
    lines += ["CATEGORIES:AWARDS", "END:VEVENT", "END:VCALENDAR"]
    done(home, "import", write_text(tmp_path, "cal.ics", *lines), now=NOW)
    (row,) = done(home, "list", now=NOW).document["campaigns"]
    names = ("campaign_instance_id", "label", "family", "first", "last", "zone")
    assert tuple(row[name] for name in names) == (
        "award_season_2027",
        "Award Season 2027",
        "awards",
        "2027-01-25",
        "2027-03-14",
        "",
    )


def test_what_is_listed_can_be_imported_into_another_home_and_is_the_same(studio: Home, tmp_path: Path) -> None:
    listed = done(studio, "list", now="2026-03-10").document["campaigns"]
    header = ("campaign_id", "campaign_instance_id", "label", "family", "pre_days", "post_days", "status", "source")
    cells = [[str(row[name] or "") for name in header] + [row["first"], row["last"], row["zone"]] for row in listed]
    columns = ",".join((*header, "active_start_local", "active_end_local", "event_tz"))
    other = Home(root=tmp_path / "other")
    done(other, "import", write_text(tmp_path, "all.csv", columns, *map(",".join, cells)), now="2026-03-10")
    copied = done(other, "list", now="2026-03-10").document["campaigns"]
    ours = ("known_at", "accounts")
    assert [{name: row[name] for name in row if name not in ours} for row in copied] == [
        {name: row[name] for name in row if name not in ours} for row in listed
    ]


def test_refused_rows_are_told_after_the_good_ones_are_in(home: Home, tmp_path: Path) -> None:
    bad = write_text(tmp_path, "bad.csv", *TWO, "late,Late,custom,2026-04-31,2026-05-02,,14,14")
    told = say(home, "import", bad, now=NOW)
    assert (told.code, told.document["failure"]["error"], told.document["new"]) == (4, "RowsQuarantined", 3)
    assert len(done(home, "list", now=NOW).document["campaigns"]) == 2
    assert len(stored(home, "campaign_instances_history", "known_from")) == 2


@pytest.mark.parametrize(
    ("words", "refusal", "found"),
    [
        pytest.param(("import", "spors"), (2, "ConfigError"), "spors", id="no such calendar"),
        pytest.param(("import", "sports", "--years", "26"), (2, "UsageError"), "26", id="no years"),
        pytest.param(("import", "sports", "--years", "2027-2026"), (2, "UsageError"), "2027-2026", id="backwards"),
        pytest.param(("import", "FILE", "--years", "2026"), (2, "UsageError"), "2026", id="years of a file"),
        pytest.param(("import", "FILE", "--backfill"), (2, "UsageError"), "none in 2 of 2", id="since when?"),
        pytest.param(("as-of", "tomorrow"), (2, "UsageError"), "tomorrow", id="no date"),
        pytest.param(("shift", "x", "--why", "y"), (2, "UsageError"), "neither", id="to when?"),
        pytest.param(
            ("shift", "x", "--to", "2026-01-01", "--cancel", "--why", "y"), (2, "UsageError"), "both", id="both"
        ),
        pytest.param(("shift", "x", "--cancel", "--why", "y"), (5, "MissingStateError"), "none", id="no calendar"),
        pytest.param(("infer",), (5, "MissingStateError"), "none in", id="nothing to guess by"),
        pytest.param(("infer", "--as-of", "2026-03-01"), (2, "UsageError"), "2026-03-01", id="a guess at the future"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_code(
    home: Home, tmp_path: Path, words: tuple[str, ...], refusal: tuple[int, str], found: str
) -> None:
    file = write_text(tmp_path, "two.csv", *TWO)
    told = say(home, *(file if word == "FILE" else word for word in words), now=NOW)
    assert (told.code, told.document["failure"]["error"]) == refusal
    assert found in told.document["failure"]["found"]
    assert told.document["failure"]["todo"] in told.err
    assert not home.root.exists()


def test_a_cancelled_campaign_ends_in_the_snapshots_that_are_built_later(studio: Home, tmp_path: Path) -> None:
    home = vendor(tmp_path)
    done(home, "import", write_text(tmp_path, "two.csv", *TWO), now=NOW)
    join(home, tmp_path, "gala_2026", "a1,declared,1", now="2026-02-03")
    told = done(home, "shift", "gala", "--cancel", "--why", "no sponsor", now="2026-02-25")
    assert "cancelled" in told.out
    assert told.document["after"]["status"] == "cancelled"
    assert {day: rows["a1"] for day, rows in phases(home, "2026-02-23", "2026-03-09").items()} == {
        "2026-02-23": "pre",
        "2026-03-02": "none",
        "2026-03-09": "none",
    }
