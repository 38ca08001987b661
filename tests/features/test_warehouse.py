"""Does the engine do what its few words say, and do the canonical tables stand under their names?"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import IntegrityError, MissingStateError, UsageError
from features.events import ENVELOPE, TABLES
from features.settings import Home
from features.warehouse import ROW, Warehouse, empty_table_query, granted_threads, open_engine
from tests.features.source_case import USAGE_ROWS, home_in, take_in, write_usage


def test_every_canonical_table_has_its_name_and_columns_though_nothing_is_loaded(tmp_path: Path) -> None:
    with Warehouse(home_in(tmp_path)).engine(threads=1) as engine:
        for name, table in TABLES.items():
            rows = engine.fetch(f"SELECT * FROM {name}")
            assert rows.num_rows == 0
            assert rows.column_names == [column.name for column in (*ENVELOPE, *table.columns)]


def test_an_empty_table_has_the_types_of_a_full_one(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    with Warehouse(home).engine(threads=1) as engine:
        assert engine.columns("SELECT * FROM usage_daily") == engine.columns(empty_table_query("usage_daily"))


def test_loaded_tables_are_counted_and_missing_ones_are_named(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    warehouse = Warehouse(home)
    assert warehouse.loaded_tables() == {"usage_daily": len(USAGE_ROWS)}
    warehouse.require_rows("usage_daily")
    with pytest.raises(MissingStateError, match="found none in payments"):
        warehouse.require_rows("usage_daily", "payments")


def test_a_table_whose_rows_were_all_refused_counts_as_missing(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in", "a,u,s,core,2024-01-01,-1,").parent)
    with pytest.raises(MissingStateError):
        Warehouse(home).require_rows("usage_daily")
    with Warehouse(home).engine(threads=1) as engine:
        assert engine.fetch("SELECT * FROM usage_daily").num_rows == 0


def test_the_last_one_to_get_a_name_has_it(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        engine.write("SELECT 1 AS n", tmp_path / "one.parquet")
        engine.keep("answer", "SELECT 2 AS n")
        engine.name("answer", [tmp_path / "one.parquet"])
        assert engine.fetch("SELECT n FROM answer").to_pylist() == [{"n": 1}]
        engine.name_rows("answer", pa.table({"n": [3]}))
        engine.keep("answer", "SELECT n + 1 AS n FROM answer")
        assert engine.fetch("SELECT n FROM answer").to_pylist() == [{"n": 4}]
        engine.name("answer", [tmp_path / "one.parquet"])
        assert engine.fetch("SELECT n FROM answer").to_pylist() == [{"n": 1}]


def test_a_table_that_is_made_of_a_view_takes_its_name(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        engine.write("SELECT 1 AS n", tmp_path / "one.parquet")
        engine.name("answer", [tmp_path / "one.parquet"])
        engine.keep("answer", "SELECT n + 1 AS n FROM answer")
        engine.name_query("all_of_it", "SELECT * FROM answer")
        assert engine.fetch("SELECT n FROM all_of_it").to_pylist() == [{"n": 2}]


def test_sessions_of_an_engine_know_nothing_of_each_other(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        engine.write("SELECT 1 AS n", tmp_path / "one.parquet")
        for number in (1, 2):
            with engine.session() as own:
                with pytest.raises(duckdb.CatalogException):
                    own.fetch("SELECT * FROM known")
                own.name("known", [tmp_path / "one.parquet"])
                own.name_function("more", "x", f"x + {number}")
                own.name_rows("rows", pa.table({"n": [number]}))
                told = own.fetch(
                    "SELECT more(k.n) AS n, CAST(TIMESTAMPTZ '2024-01-01 00:00:00Z' AS VARCHAR) AS at FROM known AS k"
                )
                assert told.to_pylist() == [{"n": 1 + number, "at": "2024-01-01 00:00:00+00"}]
        with pytest.raises(duckdb.CatalogException):
            engine.fetch("SELECT * FROM rows")


def test_a_query_is_written_and_named_and_fetched(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        engine.name_rows("numbers", pa.table({"n": [1, 2, 3]}))
        assert engine.write("SELECT n, n * n AS square FROM numbers WHERE n > 1", tmp_path / "new" / "x.parquet") == 2
        engine.name("squares", [tmp_path / "new" / "x.parquet"])
        engine.name_query("sums", "SELECT SUM(square) AS total FROM squares")
        engine.name_function("twice", "x", "x * 2")
        assert engine.fetch("SELECT twice(total) AS answer FROM sums").to_pylist() == [{"answer": 26}]


def test_files_with_other_columns_are_one_table_with_nulls(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": [2], "a": [3]}), tmp_path / "2.parquet")
    with open_engine(threads=1) as engine:
        engine.name("ab", [tmp_path / "1.parquet", tmp_path / "2.parquet"])
        assert engine.fetch("SELECT a, b FROM ab ORDER BY a").to_pylist() == [{"a": 1, "b": None}, {"a": 3, "b": 2}]


def test_rows_of_a_file_are_numbered_from_one_in_their_order(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(5_000, 0, -1))}), tmp_path / "x.parquet", row_group_size=700)
    with open_engine(threads=2) as engine:
        engine.name_numbered("x", tmp_path / "x.parquet")
        assert engine.fetch(f"SELECT COUNT(*) AS n FROM x WHERE a + {ROW} = 5001").to_pylist() == [{"n": 5_000}]


def test_an_ordered_engine_keeps_the_order_of_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(400_000))}), tmp_path / "x.parquet")
    with open_engine(threads=2, ordered=True) as engine:
        engine.name("x", [tmp_path / "x.parquet"])
        engine.write("SELECT a FROM x WHERE a % 3 = 0", tmp_path / "y.parquet")
    assert pq.read_table(tmp_path / "y.parquet").column("a").to_pylist() == list(range(0, 400_000, 3))


def test_text_files_are_unpacked_as_text_and_broken_records_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b'a,b\n1,"x\ny"\n2\n,4\n5,\xff\n')
    with open_engine(threads=1, ordered=True) as engine:
        broken = engine.unpack_text(tmp_path / "x.csv", ["a", "b"], tmp_path / "x.parquet")
        engine.name("x", [tmp_path / "x.parquet"])
        assert engine.fetch("SELECT * FROM x").to_pylist() == [{"a": "1", "b": "x\ny"}, {"a": None, "b": "4"}]
    assert [(row["line"], row["fault"]) for row in broken.to_pylist()] == [
        (3, "missing columns"),
        (5, "invalid encoding"),
    ]


def test_json_lines_are_written(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        assert engine.write_json("SELECT 1 AS a, JSON_OBJECT('b', 'é\"') AS cells", tmp_path / "x.jsonl") == 1
    assert (tmp_path / "x.jsonl").read_text() == '{"a":1,"cells":{"b":"é\\""}}\n'


def test_a_query_that_does_not_fit_is_told_without_running(tmp_path: Path) -> None:
    with open_engine(threads=1) as engine:
        assert engine.columns("SELECT 1 AS a, DATE '2024-01-01' AS b") == {"a": "INTEGER", "b": "DATE"}
        with pytest.raises(UsageError, match="does not fit its tables"):
            engine.columns("SELECT DATE '2024-01-01' + 'x' + 1.5")


@pytest.mark.parametrize(
    "query", ["SELECT CAST('canary-1' AS BIGINT)", "SELECT 9223372036854775807 + CAST('1' AS BIGINT)"]
)
def test_a_failure_in_the_engine_tells_its_kind_and_no_value(query: str) -> None:
    with open_engine(threads=1) as engine, pytest.raises(IntegrityError) as failure:
        engine.fetch(query)
    assert "canary" not in str(failure.value)
    assert failure.value.__suppress_context__
    assert failure.value.__cause__ is None


def test_a_damaged_stored_file_is_an_integrity_error(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    (path,) = Warehouse(home).dataset("usage_daily").files()
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(IntegrityError), Warehouse(home).engine(threads=1) as engine:
        engine.fetch("SELECT * FROM usage_daily")


def test_times_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with open_engine(threads=1) as engine:
        shown = engine.fetch("SELECT CAST(TIMESTAMPTZ '2024-01-01 00:00:00+00' AS VARCHAR) AS shown").to_pylist()
    assert shown == [{"shown": "2024-01-01 00:00:00+00"}]


def test_threads_are_those_granted_unless_asked_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_THREADS", "3")
    assert granted_threads() == 3
    monkeypatch.setenv("PULSE_THREADS", "0")
    assert granted_threads() == 1
    monkeypatch.delenv("PULSE_THREADS")
    assert granted_threads() >= 1


def test_a_home_with_a_quote_in_its_name_works(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "it's here")
    take_in(home, write_usage(tmp_path / "o'clock").parent)
    assert Warehouse(home).loaded_tables() == {"usage_daily": 3}
