"""Do rows that become known later leave every feature as it was?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from features.catalogue import features_of
from features.vocabulary import Subcategory
from tests.features.made_up_market import market_rows
from tests.features.made_up_money import money_rows
from tests.features.made_up_production import production_rows
from tests.features.made_up_rows import COMPANY, FIRST, Row, text_table
from tests.features.made_up_voice import voice_rows
from tests.features.view_case import view_rows

SEED = 5
AS_OFS = [FIRST + timedelta(weeks=week) for week in (30, 45, 62)]
VIEWS = [Subcategory.OUTPUT_QUALITY, Subcategory.FINANCIAL, Subcategory.SENTIMENT, Subcategory.MARKET]


def everything() -> dict[str, list[Row]]:
    return COMPANY | production_rows(SEED) | money_rows(SEED) | voice_rows(SEED) | market_rows(SEED)


def known_by(tables: dict[str, list[Row]], as_of: datetime) -> dict[str, list[Row]]:
    # The company's own rows have no time of their own: they are known from the first day on.
    return {name: [row for row in rows if row.get("available_at", FIRST) <= as_of] for name, rows in tables.items()}


def rows_of_view(view: str, tables: dict[str, list[Row]], as_ofs: list[datetime]) -> list[dict[str, Any]]:
    text = {name: text_table(rows) for name, rows in tables.items()}
    return view_rows(view, text, as_of=[f"{as_of.date()}" for as_of in as_ofs])


@pytest.mark.parametrize("view", VIEWS)
def test_a_build_over_all_rows_equals_one_over_the_rows_known_at_each_as_of(view: Subcategory) -> None:
    found = rows_of_view(view, everything(), AS_OFS)
    for as_of in AS_OFS:
        alone = rows_of_view(view, known_by(everything(), as_of), [as_of])
        # Bit for bit: what was known decides, not what else is built or loaded.
        assert [row for row in found if row["as_of"] == as_of] == alone
    names = {feature.name for feature in features_of(view)}
    assert {type(row[name]) for row in found for name in names} <= {float, type(None)}
    valued = {name for name in names if any(row[name] is not None for row in found)}
    assert names - valued <= {"peak_seat_utilisation_w26", "ticket_silence_flag", "discount_change"}


@pytest.mark.parametrize("view", VIEWS)
def test_rows_loaded_twice_change_nothing(view: Subcategory) -> None:
    tables = everything()
    twice = {name: rows if name in COMPANY else [*rows, *rows] for name, rows in tables.items()}
    assert rows_of_view(view, twice, AS_OFS[-1:]) == rows_of_view(view, tables, AS_OFS[-1:])
