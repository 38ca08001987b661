"""Do the steps that bring rows together take exactly the rows that fit, and refuse where the source is unclear?"""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError, DataContractError, IntegrityError, UsageError
from features.sources import looked_up, mapped
from features.sources.mapping import load_mapping
from features.sources.people import salt_file, salt_of
from tests.features.mapping_case import ORDERS, TICKETS, USAGE, take_orders, write_mapping
from tests.features.source_case import (
    everything_in,
    home_in,
    only,
    quarantined,
    refusals,
    stored,
    take_in,
    write_text,
)

LINES: dict[str, Any] = {
    "table": "usage_daily",
    "file": "orders.jsonl",
    "each": {"list": "JSON_EXTRACT_STRING(content, '$.lines')", "item": "line", "number": "turn"},
    "columns": {
        "account_id": "customer",
        "user_key": "CAST(turn AS VARCHAR)",
        "product_sku": "JSON_EXTRACT_STRING(line, '$.sku')",
        "usage_date": "day",
        "events": "JSON_EXTRACT_STRING(line, '$.n')",
    },
}
LOOK_UP: dict[str, Any] = {
    "file": "accounts.csv",
    "column": "site",
    "of": "LOWER(customer)",
    "take": {"account": "UPPER(account)"},
}
LOOKED_UP = {**USAGE, "look_up": [LOOK_UP], "columns": {**USAGE["columns"], "account_id": "account"}}


def take_lines(tmp_path: Path, *rows: str, **more: Any) -> Any:
    home = home_in(tmp_path)
    write_text(tmp_path / "in", "orders.jsonl", *rows)
    return home, take_in(home, tmp_path / "in", mapping=write_mapping(tmp_path, {**LINES, **more}))


def take_looked_up(tmp_path: Path, accounts: list[str], table: dict[str, Any] = LOOKED_UP) -> Any:
    write_text(tmp_path / "in", "accounts.csv", "site,account,kind", *accounts)
    return take_orders(tmp_path, table, "1,North,o,2024-01-01,1,1", "2,South,o,2024-01-01,1,2")


def test_each_element_of_a_list_makes_a_row_and_an_empty_or_missing_list_makes_none(tmp_path: Path) -> None:
    home, report = take_lines(
        tmp_path,
        '{"customer":"a1","day":"2024-01-01","content":{"lines":[{"sku":"x","n":2},{"sku":"y","n":3}]}}',
        '{"customer":"a2","day":"2024-01-01","content":{"lines":[]}}',
        '{"customer":"a3","day":"2024-01-01","content":{}}',
        '{"customer":"a4","day":"2024-01-01","content":{"lines":null}}',
        '{"customer":"a5","day":"2024-01-01"}',
    )
    kept = stored(home, "usage_daily", "account_id", "user_key", "product_sku", "events")
    assert [tuple(row.values()) for row in kept] == [("a1", "1", "x", 2), ("a1", "2", "y", 3)]
    assert (only(report).read, only(report).set_aside, only(report).refused) == (2, 4, 0)


def test_a_bad_element_is_refused_alone_under_the_number_of_its_line(tmp_path: Path) -> None:
    home, report = take_lines(
        tmp_path,
        "no json",
        '{"customer":"a1","day":"2024-01-01","content":{"lines":[{"sku":"x","n":2},{"sku":"y","n":"many"},"z"]}}',
        '{"customer":"a2","day":"2024-01-01","content":{"lines":{"sku":"x"}}}',
    )
    assert [row["product_sku"] for row in stored(home, "usage_daily", "product_sku")] == ["x"]
    assert sorted(refusals(home, "usage_daily")) == [
        (1, "", "malformed"),
        (2, "events", "type"),
        (2, "product_sku", "required"),
        (3, "", "type"),
    ]
    assert only(report).read == 5


def test_a_list_longer_than_its_places_is_refused_before_its_rows_get_mixed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (looked_up, mapped):
        monkeypatch.setattr(module, "PLACES", 2)
    line = '{"customer":"%s","day":"2024-01-01","content":{"lines":[%s]}}'
    x, y, z = (json.dumps({"sku": sku, "n": 1}) for sku in "xyz")
    home, _ = take_lines(tmp_path, line % ("a1", f"{x},{y},{z}"), line % ("a2", f"{x},{y}"))
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id", "product_sku")] == ["a2", "a2"]
    assert refusals(home, "usage_daily") == [(1, "", "type")]


