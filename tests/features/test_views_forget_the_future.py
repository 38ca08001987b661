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
from tests.features.made_up_rows import FIRST, Row, text_table
from tests.features.made_up_terms import term_rows
from tests.features.made_up_usage import usage_rows
from tests.features.test_voices_oracle import talk
from tests.features.view_case import view_rows

SEED = 5
AS_OFS = [FIRST + timedelta(weeks=week) for week in (30, 45, 62)]
VIEWS = [Subcategory.OUTPUT_QUALITY, Subcategory.FINANCIAL, Subcategory.SENTIMENT, Subcategory.MARKET]


def everything() -> dict[str, list[Row]]:
    said = usage_rows(SEED) | talk(SEED)
    return term_rows(SEED) | said | production_rows(SEED) | money_rows(SEED) | market_rows(SEED)


def known_by(tables: dict[str, list[Row]], as_of: datetime) -> dict[str, list[Row]]:
    return {name: [row for row in rows if row["available_at"] <= as_of] for name, rows in tables.items()}


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
    rare = {"peak_seat_utilisation_w26", "ticket_silence_flag", "discount_change", "revision_cycle_active_ratio_last"}
    assert names - valued <= rare


@pytest.mark.parametrize("view", VIEWS)
def test_rows_loaded_twice_change_nothing(view: Subcategory) -> None:
    tables = everything()
    twice = {name: [*rows, *rows] for name, rows in tables.items()}
    assert rows_of_view(view, twice, AS_OFS[-1:]) == rows_of_view(view, tables, AS_OFS[-1:])
