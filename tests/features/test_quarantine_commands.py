"""What do `pulse quarantine list`, `show` and `replay` tell, and to whom do they show customers' data?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.settings import Home
from pulse import app
from tests.features.replay_case import edit, file_of, put
from tests.features.source_case import home_in, take_in, write_accounts, write_usage

SECRET = "Aurora Pictures"  # noqa: S105 - a customer's name, to be looked for


def pulse(home: Home, *words: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, everything that was said, and the document."""
    document = home.root.parent / "told.json"
    done = CliRunner().invoke(app, ["quarantine", *words, "--home", str(home.root), "--json", str(document)])
    return done.exit_code, done.stdout + done.stderr, json.loads(document.read_text())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three refused rows of two tables; one cell holds a name."""
    place = home_in(tmp_path)
    write_accounts(tmp_path / "in", f"a1,soon,{SECRET},studio,UTC", "a2,2024-01-01T00:00:00Z,B,studio,UTC")
    write_usage(tmp_path / "in", *(f"a2,u{number},s,core,2024-01-01,-1,1" for number in range(2)))
    take_in(place, tmp_path / "in")
    return place


def test_the_list_counts_per_table_load_column_and_rule_and_shows_no_cell(home: Home) -> None:
    code, said, document = pulse(home, "list")
    load = file_of(home, "usage_daily").stem
    assert (code, document) == (
        0,
        {
            "rows": 3,
            "reasons": [
                {"table": "accounts_history", "load": load, "column": "valid_from", "rule": "type", "rows": 1},
                {"table": "usage_daily", "load": load, "column": "sessions", "rule": "minimum", "rows": 2},
            ],
        },
    )
    first, *others = said.splitlines()
    assert first == "3 rows lie in quarantine"
    assert [line.split() for line in others] == [
        ["accounts_history", load, "valid_from", "type", "1"],
        ["usage_daily", load, "sessions", "minimum", "2"],
    ]
    assert pulse(home, "list", "--table", "usage_daily")[2]["rows"] == 2
    assert pulse(home, "list", "--load", load)[2]["rows"] == 3


def test_only_show_shows_cells_and_no_more_than_asked_for(home: Home) -> None:
    load = file_of(home, "usage_daily").stem
    code, said, document = pulse(home, "show", load, "--table", "accounts_history")
    assert (code, document["of"]) == (0, 1)
    assert SECRET in said
    assert document["rows"][0]["cells"]["name"] == SECRET
    assert str(file_of(home, "accounts_history")) in said
    code, said, document = pulse(home, "show", load, "--limit", "2")
    assert (len(document["rows"]), document["of"]) == (2, 3)
    assert "1 more: --limit 3" in said


def test_replay_fails_as_long_as_rows_stay_and_names_no_customer(home: Home) -> None:
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    code, said, document = pulse(home, "replay")
    assert (code, document["new"], document["refused"]) == (4, 2, 1)
    assert document["failure"]["error"] == "RowsQuarantined"
    assert SECRET not in said + json.dumps(document)
    assert [(each["table"], each["new"], each["refused"]) for each in document["files"]] == [
        ("accounts_history", 0, 1),
        ("usage_daily", 2, 0),
    ]
    edit(file_of(home, "accounts_history"), put(valid_from="2023-05-01T00:00:00Z"))
    load = file_of(home, "accounts_history").stem
    assert pulse(home, "replay", load)[0] == 0
    code, said, document = pulse(home, "replay")
    assert (code, said, document) == (0, "nothing lies in quarantine\n", {"files": [], "new": 0, "refused": 0})
    assert pulse(home, "list") == (0, "nothing lies in quarantine\n", {"rows": 0, "reasons": []})


def test_a_load_that_is_not_there_is_told_as_missing(home: Home) -> None:
    for words in (("show", "../../x"), ("replay", "nobody"), ("list", "--table", "texts")):
        code, said, document = pulse(home, *words)
        assert (code, document["failure"]["error"]) == (5, "MissingStateError")
        assert "pulse quarantine list" in said