def test_elements_that_repeat_one_another_are_taken_once_and_their_line_s_others_stay(tmp_path: Path) -> None:
    columns = {**LINES["columns"], "user_key": "'u'"}
    line = '{"customer":"a1","day":"2024-01-01","content":{"lines":[%s]}}'
    x, y, other = '{"sku":"x","n":2}', '{"sku":"y","n":2}', '{"sku":"y","n":7}'
    home, report = take_lines(tmp_path, line % f"{x},{x},{y},{other}", columns=columns)
    assert [row["product_sku"] for row in stored(home, "usage_daily", "product_sku")] == ["x"]
    assert (only(report).known, only(report).quarantined) == (1, {"conflict": 2})


def test_a_look_up_takes_the_columns_of_the_one_row_that_fits(tmp_path: Path) -> None:
    home, report = take_looked_up(tmp_path, ["north,a1,x", "south,a2,x", "east,a3,x", ",a4,x"])
    assert stored(home, "usage_daily", "account_id", "sessions") == [
        {"account_id": "A1", "sessions": 1},
        {"account_id": "A2", "sessions": 2},
    ]
    assert (only(report).read, only(report).set_aside, report.unmatched_files) == (2, 0, ())


def test_a_look_up_refuses_rows_without_a_fit_or_with_fits_that_differ_and_never_doubles_one(tmp_path: Path) -> None:
    home, report = take_looked_up(tmp_path, ["north,a1,x", "north,A1,y", "south,a2,x", "south,a3,x"])
    # Two rows for the north say the same account, which is no doubt.
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["A1"]
    assert refusals(home, "usage_daily") == [(2, "", "ambiguous")]
    assert only(report).read == 2
    home, _ = take_looked_up(tmp_path / "again", ["north,a1,x"])
    assert refusals(home, "usage_daily") == [(2, "", "not_found")]


def test_a_look_up_with_an_order_takes_the_first_row_that_fits(tmp_path: Path) -> None:
    table = {**LOOKED_UP, "look_up": [{**LOOK_UP, "first_by": "kind"}]}
    home, report = take_looked_up(
        tmp_path, ["north,a2,2024-02", "north,a1,2024-01", "south,a5,", "south,a4,2024-01"], table
    )
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["A1", "A4"]
    assert only(report).refused == 0


def test_a_look_up_may_look_among_some_rows_only_and_take_null_where_none_fits(tmp_path: Path) -> None:
    found = {**LOOK_UP, "where": "kind = 'main'", "required": False}
    table = {**LOOKED_UP, "look_up": [found], "columns": {**USAGE["columns"], "user_key": "account"}}
    home, report = take_looked_up(tmp_path, ["north,a1,main", "north,a2,old", "south,a3,old"], table)
    assert [row["user_key"] for row in stored(home, "usage_daily", "user_key", "account_id")] == ["A1", None]
    assert only(report).refused == 0


def test_a_later_look_up_uses_what_an_earlier_one_took_and_may_read_nested_keys_of_several_files(
    tmp_path: Path,
) -> None:
    write_text(tmp_path / "in", "sites-1.jsonl", '{"site":{"id":"north"},"owner":"o1"}')
    write_text(tmp_path / "in", "sites-2.jsonl", '{"site":{"id":"south"},"owner":"o2"}')
    write_text(tmp_path / "in", "owners.csv", "owner,account", "o1,a1", "o2,a2")
    hops = [
        {"file": "sites-*.jsonl", "column": "site ->> '$.id'", "of": "LOWER(customer)", "take": {"owner": "owner"}},
        {"file": "owners.csv", "column": "owner", "of": "owner", "take": {"account": "account"}},
    ]
    home, report = take_orders(
        tmp_path, {**LOOKED_UP, "look_up": hops}, "1,North,o,2024-01-01,1,1", "2,South,o,2024-01-01,1,1"
    )
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["a1", "a2"]
    assert report.unmatched_files == ()


def test_files_of_one_pattern_may_leave_out_keys_that_others_have(tmp_path: Path) -> None:
    write_text(tmp_path / "in", "sites-1.jsonl", '{"site":"north","account":"a1"}')
    write_text(tmp_path / "in", "sites-2.jsonl", '{"site":"south"}', '{"site":"south","owner":"o1"}')
    found = {"file": "sites-*.jsonl", "column": "site", "of": "LOWER(customer)", "take": {"account": "account"}}
    table = {**LOOKED_UP, "look_up": [found], "columns": {**USAGE["columns"], "user_key": "account"}}
    home, _ = take_orders(tmp_path, table, "1,North,o,2024-01-01,1,1", "2,South,o,2024-01-01,1,1")
    assert [row["user_key"] for row in stored(home, "usage_daily", "account_id", "user_key")] == ["a1", None]


