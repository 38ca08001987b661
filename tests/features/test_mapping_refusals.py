"""Is a wrong description refused by name, before anything is written?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError, DataContractError
from features.sources.mapping import Mapping, TableMapping, load_mapping
from tests.features.mapping_case import TICKETS, USAGE, take_orders, write_mapping
from tests.features.source_case import (
    everything_in,
    home_in,
    only,
    quarantined,
    write_text,
)


@pytest.mark.parametrize(("strange", "of", "taken"), [(2, 100, True), (3, 100, False), (1, 1, False)])
def test_new_words_of_a_source_are_refused_one_by_one_up_to_two_percent_and_then_as_a_whole(
    tmp_path: Path, strange: int, of: int, taken: bool
) -> None:
    rows = [f"{number},a1,{'?' if number < strange else 'o'},2024-01-01,1,1" for number in range(of)]
    if taken:
        home, report = take_orders(tmp_path, TICKETS, *rows)
        assert only(report).quarantined == {"unmapped": strange}
        assert {row["column"] for row in quarantined(home, "tickets_history")} == {"status"}
    else:
        with pytest.raises(DataContractError, match="tickets_history: values of status have no entry in the mapping"):
            take_orders(tmp_path, TICKETS, *rows)
        assert everything_in(home_in(tmp_path)) == {}


def test_an_empty_cell_has_no_word_and_needs_no_entry(tmp_path: Path) -> None:
    _, report = take_orders(tmp_path, TICKETS, "1,a1,,2024-01-01,1,1", "2,a1,o,2024-01-01,1,1")
    assert only(report).quarantined == {"required": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": "users"}, "there is no canonical table users"),
        ({"colums": {}}, "Extra inputs are not permitted"),
        ({"columns": {"load_id": "id"}}, "no column load_id that a source may give"),
        ({"columns": {"mood": "id"}}, "no column mood that a source may give"),
        ({"constants": {"account_id": "x"}}, "account_id is mapped and constant"),
        ({"values": {"seats": {}}}, "values of seats, which is neither mapped nor derived"),
        ({"timezone": "Mars/Olympus"}, "no IANA zone"),
        ({"timezone": "+02:00"}, "no IANA zone"),
        ({"lag": "soon"}, "lag"),
        ({"delimiter": ";;"}, "delimiter"),
        (
            {"totals_per_key": True, "columns": {"account_id": "id", "tz": "state"}},
            "tz is neither of the key nor a number",
        ),
        ({"first_per": {"columns": []}}, "first_per"),
        ({"only_in": {"file": "x"}}, "only_in"),
    ],
)
def test_a_mapping_that_says_something_unknown_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=r"the mapping mapping\.yaml cannot be used") as refusal:
        load_mapping(write_mapping(tmp_path, {**USAGE, **change}))
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": {**USAGE["columns"], "sessions": "quantity"}}, "usage_daily.sessions is not allowed"),
        ({"columns": {**USAGE["columns"], "sessions": "(SELECT 1)"}}, "usage_daily.sessions is not allowed"),
        ({"columns": {**USAGE["columns"], "sessions": "qty + 1.5"}}, ""),
        (
            {"columns": {**USAGE["columns"], "sessions": "CAST(day AS DATE) || 1 + qty"}},
            "sessions does not fit its columns",
        ),
        ({"where": "nobody = 1"}, "usage_daily.where is not allowed"),
        ({"derive": {"Day": "qty"}}, "derive of usage_daily cannot be used"),
        ({"derive": {"a": "b", "b": "qty"}}, "usage_daily.a is not allowed"),
        ({"first_per": {"columns": ["nobody"]}}, "first_per of usage_daily cannot be used"),
        ({"only_in": {"file": "orders.csv", "column": "nobody", "of": "customer"}}, "only_in of usage_daily"),
        ({"only_in": {"file": "orders.csv", "column": "id", "of": "nobody"}}, "only_in of usage_daily"),
    ],
)
def test_a_mapping_that_does_not_fit_its_file_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises((ConfigError, DataContractError)) as refusal:
        take_orders(tmp_path, {**USAGE, **change}, "1,a1,o,2024-01-01,1,1")
    assert words in str(refusal.value)
    assert everything_in(home_in(tmp_path)) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": "nowhere.csv"}, "a file that the mapping names cannot be taken"),
        ({"only_in": {"file": "nowhere.csv", "column": "a", "of": "id"}}, "a file that the mapping names"),
        ({"file": "notes.txt"}, "a file that the mapping names cannot be taken"),
        ({"constants": {}}, "orders.csv lacks columns of usage_daily"),
        ({"columns": {**USAGE["columns"], "sessions": "CAST(day AS DATE)"}}, "sessions has the wrong type"),
    ],
)
def test_a_folder_that_does_not_fit_its_mapping_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    write_text(tmp_path / "in", "notes.txt", "hello")
    with pytest.raises(DataContractError, match=words.replace(".", r"\.")):
        take_orders(tmp_path, {**USAGE, **change}, "1,a1,o,2024-01-01,1,1")
    assert everything_in(home_in(tmp_path)) == {}


def test_a_mapping_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    assert load_mapping("datascience365").source_system == "datascience365"
    assert load_mapping(str(write_mapping(tmp_path, USAGE))).source_system == "shop"
    for name in ("nobody", "../mappings/datascience365", "datascience365.yaml"):
        with pytest.raises(ConfigError, match="there is no such mapping") as refusal:
            load_mapping(name)
        assert "datascience365" in refusal.value.expected


@pytest.mark.parametrize("text", ["", "[", "3", "- a", "source_system: x", "a: !!python/object:os.system {}"])
def test_a_mapping_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"the mapping m\.yaml cannot be used"):
        load_mapping(path)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2 days", timedelta(days=2)),
        ("1 hour", timedelta(hours=1)),
        ("P1DT6H", timedelta(days=1, hours=6)),
        ("3 weeks", timedelta(weeks=3)),
    ],
)
def test_a_lag_is_said_in_words_or_in_iso_form(text: str, span: timedelta) -> None:
    assert TableMapping.model_validate({**USAGE, "lag": text}).lag == span


def test_a_mapping_cannot_be_changed_after_it_was_read() -> None:
    mapping = Mapping.model_validate({"source_system": "x", "tables": [USAGE]})
    with pytest.raises(ValueError, match="frozen"):
        mapping.source_system = "y"  # type: ignore[misc]
