"""`pulse sources status`: what a person and a program are told, and when it fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.errors import ConfigError
from features.settings import Home
from features.sources.brought import brought
from features.stewards import FILE, stewards_of
from tests.features.source_case import everything_in, take_in, write_text
from tests.walk_case import pulse

LAST = datetime(2024, 5, 30)  # noqa: DTZ001 - a day for a file


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A help desk that sent one ticket a day in April and May, the last one on Thursday 30 May; Ada keeps it."""
    folder = tmp_path_factory.mktemp("desk")
    days = [LAST - timedelta(days=number) for number in range(60)]
    write_text(
        folder / "raw",
        "tickets_history.csv",
        "source_system,ticket_id,account_id,valid_from,created_at,status",
        *(
            f"desk,t{number},a1,{day:%Y-%m-%d}T08:00:00Z,{day:%Y-%m-%d}T08:00:00Z,open"
            for number, day in enumerate(days)
        ),
    )
    home = Home(root=folder / "home")
    assert take_in(home, folder / "raw").refused == 0
    (home.root / FILE).write_text("desk: Ada, support operations\n")
    return home


def test_without_a_row_the_next_step_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    told = pulse("sources", "status", "--as-of", "2024-06-03", home=tmp_path / "home")
    assert (told.code, told.document) == (0, {"as_of": "2024-06-03T00:00:00+00:00", "sources": []})
    assert told.stdout == "on 2024-06-03 no row of any source was known: run `pulse ingest DIR`\n"
    strict = pulse("sources", "status", "--as-of", "2024-06-03", "--strict", home=tmp_path / "home")
    assert (strict.code, strict.document["failure"]["found"]) == (5, "no row at all")
    assert not (tmp_path / "home").exists()


def test_a_late_source_is_told_in_words_and_in_numbers(home: Home) -> None:
    before = everything_in(home)
    told = pulse("sources", "status", "--as-of", "2024-06-03", home=home.root)
    sentence = (
        "the last rows came 4 days ago, usually at most 1 day pass; 25 rows in 4 weeks where 28 were expected from "
        "the 26 weeks before"
    )
    assert told.code == 0
    assert told.stdout == (
        "1 source tables as known on 2024-06-03: 1 late\n"
        "late      desk / tickets_history\n"
        f"          {sentence}\n"
        "          steward: Ada, support operations\n"
    )
    (source,) = told.document["sources"]
    assert source == {
        "source_system": "desk",
        "table": "tickets_history",
        "state": "late",
        "sentence": sentence,
        "steward": "Ada, support operations",
        "newest_event_at": "2024-05-30T08:00:00+00:00",
        "newest_available_at": "2024-05-30T09:00:00+00:00",
        "age_days": 4,
        "usual_gap_days": 1,
        "rows_4_weeks": 25,
        "expected_rows_4_weeks": 28.0,
        "fewest_rows_4_weeks": pytest.approx(8.4),
        "most_rows_4_weeks": 84.0,
        "compared_with": "the 26 weeks before",
        "share_told_8_weeks": None,
        "share_told_before": None,
        "complete_until": None,
        "heartbeat_ok": None,
    }
    assert everything_in(home) == before, "asking writes nothing"


@pytest.mark.parametrize(("day", "code"), [("2024-05-31", 0), ("2024-06-03", 5), ("2024-06-13", 5)])
def test_strict_fails_while_a_source_is_late_or_silent(home: Home, day: str, code: int) -> None:
    told = pulse("sources", "status", "--as-of", day, "--strict", home=home.root)
    assert told.code == code
    assert len(told.document["sources"]) == 1, "the table is told with the failure"
    if code:
        assert told.document["failure"]["error"] == "MissingStateError"
        assert told.document["failure"]["found"] == "1 of 1 source tables late or silent"


def test_without_a_date_it_is_now(home: Home) -> None:
    (source,) = pulse("sources", "status", home=home.root).document["sources"]
    assert source["state"] == "silent", "the desk's last ticket is years old"


def test_stewards_are_those_of_the_mappings_and_the_file_of_the_home_is_stronger(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    ours = {each.mapping.source_system: each.mapping.steward for each in brought() if each.mapping.steward}
    assert stewards_of(home) == ours
    assert ours["stripe"] == "whoever runs billing"
    (tmp_path / FILE).write_text("stripe: Bo\nown_desk: Cleo\n")
    assert stewards_of(home) == {**ours, "stripe": "Bo", "own_desk": "Cleo"}
    (tmp_path / FILE).write_text("# nobody yet\n")
    assert stewards_of(home) == ours


@pytest.mark.parametrize("text", ["- Ada\n", "desk: [Ada]\n", "desk:\n", "desk: ' '\n", "desk: 'Ada\n", "just words\n"])
def test_a_file_of_stewards_that_says_something_else_is_refused(home: Home, tmp_path: Path, text: str) -> None:
    other = Home(root=tmp_path)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError, match=FILE) as refused:
        stewards_of(other)
    assert "Ada" not in str(refused.value)
    assert pulse("sources", "status", "--as-of", "2024-06-03", home=tmp_path).code == 2


def test_a_file_of_stewards_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes("desk: Zoë\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        stewards_of(Home(root=tmp_path))