def test_a_changed_look_up_file_reads_the_same_rows_again(tmp_path: Path) -> None:
    home, _ = take_looked_up(tmp_path, ["north,a1,x", "south,a2,x"])
    write_text(tmp_path / "in", "accounts.csv", "site,account,kind", "north,a7,x", "south,a2,x")
    report = take_in(home, tmp_path / "in", mapping=tmp_path / "mapping.yaml")
    assert (only(report).skipped, only(report).new, only(report).known) == (False, 1, 1)


def test_words_may_be_left_out_and_only_those_that_are_nowhere_are_new(tmp_path: Path) -> None:
    table = {**TICKETS, "leave_out": {"status": ["x", "y"]}}
    rows = [f"{number},a1,{'o' if number < 98 else 'z'},2024-01-01,1,1" for number in range(100)]
    _, report = take_orders(tmp_path, table, *rows, *(f"x{turn},a1,x,2024-01-01,1,1" for turn in range(50)))
    # Two of a hundred, not of a hundred and fifty: rows that are not wanted do not thin out the new words.
    assert (only(report).new, only(report).quarantined, only(report).set_aside) == (98, {"unmapped": 2}, 50)
    rows[0] = rows[0].replace(",o,", ",q,")
    with pytest.raises(DataContractError, match="shop, tickets_history: values of status have no entry") as refusal:
        take_orders(tmp_path / "again", table, *rows, "x,a1,x,2024-01-01,1,1")
    assert refusal.value.found == "no entry in `values` for state in 3.0% of them"


@pytest.mark.parametrize(("good", "taken"), [(49, True), (48, False)])
def test_new_words_are_counted_over_all_files_of_an_entry(tmp_path: Path, good: int, taken: bool) -> None:
    folder, home = tmp_path / "in", home_in(tmp_path)
    write_text(folder, "old.csv", ORDERS, *(f"{row},a1,o,2024-01-01,1,1" for row in range(good)))
    write_text(folder, "new.csv", ORDERS, "x,a1,?,2024-01-01,1,1")
    mapping = write_mapping(tmp_path, {**TICKETS, "file": "*.csv"})
    if taken:
        assert only(take_in(home, folder, mapping=mapping)).quarantined == {"unmapped": 1}
    else:
        with pytest.raises(DataContractError, match=r"entries for all but 2% of the rows; found .* in 2\.0% of them"):
            take_in(home, folder, mapping=mapping)


def test_a_condition_keeps_a_row_in_which_an_earlier_step_failed_to_be_refused(tmp_path: Path) -> None:
    table = {
        **USAGE,
        "derive": {"mode": "state"},
        "values": {"mode": {"o": "open", "d": "done"}},
        "where": "mode IS NOT NULL AND mode = 'open'",
    }
    rows = [f"{turn},a{turn},{'o' if turn else '?'},2024-01-01,1,1" for turn in range(60)]
    home, report = take_orders(tmp_path, table, *rows, "d,b1,d,2024-01-01,1,1")
    assert (only(report).new, only(report).quarantined, only(report).set_aside) == (59, {"unmapped": 1}, 1)
    assert refusals(home, "usage_daily") == [(1, "mode", "unmapped")]


def test_rows_that_are_not_meant_at_all_are_left_out_before_anything_is_looked_up(tmp_path: Path) -> None:
    table = {**LOOKED_UP, "where": "account <> 'A9'"}
    home, report = take_looked_up(tmp_path, ["north,a1,x"], table)
    assert refusals(home, "usage_daily") == [(2, "", "not_found")]
    table = {**table, "only_where": "CAST(qty AS BIGINT) = 1"}
    home, report = take_looked_up(tmp_path / "only", ["north,a1,x"], table)
    assert (only(report).new, only(report).refused, only(report).set_aside) == (1, 0, 1)


def test_rows_are_numbered_within_their_group_after_the_filter(tmp_path: Path) -> None:
    table = {
        **USAGE,
        "where": "state = 'o'",
        "numbered": {"name": "turn", "columns": ["customer"], "order_by": ["day", "qty"]},
        "columns": {**USAGE["columns"], "sessions": "turn"},
    }
    rows = (
        "1,a1,o,2024-01-03,1,1",
        "2,a1,x,2024-01-01,1,1",
        "3,a1,o,2024-01-02,1,1",
        "4,a2,o,2024-01-01,1,1",
    )
    home, _ = take_orders(tmp_path, table, *rows)
    numbered = stored(home, "usage_daily", "account_id", "usage_date", "sessions")
    assert [(row["account_id"], row["usage_date"].day, row["sessions"]) for row in numbered] == [
        ("a1", 2, 1),
        ("a1", 3, 2),
        ("a2", 1, 1),
    ]


