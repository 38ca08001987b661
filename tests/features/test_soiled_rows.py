"""Small tables in, soiled tables out: is every trouble what it says, and counted as ingest will count it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.simulator import simulate
from features.simulator.regimes import REGIMES, Change, Regime
from features.simulator.soiled_rows import HOUR, Tally, Trouble, broken, replaced, shifted, stained
from features.simulator.soiled_tickets import NO_ZONE, as_text, write_csv
from features.simulator.special_laws import DirtLaw
from features.simulator.stains import Stain
from features.simulator.writer import SOURCES
from tests.features.regime_case import fingerprint
from tests.features.simulator_case import START, table

MOMENT = pa.timestamp("us", tz="UTC")
NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
SHARES = (
    "exact_repeats near_repeats status_words bad_cells skewed corrected_invoices naive_accounts no_production_accounts "
    "no_survey_accounts merged_accounts test_accounts bot_accounts foreign_accounts"
)
CLEAN = DirtLaw(**dict.fromkeys(SHARES.split(), 0.0), production_late_hours=0.0, survey_late_days=0.0, blackouts=())
"""Dirt of which there is none."""


def only(**shares: float) -> DirtLaw:
    return CLEAN.model_copy(update=shares)


def invoices(count: int = 400) -> pa.Table:
    moments = pa.array([NOON + timedelta(minutes=row) for row in range(count)], MOMENT)
    return pa.table(
        {
            "event_at": moments,
            "recorded_at": moments,
            "available_at": moments,
            "invoice_id": [f"in-{row}" for row in range(count)],
            "amount_due_minor": pa.array([100 * (row + 1) for row in range(count)], pa.int64()),
            "amount_remaining_minor": pa.array([0] * count, pa.int64()),
            "due_on": pa.array([NOON.date()] * count, pa.date32()),
            "status": ["open"] * count,
        }
    )


def reviews(count: int = 400) -> pa.Table:
    moments = pa.array([NOON + timedelta(minutes=row) for row in range(count)], MOMENT)
    return pa.table({"event_at": moments, "recorded_at": moments, "happened_at": moments, "type": ["viewed"] * count})


def soiled(name: str, rows: pa.Table, law: DirtLaw) -> tuple[pa.Table, Tally]:
    tally = Tally()
    return broken(name, rows, np.random.default_rng(3), law=law, tally=tally), tally


def test_without_shares_nothing_is_touched() -> None:
    rows, tally = soiled("invoices_history", invoices(), CLEAN)
    assert rows.equals(invoices())
    assert tally.table().num_rows == 0


def test_an_exact_repeat_is_the_same_row_again_at_the_end() -> None:
    rows, tally = soiled("invoices_history", invoices(), only(exact_repeats=0.1))
    extra = rows.num_rows - 400
    assert rows.slice(0, 400).equals(invoices())
    assert 20 < extra < 65
    originals = {row["invoice_id"]: row for row in invoices().to_pylist()}
    assert all(originals[row["invoice_id"]] == row for row in rows.slice(400).to_pylist())
    assert tally.known == {Trouble("invoices_history", "exact repeat"): extra} == tally.planted
    assert not any(tally.refused.values())


def test_a_near_repeat_has_the_same_times_and_one_other_cell_and_both_are_refused() -> None:
    rows, tally = soiled("invoices_history", invoices(), only(near_repeats=0.1))
    twins = rows.slice(400).to_pylist()
    originals = {row["invoice_id"]: row for row in invoices().to_pylist()}
    for twin in twins:
        original = originals[twin["invoice_id"]]
        assert {name for name in twin if twin[name] != original[name]} == {"amount_due_minor"}
    trouble = Trouble("invoices_history", "near repeat", "amount_due_minor", "conflict")
    assert tally.planted == {trouble: len(twins)}
    assert tally.refused == {trouble: 2 * len(twins)}


def test_a_correction_comes_later_and_says_what_was_true() -> None:
    rows, tally = soiled("invoices_history", invoices(), only(corrected_invoices=0.1))
    corrections = rows.slice(400).to_pylist()
    first = {row["invoice_id"]: row for row in rows.slice(0, 400).to_pylist()}
    originals = {row["invoice_id"]: row for row in invoices().to_pylist()}
    assert len(corrections) > 20
    for correction in corrections:
        said, true = first[correction["invoice_id"]], originals[correction["invoice_id"]]
        assert said["amount_due_minor"] == pytest.approx(1.1 * true["amount_due_minor"], abs=1)
        assert correction["amount_due_minor"] == true["amount_due_minor"]
        assert timedelta(hours=1) <= correction["available_at"] - said["available_at"] <= timedelta(days=30)
        assert correction["event_at"] == said["event_at"]
    # Both are taken: nobody knew on the first day that it was wrong.
    assert not any(tally.refused.values())
    assert not any(tally.known.values())


def test_a_wrong_clock_is_forgiven_an_hour_and_refused_beyond_it() -> None:
    rows, tally = soiled("review_events", reviews(), only(skewed=0.5))
    ahead = [
        (after - before).total_seconds()
        for after, before in zip(rows["event_at"].to_pylist(), reviews()["event_at"].to_pylist(), strict=True)
    ]
    assert rows["happened_at"].equals(rows["event_at"])
    assert rows["recorded_at"].equals(reviews()["recorded_at"])
    trouble = Trouble("review_events", "clock skew", "event_at", "order")
    assert tally.refused == {trouble: sum(seconds > 3600 for seconds in ahead)}
    assert tally.planted[trouble] >= sum(seconds != 0 for seconds in ahead) > 100
    assert -7200 <= min(ahead) < -3600 < 3600 < max(ahead) <= 7200


def test_a_row_has_one_trouble_at_most_and_spared_rows_have_none() -> None:
    law = only(exact_repeats=0.2, near_repeats=0.2, status_words=0.2, corrected_invoices=0.2)
    tally, spared = Tally(), np.arange(400) < 200
    rows = broken("invoices_history", invoices(), np.random.default_rng(1), law=law, tally=tally, spared=spared)
    assert rows.slice(0, 200).equals(invoices().slice(0, 200))
    troubled = [row["invoice_id"] for row in rows.slice(400).to_pylist()]
    troubled += [row["invoice_id"] for row in rows.slice(0, 400).to_pylist() if row["status"] != "open"]
    assert len(set(troubled)) == len(troubled) == sum(tally.planted.values())
    assert 130 < len(troubled) < 190


def test_a_stain_breaks_the_cell_of_the_chosen_rows_only() -> None:
    stain = Stain("invoices_history", "status", "choices", "partially_refunded")
    rows = stained(invoices(5), stain, np.array([1, 3]))
    assert rows["status"].to_pylist() == ["open", "partially_refunded", "open", "partially_refunded", "open"]
    late = stained(invoices(3), Stain("", "available_at", "order", back_us=2 * HOUR), np.array([2]))
    assert late["available_at"].to_pylist()[2] == NOON + timedelta(minutes=2, hours=-2)
    assert late["available_at"].slice(0, 2).equals(invoices(2)["available_at"])
    empty = stained(invoices(2), Stain("", "status", "required", None), np.array([0]))
    assert empty["status"].to_pylist() == [None, "open"]


def test_moments_are_moved_and_columns_replaced_in_their_place() -> None:
    rows = shifted(invoices(2), "recorded_at", np.array([HOUR, -HOUR]))
    assert rows["recorded_at"].to_pylist() == [NOON + timedelta(hours=1), NOON + timedelta(minutes=1, hours=-1)]
    assert rows.schema == invoices(2).schema
    assert replaced(rows, "status", pa.array(["a", "b"])).column_names == rows.column_names


def test_the_tally_is_one_row_per_trouble_in_order_and_forgets_what_did_not_happen() -> None:
    tally = Tally()
    tally.note(Trouble("payments", "late"), 3)
    tally.note(Trouble("assets", "late"), 2)
    tally.note(Trouble("payments", "late"), 4)
    tally.note(Trouble("payments", "bad cell", "status", "choices"), 2, refused=2)
    tally.note(Trouble("payments", "exact repeat"), 0, known=0)
    assert tally.table().to_pylist() == [
        {"table": "assets", "kind": "late", "column": "", "rule": "", "planted": 2, "refused": 0, "known": 0},
        {
            "table": "payments",
            "kind": "bad cell",
            "column": "status",
            "rule": "choices",
            "planted": 2,
            "refused": 2,
            "known": 0,
        },
        {"table": "payments", "kind": "late", "column": "", "rule": "", "planted": 7, "refused": 0, "known": 0},
    ]


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        # New York sprang forward at 2 o'clock on 13 March 2022: 2:30 never was.
        (datetime(2022, 3, 13, 6, 30, tzinfo=UTC), 0, "2022-03-13 01:30:00"),
        (datetime(2022, 3, 13, 7, 30, tzinfo=UTC), 0, "2022-03-13 03:30:00"),
        # It fell back on 6 November: 1:30 was twice, and a time without a zone cannot say which.
        (datetime(2022, 11, 6, 5, 30, tzinfo=UTC), 0, "2022-11-06 01:30:00"),
        (datetime(2022, 11, 6, 6, 30, tzinfo=UTC), 0, "2022-11-06 01:30:00"),
        (datetime(2022, 3, 13, 7, 30, tzinfo=UTC), 1, "2022-03-12 23:30:00"),
        (datetime(2022, 7, 1, 12, tzinfo=UTC), 2, "2022-07-01 13:00:00"),
        (datetime(2022, 7, 1, 18, tzinfo=UTC), 3, "2022-07-02 03:00:00"),
        (datetime(2022, 7, 1, 18, tzinfo=UTC), NO_ZONE, "2022-07-01 18:00:00.000000Z"),
    ],
)
def test_a_naive_desk_writes_what_its_clock_on_the_wall_says(utc: datetime, zone: int, local: str) -> None:
    cells = {name: pa.array([utc], MOMENT) for name in ("valid_from", "created_at", "event_at")}
    rows = pa.table(cells | {"solved_at": pa.array([None], MOMENT), "reopens": pa.array([2], pa.int64())})
    text = as_text(rows, np.array([zone]))
    assert text["valid_from"].to_pylist() == text["created_at"].to_pylist() == [local]
    assert text["event_at"].to_pylist() == [f"{utc:%Y-%m-%d %H:%M:%S}.000000Z"]
    assert text["solved_at"].to_pylist() == [None]
    assert text["reopens"].to_pylist() == ["2"]


def test_broken_lines_stand_at_the_end_and_have_a_cell_too_many(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pa.table({"a": ["1", None], "b": ["x, y", 'q"']}), long_lines=2)
    assert (tmp_path / "t.csv").read_text() == '"a","b"\n"1","x, y"\n,"q"""\n?,?,?\n?,?,?\n'


def test_a_dirty_company_without_dirt_is_the_clean_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGIMES, "spotless", Regime("spotless", "", "", (Change("dirt", CLEAN, "none"),)))
    for name in ("campaign", "spotless"):
        simulate(regime=name, accounts=8, seed=5, start=START, weeks=40, out=tmp_path / name)
    usual, here = tmp_path / "campaign", tmp_path / "spotless"
    for name in set(SOURCES) - {"tickets_history"}:
        assert fingerprint(here / f"{name}.parquet") == fingerprint(usual / f"{name}.parquet"), name
    lines = (here / "tickets_history.csv").read_text().splitlines()
    assert len(lines) == 1 + len(table(usual, "tickets_history"))
    assert not table(here, "truth/dirt")[["refused", "known"]].to_numpy().any()
    assert len(table(here, "truth/blackouts")) == 0
