"""May an expression of a mapping compute from its row, and nothing else?"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from features.errors import ConfigError
from features.sources.mapping_sql import LONGEST_EXPRESSION, compile_expression, name_casts, name_people
from features.warehouse import open_engine

COLUMNS = ("word", "count", "day", "select", 'two "words"')
CELLS = {"word": " Aurora ", "count": "12", "day": "2024-01-31", "select": "x", 'two "words"': "y"}


def value_of(text: str, **cells: str | None) -> tuple[Any, bool]:
    """The value of an expression over one row of text cells, and whether a conversion in it failed."""
    row = {**CELLS, **cells}
    with open_engine(threads=1) as engine:
        name_casts(engine)
        name_people(engine, "salt")
        engine.name_rows("source", pa.table({name: pa.array([cell], pa.string()) for name, cell in row.items()}))
        compiled = compile_expression(text, COLUMNS, where="table.column")
        answer = engine.fetch(f"SELECT {compiled.sql} AS value, {compiled.failed} AS failed FROM source").to_pylist()[0]
    return answer["value"], bool(answer["failed"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("word", " Aurora "),
        ("'it''s; DROP TABLE x --'", "it's; DROP TABLE x --"),
        ('"select" || "two ""words"""', "xy"),
        ("LOWER(TRIM(word)) || '-' || count", "aurora-12"),
        ("CASE count WHEN '12' THEN 'dozen' ELSE 'other' END", "dozen"),
        ("IF(count IN ('1', '12'), 1, 0)", 1),
        ("COALESCE(NULLIF(word, ' Aurora '), 'none')", "none"),
        ("CAST(count AS BIGINT) * 60 + 1", 721),
        ("ROUND(CAST(count AS DOUBLE) / 5, 1)", 2.4),
        ("CAST(day AS DATE) + INTERVAL 1 MONTH - INTERVAL 1 DAY", datetime(2024, 2, 28)),  # noqa: DTZ001 - a naive moment
        ("CAST(day AS DATE) + CAST(count AS BIGINT) * INTERVAL 1 MONTH", datetime(2025, 1, 31)),  # noqa: DTZ001
        ("DATE '2024-02-29'", date(2024, 2, 29)),
        ("STRPTIME(day || ' 07:30', '%Y-%m-%d %H:%M')", datetime(2024, 1, 31, 7, 30)),  # noqa: DTZ001
        ("TO_TIMESTAMP(CAST(count AS BIGINT))", datetime(1970, 1, 1, 0, 0, 12, tzinfo=UTC)),
        ("SPLIT_PART(day, '-', 2)", "01"),
        ("SUBSTRING(day, 1, 4) || LEFT(day, 1) || RIGHT(day, 1)", "202421"),
        ("LENGTH(REPLACE(day, '-', ''))", 8),
        ("SHA256('salt' || count)", hashlib.sha256(b"salt12").hexdigest()),
        ("word LIKE '%Aur%' AND NOT (count BETWEEN '2' AND '3')", True),
        ("GREATEST(ABS(-3), FLOOR(2.5), CEIL(2.5))", 3),
        ("TRY_CAST(word AS BIGINT)", None),
        ("CAST(CAST(count AS BIGINT) AS VARCHAR)", "12"),
        ("CAST(count AS TEXT)", "12"),
        ("word IS NULL", False),
        ("REGEXP_EXTRACT(day, '([0-9]+)-([0-9]+)', 2)", "01"),
        ("REGEXP_EXTRACT(day, 'x', 0)", ""),
        ("REGEXP_REPLACE(day, '[^0-9]+', '_', 'g') || REGEXP_REPLACE(day, '-', '')", "2024_01_31202401-31"),
        ('JSON_EXTRACT_STRING(\'{"a": {"b c": [1, "two"]}}\', \'$.a."b c"[1]\')', "two"),
        ("('{\"a\": {\"b\": null}}' ->> '$.a')", '{"b":null}'),
        ("JSON_EXTRACT_STRING('{\"a\": null}', '$.a') IS NULL AND ('{}' ->> 'b') IS NULL", True),
        ("CAST(JSON_EXTRACT_STRING('{\"n\": 7}', '$.n') AS BIGINT) + 1", 8),
        ("LENGTH(PERSON(word)) + LENGTH(PERSON(count))", 64),
        ("PERSON(word) = PERSON('Aurora') AND PERSON('') IS NULL AND PERSON(NULL) IS NULL", True),
        ("PERSON(word) = PERSON(LOWER(word))", False),
    ],
)
def test_an_expression_computes_from_the_cells_of_its_row(text: str, value: object) -> None:
    computed, failed = value_of(text)
    assert (computed, failed) == (value, False)