def test_rows_without_a_value_repeat_no_other_and_are_not_dropped_as_its_repeats(tmp_path: Path) -> None:
    table = {**USAGE, "first_per": {"columns": ["customer", "state"], "order_by": ["day"]}}
    rows = ("1,a1,,2024-01-01,1,1", "2,a1,,2024-01-02,1,1", "3,a1,o,2024-01-03,1,1", "4,a1,o,2024-01-04,1,1")
    home, report = take_orders(tmp_path, table, *rows)
    assert [row["usage_date"].day for row in stored(home, "usage_daily", "usage_date")] == [1, 2, 3]
    assert only(report).set_aside == 1


def test_the_name_of_a_file_can_say_whose_it_is_and_a_pattern_takes_them_all(tmp_path: Path) -> None:
    folder, home = tmp_path / "in", home_in(tmp_path)
    for account in ("a1", "a2"):
        write_text(folder, f"orders_{account}.csv", ORDERS, "1,?,o,2024-01-01,1,1")
    write_text(folder, "order.csv", ORDERS)
    table = {
        **USAGE,
        "file": "orders_*.csv",
        "file_name": "export",
        "columns": {**USAGE["columns"], "account_id": "REGEXP_EXTRACT(export, 'orders_(.+)[.]csv', 1)"},
    }
    report = take_in(home, folder, mapping=write_mapping(tmp_path, table))
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["a1", "a2"]
    assert (only(report).files, report.unmatched_files) == (("orders_a1.csv", "orders_a2.csv"), ("order.csv",))


def test_an_optional_file_may_be_missing_and_is_told_but_not_all_of_them(tmp_path: Path) -> None:
    tickets = {**TICKETS, "optional": True, "file": "tickets.csv"}
    write_text(tmp_path / "in", "orders.csv", ORDERS, "1,a1,o,2024-01-01,1,1")
    report = take_in(home_in(tmp_path), tmp_path / "in", mapping=write_mapping(tmp_path, USAGE, tickets))
    assert ([table.table for table in report.tables], report.missing_files) == (["usage_daily"], ("tickets.csv",))
    assert "  file tickets.csv: optional, and not in the folder" in report.lines()
    with pytest.raises(UsageError, match="no file of the folder is one that the mapping names") as refusal:
        take_in(home_in(tmp_path / "none"), tmp_path / "in", mapping=write_mapping(tmp_path, tickets))
    assert (refusal.value.expected, refusal.value.found) == ("some of tickets.csv", "orders.csv")


def test_an_optional_entry_whose_look_up_file_is_missing_is_left_out_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_text(folder, "orders.csv", ORDERS, "1,a1,o,2024-01-01,1,1")
    mapping = write_mapping(tmp_path, TICKETS, {**LOOKED_UP, "optional": True})
    report = take_in(home_in(tmp_path), folder, mapping=mapping)
    assert ([table.table for table in report.tables], report.missing_files) == (["tickets_history"], ("accounts.csv",))


