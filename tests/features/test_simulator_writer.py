"""Does the writer give every table its declared shape, its envelope and its one moment of export?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.simulator.timeline import day_number
from features.simulator.writer import SOURCES, CanonicalWriter, Coded, ids, micros

EXPORT = day_number(date(2024, 3, 4))
DAYS = np.array([EXPORT - 20, EXPORT - 2, EXPORT - 1, EXPORT])


def credit_notes(folder: Path, **cells: object) -> pa.Table:
    """Write four credit notes on the given days and read them back."""
    writer = CanonicalWriter(folder, export_day=EXPORT)
    writer.append(
        "credit_notes",
        4,
        {
            "credit_note_id": ids("cr", np.arange(4)),
            "issued_at": micros(DAYS),
            "invoice_id": ids("in", np.arange(4)),
            "account_id": Coded(np.array([0, 1, 0, 1]), ["a", "b"]),
            "amount_minor": np.array([5, 6, 7, 8]),
            **cells,
        },
    )
    writer.close()
    return pq.read_table(folder / "credit_notes.parquet")


def test_a_row_that_is_known_after_the_export_is_left_out(tmp_path: Path) -> None:
    # Credit notes are known a day later; the one of the day before the export is known at the export itself.
    rows = credit_notes(tmp_path)
    assert rows["credit_note_id"].to_pylist() == ["cr-0", "cr-1", "cr-2"]
    midnight = datetime(2024, 3, 4, tzinfo=UTC)
    assert rows["available_at"].to_pylist()[-1] == midnight
    assert rows["event_at"].to_pylist()[-1] == midnight - timedelta(days=1)


def test_what_is_given_wins_over_the_usual_lag(tmp_path: Path) -> None:
    rows = credit_notes(tmp_path, available_at=micros(DAYS), recorded_at=micros(DAYS - 1))
    assert rows["available_at"].to_pylist() == rows["event_at"].to_pylist()
    assert rows.num_rows == 4


def test_the_envelope_says_where_a_row_comes_from(tmp_path: Path) -> None:
    rows = credit_notes(tmp_path).to_pylist()
    assert {(row["source_system"], row["event_precision"], row["op"]) for row in rows} == {
        ("billing", "instant", "upsert")
    }
    assert {"ingested_at", "row_hash", "load_id"} & set(rows[0]) == set()


def test_a_missing_nullable_column_is_null_and_a_masked_cell_too(tmp_path: Path) -> None:
    amounts = np.ma.masked_array(np.array([5, 6, 7, 8]), mask=[False, True, False, False])
    rows = credit_notes(tmp_path, voided_at=np.ma.masked_array(micros(DAYS), mask=amounts.mask))
    assert rows["reason"].null_count == rows.num_rows
    assert [moment is None for moment in rows["voided_at"].to_pylist()] == [False, True, False]


def test_a_code_below_zero_is_null(tmp_path: Path) -> None:
    rows = credit_notes(tmp_path, reason=Coded(np.array([-1, 0, 1, 0]), ["duplicate", "other"]))
    assert rows["reason"].to_pylist() == [None, "duplicate", "other"]


def test_a_column_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="credit_notes has no column"):
        credit_notes(tmp_path, hazard=np.ones(4))


def test_a_column_that_may_not_be_null_may_not_be_left_out(tmp_path: Path) -> None:
    writer = CanonicalWriter(tmp_path, export_day=EXPORT)
    with pytest.raises(KeyError, match="invoice_id"):
        writer.append("credit_notes", 1, {"credit_note_id": ["x"], "issued_at": micros(DAYS[:1])})


def test_a_day_is_known_as_a_day(tmp_path: Path) -> None:
    writer = CanonicalWriter(tmp_path, export_day=EXPORT)
    writer.append(
        "market_events",
        2,
        {
            "market_event_id": ids("mk", np.arange(2)),
            "type": "outage",
            "strength": 0.5,
            "announced_on": DAYS[:2],
        },
    )
    assert writer.close()["market_events"] == 2
    rows = pq.read_table(tmp_path / "market_events.parquet").to_pylist()
    assert rows[0]["announced_on"] == date(2024, 2, 13)
    assert rows[0]["event_at"] == datetime(2024, 2, 13, tzinfo=UTC)


def test_batches_with_and_without_values_make_one_file(tmp_path: Path) -> None:
    writer = CanonicalWriter(tmp_path, export_day=EXPORT)
    for first, competitor in ((0, None), (5, "Paperlark"), (9, Coded(np.array([0]), ["Colourmill"]))):
        writer.append(
            "market_events",
            1,
            {
                "market_event_id": ids("mk", np.array([first])),
                "type": "competitor_win",
                "competitor": competitor,
                "strength": 0.5,
                "announced_on": DAYS[:1],
            },
        )
    writer.close()
    rows = pq.read_table(tmp_path / "market_events.parquet")
    assert rows["competitor"].to_pylist() == [None, "Paperlark", "Colourmill"]
    assert rows["market_event_id"].to_pylist() == ["mk-0", "mk-5", "mk-9"]


def test_readers_see_plain_text(tmp_path: Path) -> None:
    # Dictionaries are a matter of the file: an engine reads strings.
    assert credit_notes(tmp_path).schema.field("account_id").type == pa.string()


def test_every_written_table_names_its_source() -> None:
    assert all(source and source == source.lower() for source in SOURCES.values())
