"""Every SQL step stays in the subset on which both engines agree, and the lint that says so finds what leaves it."""

from __future__ import annotations

import pytest
import sqlglot

from features.portable import other_engine_sql, portability_faults
from features.steps import STEPS, step_sql


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_portable(step: str) -> None:
    assert portability_faults(step_sql(step)) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_becomes_valid_sql_of_the_other_engine(step: str) -> None:
    translated = other_engine_sql(step_sql(step))
    assert sqlglot.parse_one(translated, read="spark") is not None
    assert "TIMESTAMPTZ" not in translated


@pytest.mark.parametrize("step", STEPS)
def test_a_step_says_what_it_answers_and_in_which_grain(step: str) -> None:
    first, *rest = step_sql(step).splitlines()
    comment = [first, *(line for line in rest[:12] if line.startswith("--"))]
    assert first.startswith("-- ")
    assert any("?" in line for line in comment)
    assert any("Grain out:" in line for line in comment)
    assert all(len(line) <= 120 for line in (first, *rest))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT MEDIAN(x) AS m FROM t", "MEDIAN"),
        ("SELECT QUANTILE_CONT(x, 0.2) AS q FROM t", "PERCENTILE"),
        ("SELECT MODE(x) AS m FROM t", "MODE"),
        ("SELECT EPOCH(x) AS e FROM t", "portable subset"),
        ("SELECT DAYOFWEEK(d_on) AS d FROM t", "portable subset"),
        ("SELECT EXTRACT(DOW FROM d_on) AS d FROM t", "EXTRACT"),
        ("SELECT LIST(x) AS l FROM t", "portable subset"),
        ("SELECT ARG_MAX(a, b) AS a FROM t", "portable subset"),
        ("SELECT UNNEST([1, 2]) AS u", "portable subset"),
        ("SELECT STRING_AGG(x, ',') AS s FROM t", "portable subset"),
        ("SELECT CONCAT(a, b) AS c FROM t", "portable subset"),
        ("SELECT RANDOM() AS r", "portable subset"),
        ("SELECT NOW() AS n", "portable subset"),
        ("SELECT CURRENT_DATE AS d", "portable subset"),
        ("SELECT made_up(x) AS y FROM t", "made_up"),
        ("SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1", "QUALIFY"),
        ("SELECT a.x FROM a ASOF JOIN b ON a.x >= b.x", "ASOF"),
        ("SELECT x, COUNT(*) AS n FROM t GROUP BY ALL", "GROUP BY ALL"),
        ("SELECT * EXCLUDE (a) FROM t", "EXCLUDE"),
        ("SELECT * REPLACE (a + 1 AS a) FROM t", "EXCLUDE"),
        ("FROM t PIVOT (COUNT(*) FOR y IN ('a', 'b'))", "PIVOT"),
        ("SELECT a // 2 AS h FROM t", "integer division"),
        ("SELECT a % 2 AS h FROM t", "integer division"),
        (
            "SELECT CAST(MAX(a) OVER (ORDER BY b RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS BIGINT) AS m FROM t",
            "RANGE",
        ),
        ("SELECT end_on - start_on AS days FROM t", "DATE_DIFF"),
        ("SELECT CAST(a AS DATE) - CAST(b AS DATE) AS days FROM t", "DATE_DIFF"),
        ("SELECT DATE_DIFF('day', created_at, as_of) AS days FROM t", "cast both"),
        ("SELECT DATE_DIFF('week', a_on, b_on) AS weeks FROM t", "only days"),
        ("SELECT a / b AS r FROM t", "NULLIF"),
        ("SELECT a / (b - 1) AS r FROM t", "NULLIF"),
        ("SELECT LN(a) AS l FROM t", "LN of zero"),
        ("SELECT SUM(a > b) AS n FROM t", "sum a CASE"),
        ("SELECT CAST(SUM(a IS NULL) AS BIGINT) AS n FROM t", "sum a CASE"),
        ("SELECT CAST(a / NULLIF(b, 0) AS BIGINT) AS n FROM t", "FLOOR"),
        ("SELECT CAST(a * 0.5 AS INTEGER) AS n FROM t", "FLOOR"),
        ("SELECT SUM(a) AS n FROM t", "cast SUM"),
        ("SELECT SUM(a) OVER (ORDER BY b) AS n FROM t", "cast SUM"),
        ("SELECT 1 AS a; SELECT 2 AS b", "one SELECT"),
        ("DELETE FROM t", "one SELECT"),
        ("SELECT (", "cannot be turned"),
    ],
)
def test_the_lint_finds_planted_faults(sql: str, why: str) -> None:
    assert any(why in fault for fault in portability_faults(sql)), portability_faults(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT end_on - 7 AS d, end_on + notice_days AS e FROM t",
        "SELECT week_start + 2 * INTERVAL 7 DAY AS w, DATE_TRUNC('week', at - INTERVAL 1 MICROSECOND) AS v FROM t",
        "SELECT DATE_DIFF('day', CAST(a AS DATE), COALESCE(b_on, c_on)) AS days FROM t",
        "SELECT LN((1000 * a + 500) / (b + 500)) AS par, a / NULLIF(b, 0) AS r, a / (b + 4) AS s FROM t",
        "SELECT CAST(FLOOR(1000 * a / NULLIF(b, 0) + 0.5) AS BIGINT) AS n, CAST(a AS DOUBLE) / 7 AS w FROM t",
        "SELECT CAST(SUM(CASE WHEN a > b THEN 1 ELSE 0 END) AS BIGINT) AS n, COUNT(DISTINCT c) AS m FROM t",
        "SELECT CAST(SUM(a) OVER w AS BIGINT) AS n FROM t WINDOW w AS (ORDER BY b ROWS UNBOUNDED PRECEDING)",
    ],
)
def test_the_lint_lets_the_portable_shapes_pass(sql: str) -> None:
    assert portability_faults(sql) == []


def test_a_translated_step_keeps_the_types_of_its_columns() -> None:
    # Numbers of rows have 32 bits on the other engine; days that are counted in units have 64.
    translated = other_engine_sql(
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS n, DATE_DIFF('day', a_on, b_on) AS d FROM t"
    )
    assert translated == (
        "SELECT CAST(ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS BIGINT) AS n, "
        "DATEDIFF(DAY, a_on, b_on) AS d FROM t"
    )