def test_a_look_up_in_an_optional_file_takes_null_where_the_folder_lacks_it_and_the_file_is_told(
    tmp_path: Path,
) -> None:
    found = {**LOOK_UP, "required": False, "optional": True}
    table = {**USAGE, "look_up": [found], "columns": {**USAGE["columns"], "user_key": "COALESCE(account, 'nobody')"}}
    write_text(tmp_path / "in", "orders.csv", ORDERS, "1,North,o,2024-01-01,1,1")
    mapping, home = write_mapping(tmp_path, table), home_in(tmp_path)
    report = take_in(home, tmp_path / "in", mapping=mapping)
    assert [row["user_key"] for row in stored(home, "usage_daily", "user_key")] == ["nobody"]
    assert report.missing_files == ("accounts.csv",)
    # The file that comes later is another input: the same rows are read again, and take what it says.
    write_text(tmp_path / "in", "accounts.csv", "site,account,kind", "north,ann,x")
    later = take_in(home, tmp_path / "in", mapping=mapping)
    assert {row["user_key"] for row in stored(home, "usage_daily", "user_key")} == {"nobody", "ANN"}
    assert later.missing_files == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"look_up": [{**LOOK_UP, "optional": True}]}, "a look-up in an optional file needs required: false"),
        ({"leave_out": {"status": ["x"]}}, "leave_out of status, which is no mapped column with values"),
        ({"each": {"list": "state"}}, "each.item"),
        ({"look_up": [{**LOOK_UP, "take": {}}]}, "look_up"),
        ({"numbered": {"name": "n", "columns": [], "order_by": ["day"]}}, "numbered.columns"),
        (
            {"values": {"sessions": {"1": 1}}, "leave_out": {"sessions": ["1"]}},
            "1 is left out of sessions and has an entry in values",
        ),
    ],
)
def test_a_wrong_step_is_refused_when_the_mapping_is_read(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_mapping(write_mapping(tmp_path, {**USAGE, **change}))
    assert words in refusal.value.found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file_name": "State"}, "file_name of usage_daily cannot be used"),
        ({"each": {"list": "state", "item": "Qty"}}, "each of usage_daily cannot be used"),
        ({"each": {"list": "nobody", "item": "line"}}, "usage_daily.each is not allowed"),
        ({"look_up": [{**LOOK_UP, "take": {"qty": "account"}}]}, "look_up of usage_daily cannot be used"),
        ({"look_up": [{**LOOK_UP, "column": "customer"}]}, "look_up in accounts.csv, column is not allowed"),
        ({"look_up": [{**LOOK_UP, "of": "account"}]}, "look_up in accounts.csv is not allowed"),
        ({"numbered": {"name": "n", "columns": ["nobody"], "order_by": ["day"]}}, "numbered of usage_daily"),
        ({"numbered": {"name": "qty", "columns": ["day"], "order_by": ["day"]}}, "numbered of usage_daily"),
        ({"columns": {**USAGE["columns"], "sessions": "STRPTIME(day, '%Q')"}}, "does not fit its columns"),
    ],
)
def test_a_step_that_does_not_fit_its_files_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    write_text(tmp_path / "in", "accounts.csv", "site,account", "north,a1")
    with pytest.raises(ConfigError) as refusal:
        take_orders(tmp_path, {**USAGE, **change}, "1,North,o,2024-01-01,1,1")
    assert words in str(refusal.value)
    assert everything_in(home_in(tmp_path)) == {}


def test_a_person_has_one_key_in_a_home_another_in_another_and_nobody_has_none(tmp_path: Path) -> None:
    table = {**USAGE, "columns": {**USAGE["columns"], "user_key": "PERSON(state)"}}
    rows = ("1,a1,ann,2024-01-01,1,1", "2,a2, ann ,2024-01-01,1,1", "3,a3,bob,2024-01-01,1,1", "4,a4,,2024-01-01,1,1")
    keys = []
    for place in ("one", "two"):
        home, _ = take_orders(tmp_path / place, table, *rows)
        keys.append([row["user_key"] for row in stored(home, "usage_daily", "account_id", "user_key")])
        assert stat.S_IMODE(salt_file(home).stat().st_mode) == 0o600
        assert salt_of(home) == salt_file(home).read_text()
    for ann, same, bob, nobody in keys:
        assert (ann == same, ann == bob, nobody, len(ann)) == (True, False, None, 32)
    assert not set(keys[0]) & set(keys[1]) - {None}


def test_a_damaged_salt_stops_the_load_instead_of_making_everybody_somebody_else(tmp_path: Path) -> None:
    home = home_in(tmp_path).prepare()
    salt_file(home).write_text("short")
    with pytest.raises(IntegrityError, match="the salt of people's keys cannot be used"):
        salt_of(home)


def test_times_of_a_source_s_own_form_become_moments(tmp_path: Path) -> None:
    columns = {
        "ticket_id": "id",
        "valid_from": "STRPTIME(day, '%Y-%m-%dT%H:%M:%S:%g%z')",
        "created_at": "TO_TIMESTAMP(CAST(qty AS DOUBLE) / 1000)",
        "account_id": "customer",
        "status": "state",
    }
    table = {**TICKETS, "columns": columns, "constants": {}}
    rows = (
        "1,a1,o,2024-01-05T10:00:00:250-0800,1,1704448800250",
        "2,a1,o,2024-01-05T10:00:00:250-0800,1,1704448800250000",
    )
    home, _ = take_orders(tmp_path, table, *rows)
    moment = datetime(2024, 1, 5, 18, 0, 0, 250_000, tzinfo=UTC)
    assert stored(home, "tickets_history", "valid_from") == [{"valid_from": moment}]
    # Microseconds where milliseconds belong: a time beyond 2200, refused instead of ending the load.
    assert [(row["row"], row["column"], row["rule"]) for row in quarantined(home, "tickets_history")] == [
        (2, "created_at", "type")
    ]
