"""Do the columns of an unknown file become canonical ones only where they can, and by which names are they known?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.events import TABLES
from features.sources.likeness import likeness_of_column, likeness_of_table, words_of
from features.sources.proposal import proposal_for
from features.sources.reader import source_at
from features.sources.sample import Form, Observed, Sample, sample
from features.sources.translation import quoted, translation
from features.warehouse import open_engine
from tests.features.source_case import write_parquet, write_text


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["", ""], Form.EMPTY),
        (["true", "", "FALSE"], Form.FLAG),
        (["1", "-20"], Form.INTEGER),
        (["1", "2.5e3"], Form.NUMBER),
        (["1700000000", "1600000000"], Form.SECONDS),
        (["1700000000000"], Form.MILLISECONDS),
        (["2024-01-31"], Form.DAY),
        (["2024-01-31T10:00:00Z", "2024-01-31 10:00:00.5+02:00"], Form.MOMENT),
        (["2024-01-31 10:00:00"], Form.NAIVE),
        (["31/01/2024", "01/02/2024"], Form.SPELT),
        (['{"a": 1}', "[]"], Form.JSON),
        (["2024-01-31", "soon"], Form.TEXT),
    ],
)
def test_a_column_has_the_form_that_all_its_filled_cells_share(cells: list[str], form: Form, tmp_path: Path) -> None:
    read = read_sample(write_parquet(tmp_path, "x", {"a": cells}))
    assert read.columns[0].form is form


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (pa.array([True, None]), Form.FLAG),
        (pa.array([1.5]), Form.NUMBER),
        (pa.array([0], pa.timestamp("us")), Form.NAIVE),
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC")), Form.MOMENT),
        (pa.array([19_000], pa.int32()).cast(pa.date32()), Form.DAY),
        (pa.array([None], pa.int64()), Form.EMPTY),
        (pa.array([[1]]), Form.JSON),
    ],
)
def test_typed_columns_have_the_form_of_their_type(cells: Any, form: Form, tmp_path: Path) -> None:
    read = read_sample(write_parquet(tmp_path, "x", {"a": cells}))
    assert (read.columns[0].form, read.columns[0].is_text) == (form, False)


def test_a_date_that_can_be_read_in_two_ways_is_for_a_person_to_decide() -> None:
    column = TABLES["tickets_history"].column("created_at")
    both = Observed("on", Form.SPELT, 1, spellings=("%d/%m/%Y", "%m/%d/%Y"))
    found = translation(column, both)
    assert found is not None
    assert (found.expression, found.needs_zone) == ("STRPTIME(\"on\", '%d/%m/%Y')", True)
    assert found.todo == "the sample fits %d/%m/%Y and %m/%d/%Y: which is it?"


@pytest.mark.parametrize(
    ("table", "column", "observed", "expression"),
    [
        ("usage_daily", "user_key", Observed("email", Form.TEXT, 1), "PERSON(email)"),
        ("survey_responses", "question_key", Observed("question", Form.TEXT, 1), "question"),
        ("accounts_history", "hq_tz", Observed("tz", Form.TEXT, 1, ("Berlin",)), None),
        ("contracts_history", "currency", Observed("money", Form.TEXT, 1, ("Euro",)), None),
        ("contracts_history", "acv_minor", Observed("acv_cents", Form.INTEGER, 1), "acv_cents"),
        (
            "contracts_history",
            "discount_pct",
            Observed("off", Form.NUMBER, 1, largest=30.0),
            "CAST(off AS DOUBLE) / 100",
        ),
        ("contracts_history", "term_months", Observed("m", Form.NUMBER, 1), None),
        ("contracts_history", "auto_renew", Observed("renews", Form.INTEGER, 2, ("0", "1")), "renews"),
        ("contracts_history", "auto_renew", Observed("renews", Form.INTEGER, 2, ("0", "7")), None),
        (
            "contracts_history",
            "start_on",
            Observed("at", Form.MOMENT, 1, is_text=False),
            "LEFT(CAST(at AS VARCHAR), 10)",
        ),
        (
            "contracts_history",
            "start_on",
            Observed("s", Form.MILLISECONDS, 1),
            "LEFT(CAST(TO_TIMESTAMP(CAST(s AS BIGINT) / 1000.0) AS VARCHAR), 10)",
        ),
        (
            "tickets_history",
            "first_reply_s",
            Observed("reply_minutes", Form.INTEGER, 1),
            "ROUND(60 * CAST(reply_minutes AS DOUBLE))",
        ),
        ("tickets_history", "created_at", Observed("created", Form.TEXT, 1), None),
        ("tickets_history", "status", Observed("state", Form.TEXT, 1), None),
        ("tickets_history", "ticket_id", Observed("id", Form.EMPTY, 0), None),
    ],
)
def test_cells_become_a_canonical_column_only_where_they_can(
    table: str, column: str, observed: Observed, expression: str | None
) -> None:
    found = translation(TABLES[table].column(column), observed)
    assert (found.expression if found else None) == expression


@pytest.mark.parametrize(
    ("name", "written"), [("day", "day"), ("Customer ID", '"Customer ID"'), ("select", '"select"'), ("a.b", '"a.b"')]
)
def test_a_name_that_sql_reads_otherwise_is_quoted(name: str, written: str) -> None:
    assert quoted(name) == written


def test_names_are_alike_by_their_words() -> None:
    assert words_of("createdAt") == words_of("Created At") == words_of("created_at") == ("created", "at")
    invoices, accounts = TABLES["invoices_history"], TABLES["accounts_history"]
    assert likeness_of_table(invoices, "customer_invoices") > likeness_of_table(accounts, "customer_invoices") > 0
    assert likeness_of_table(invoices, "things") == 0
    assert likeness_of_column(accounts, "account_id", "id") < likeness_of_column(accounts, "account_id", "customer_id")
    assert likeness_of_column(accounts, "account_id", "account_id") == 1


def test_a_file_of_nothing_known_has_no_proposal(tmp_path: Path) -> None:
    assert proposal_for(read_sample(write_text(tmp_path, "things.csv", "colour,weight", "red,3"))) is None


def read_sample(path: Path) -> Sample:
    """The sample of one file."""
    with open_engine(threads=1) as engine:
        return sample(engine, source_at(path), "it", path.parent / "scratch")
