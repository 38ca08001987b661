"""Law 1: what becomes known later changes no cell of any view. Nor does what else is built, or how rows arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import VIEWS
from features.events import TABLES
from features.steps import STEPS, name_run, run_steps
from features.warehouse import empty_table_query, open_engine
from tests.faults.reporter import tries
from tests.features.made_up_company import company_rows
from tests.features.made_up_market import market_rows
from tests.features.made_up_money import money_rows
from tests.features.made_up_production import production_rows
from tests.features.made_up_rows import FIRST, Row, text_table
from tests.features.made_up_usage import usage_rows
from tests.features.made_up_voice import voice_rows
from tests.features.sql_case import rows_of

Tables = dict[str, list[Row]]


def everything(seed: int) -> Tables:
    makers = (company_rows, usage_rows, production_rows, money_rows, voice_rows, market_rows)
    return {name: rows for maker in makers for name, rows in maker(seed).items()}


def views(tables: Mapping[str, Sequence[Row]], as_ofs: Sequence[datetime]) -> dict[str, list[dict[str, Any]]]:
    """Every view's rows, sorted."""
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        for name in TABLES:
            if tables.get(name):
                engine.name_rows(name, rows_of(name, text_table(tables[name])))
            else:
                engine.name_query(name, empty_table_query(name))
        name_run(engine, as_ofs)
        run_steps(engine, STEPS, Path(scratch))
        return {view: engine.fetch(f'SELECT * FROM "{view}" ORDER BY account_id, as_of').to_pylist() for view in VIEWS}


def parted(tables: Tables, as_of: datetime) -> tuple[Tables, Tables]:
    """What was known by ``as_of``, and what became known later."""
    known = {name: [row for row in rows if row["available_at"] <= as_of] for name, rows in tables.items()}
    later = {name: [row for row in rows if row["available_at"] > as_of] for name, rows in tables.items()}
    return known, later


def lies(random: Random, known: Tables, as_of: datetime) -> Tables:
    """Known rows said anew with other numbers, or taken back, after ``as_of``."""
    return {name: [_lie(random, row, as_of) for row in rows if random.random() < 0.3] for name, rows in known.items()}


def _lie(random: Random, row: Row, as_of: datetime) -> Row:
    changed = {name: value + 7 for name, value in row.items() if type(value) is int and random.random() < 0.5}
    told_at = as_of + timedelta(minutes=random.randrange(1, 60 * 24 * 60))
    return {**row, **changed, "available_at": told_at, "op": random.choice(("upsert", "delete"))}


@settings(max_examples=tries(3, 6), deadline=None)
@given(seed=st.integers(0, 10_000), week=st.integers(12, 66), minutes=st.sampled_from([0, 1]))
def test_rows_known_later_change_no_cell_of_any_view(seed: int, week: int, minutes: int) -> None:
    as_of = FIRST + timedelta(weeks=week)
    known, later = parted(everything(seed), as_of)
    false = lies(Random(seed), known, as_of)  # noqa: S311 - made-up rows are no secret
    # Rows that become known a minute after the snapshot, too.
    at_once = {
        name: [{**row, "available_at": as_of + timedelta(minutes=1)} for row in rows] if minutes else []
        for name, rows in later.items()
    }
    all_rows = {name: [*known[name], *later[name], *at_once[name], *false[name]] for name in known}
    assert views(all_rows, [as_of]) == views(known, [as_of])


@pytest.mark.parametrize("seed", [4, pytest.param(11, marks=pytest.mark.full)])
def test_a_snapshot_is_the_same_whichever_others_are_built_with_it(seed: int) -> None:
    tables = everything(seed)
    as_ofs = [FIRST + timedelta(weeks=week) for week in range(40, 47)]
    together = views(tables, as_ofs)
    assert any(together["cohort"])
    for as_of in as_ofs[::3]:
        alone = views(tables, [as_of])
        for view, rows in together.items():
            assert [row for row in rows if row["as_of"] == as_of] == alone[view], view


def test_neither_the_order_of_rows_nor_loading_them_twice_changes_a_cell() -> None:
    tables = everything(2)
    as_of = FIRST + timedelta(weeks=52)
    random = Random(0)  # noqa: S311 - made-up rows are no secret
    # Reading a text table numbers the rows; the number breaks ties only between rows that differ in nothing else.
    twice = {name: [*rows, *rows] for name, rows in tables.items()}
    shuffled = {name: random.sample(rows, len(rows)) for name, rows in tables.items()}
    expected = views(tables, [as_of])
    assert views(twice, [as_of]) == expected
    assert views(shuffled, [as_of]) == expected