@pytest.mark.parametrize(
    "text",
    [
        "CAST(word AS BIGINT)",
        "CAST(word AS BIGINT) + 1",
        "COALESCE(CAST(word AS DOUBLE), 0)",
        "CAST('1.5' AS BIGINT)",
        "CAST('2024-02-30' AS DATE)",
        "CAST(word AS BOOLEAN)",
        "STRPTIME(word, '%Y')",
        "CAST(CAST(word AS DATE) AS VARCHAR)",
        "JSON_EXTRACT_STRING(word, '$.a')",
        "COALESCE(word ->> '$.a', 'none')",
        "TO_TIMESTAMP(CAST(count AS BIGINT) * 1000000000)",
        "TO_TIMESTAMP(-1e12)",
    ],
)
def test_a_conversion_that_fails_is_seen_and_never_becomes_a_quiet_null(text: str) -> None:
    assert value_of(text)[1]


def test_an_empty_cell_is_no_failed_conversion() -> None:
    assert value_of("CAST(count AS BIGINT)", count=None) == (None, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "word word",
        "word; SELECT 1",
        "SELECT 1",
        "(SELECT 1)",
        "word IN (SELECT word FROM source)",
        "EXISTS (SELECT 1)",
        "DROP TABLE source",
        "COPY source TO 'x'",
        "ATTACH 'x'",
        "PRAGMA version",
        "SET threads = 1",
        "INSTALL httpfs",
        "read_csv('x')",
        "read_text('x')",
        "glob('*')",
        "getenv('HOME')",
        "current_setting('threads')",
        "query('SELECT 1')",
        "COLUMNS('.*')",
        "*",
        "source.word",
        "nobody",
        "WORD",
        "COUNT(*)",
        "SUM(count)",
        "ROW_NUMBER() OVER ()",
        "MAX(count) OVER (PARTITION BY word)",
        "RANDOM()",
        "NOW()",
        "CURRENT_DATE",
        "REPEAT(word, 1000000000)",
        "LPAD(word, 1000000000, 'x')",
        "REGEXP_MATCHES(word, '(a+)+$')",
        "word[1]",
        "[word]",
        "{'a': word}",
        "(word).field",
        "x -> x + 1",
        "CAST(count AS INTEGER)",
        "CAST(word AS BLOB)",
        "CAST(day AS TIMESTAMP)",
        "EPOCH_MS(1)",
        "UNNEST([1])",
        "$1",
        "?",
        "word COLLATE nocase",
        "pulse_bigint(count)",
        "pulse_person(word)",
        "PERSON(word, day)",
        "PERSON()",
        "JSON_EXTRACT_STRING(word, '$[*]')",
        "JSON_EXTRACT_STRING(word, '$..a')",
        "JSON_EXTRACT_STRING(word, '$.*')",
        "JSON_EXTRACT_STRING(word, day)",
        "JSON_EXTRACT(word, '$.a')",
        "REGEXP_EXTRACT(word, day)",
        "REGEXP_EXTRACT(word, '(a')",
        "REGEXP_EXTRACT(word, 'a', 12)",
        "REGEXP_REPLACE(word, day, 'x')",
        "REGEXP_REPLACE(word, 'a', day)",
        "REGEXP_REPLACE(word, 'a', 'b', 'gi')",
        "word\x00",
        "'" + "x" * LONGEST_EXPRESSION + "'",
    ],
)
def test_whatever_is_more_than_a_value_of_the_row_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"the expression of table\.column is not allowed") as refusal:
        compile_expression(text, COLUMNS, where="table.column")
    assert refusal.value.todo == "correct the mapping"
