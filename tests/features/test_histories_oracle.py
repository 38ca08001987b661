"""A hundred random histories (a thousand with the marker ``full``): is every feature what plain Python finds in each?

A history is one made-up account of one seed, with events that come late, are corrected and taken back. A hundred are
one portfolio, so that shares over all of it are judged, too. The oracles are those of the few-seed tests; here their
claims meet numbers in which a rare order of arrivals shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from features.campaigns import windows_from
from tests.features import test_campaign_oracle as campaign
from tests.features import test_financial_oracle as money
from tests.features import test_financial_terms_oracle as terms
from tests.features import test_output_quality_oracle as work
from tests.features import test_sentiment_oracle as voice
from tests.features import test_usage_oracle as usage
from tests.features import test_voices_oracle as voices
from tests.features.known_production import Known as KnownProduction
from tests.features.made_up_money import money_rows
from tests.features.made_up_rows import ACCOUNTS, COMPANY, FIRST, Row, text_table
from tests.features.made_up_terms import term_rows
from tests.features.made_up_usage import usage_rows
from tests.features.sql_case import rows_of
from tests.features.usage_oracle import World
from tests.features.view_case import view_rows

Tables = dict[str, list[Row]]
Features = Mapping[str, float | None]

SEGMENTS = {str(row["account_id"]): str(row["segment"]) for row in COMPANY["accounts_history"]}
SPAN = (FIRST, FIRST + timedelta(weeks=62))

HISTORIES = 100
"""In one portfolio; shares and medians are over all of them, so the oracle's work grows with the square."""
NAMES = ("_id", "project_key", "asset_key")
"""How columns end that name a thing of one history; the same name in another one is another thing."""
PORTFOLIOS = [pytest.param(0, id="first"), *(pytest.param(n, id=f"{n}", marks=pytest.mark.full) for n in range(1, 10))]


def portfolio(make: Callable[[int], Tables], number: int) -> Tables:
    """The rows of enough seeds for so many accounts, with ids of their own."""
    merged: Tables = {}
    seeds = -(-HISTORIES // len(ACCOUNTS))
    for seed in range(1 + number * seeds, 1 + (number + 1) * seeds):
        for name, rows in (COMPANY | make(seed)).items():
            merged.setdefault(name, []).extend(_renamed(row, seed) for row in rows)
    return merged


def _renamed(row: Row, seed: int) -> Row:
    return {
        name: f"{seed}.{value}" if name.endswith(NAMES) and value is not None else value for name, value in row.items()
    }


def mondays(number: int) -> list[datetime]:
    random = Random(number)  # noqa: S311 - made-up rows are no secret
    # The last one looks back on a whole year.
    weeks = [*random.sample(range(4, 56), 2), random.randrange(57, 62)]
    return sorted(FIRST + timedelta(weeks=week) for week in weeks)


def of_money(tables: Tables, as_of: datetime) -> Callable[[str], Features]:
    known = money.Known(tables, as_of)
    return lambda account: money.expected_features(known, account)


def of_usage(_: Tables, as_of: datetime) -> Callable[[str], Features]:
    def features(account: str) -> Features:
        seed, name = account.split(".")
        return usage.counted(used(int(seed)), name, as_of)

    return features


@cache
def used(seed: int) -> World:
    return World(usage_rows(seed), [], segments=SEGMENTS, seats=usage.SEATS, span=SPAN)


def of_terms(tables: Tables, as_of: datetime) -> Callable[[str], Features]:
    known = terms.Known(tables, as_of)
    return lambda account: terms.expected_features(known, account)


def own_segments(seed: int) -> Tables:
    """Usage and campaigns of a seed whose segments are its own: what is usual in a segment is learnt from it alone."""
    accounts = [{**row, "segment": f"{seed}.{row['segment']}"} for row in COMPANY["accounts_history"]]
    return {**usage_rows(seed), "accounts_history": accounts}


def of_campaigns(_: Tables, as_of: datetime) -> Callable[[str], Features]:
    def features(account: str) -> Features:
        seed, name = account.split(".")
        return campaign.expected_features(ran(int(seed)), name, as_of)

    return features


@cache
def ran(seed: int) -> World:
    tables = usage_rows(seed)
    calendar = {
        name: rows_of(name, text_table(rows)).to_pylist()
        for name, rows in (COMPANY | tables).items()
        if name in ("campaign_instances_history", "account_campaigns_history", "accounts_history")
    }
    windows = list(windows_from({"campaigns": [], **calendar}))
    return World(tables, windows, segments=SEGMENTS, seats=usage.SEATS, span=SPAN)


def of_work(tables: Tables, as_of: datetime) -> Callable[[str], Features]:
    known = KnownProduction(tables, as_of)
    return lambda account: work.expected_features(known, account)


def of_voice(tables: Tables, as_of: datetime) -> Callable[[str], Features]:
    known, heard = voice.Known(tables, as_of), voices.Known(tables, as_of)

    def features(account: str) -> Features:
        asked = voice.survey_features(known, account) | voice.ticket_features(known, account)
        return asked | voices.said_by(heard, account)

    return features


ORACLES = {
    "money": ("financial", money_rows, of_money),
    "terms": ("financial", term_rows, of_terms),
    "usage": ("engagement", usage_rows, of_usage),
    "campaigns": ("campaign", own_segments, of_campaigns),
    "production": ("output_quality", work.production, of_work),
    "voice": ("sentiment", voices.talk, of_voice),
}
"""What the histories are about: the view that is judged, what makes the rows, and what says the answer."""


@pytest.mark.parametrize("number", PORTFOLIOS)
@pytest.mark.parametrize("subject", ORACLES)
def test_every_feature_of_every_history_is_what_plain_python_finds(subject: str, number: int) -> None:
    view, make, oracle = ORACLES[subject]
    tables, as_ofs = portfolio(make, number), mondays(number)
    found = rows_of_view(view, tables, as_ofs)
    assert len({row["account_id"] for row in found}) >= HISTORIES
    expected = {as_of: oracle(tables, as_of) for as_of in as_ofs}
    differing: list[tuple[str, str, str]] = []
    valued: dict[str, int] = {}
    for row in found:
        for name, value in expected[row["as_of"]](row["account_id"]).items():
            valued[name] = valued.get(name, 0) + (value is not None)
            if row[name] != pytest.approx(value, abs=1e-6):
                differing.append((row["account_id"], f"{row['as_of'].date()}", name))
    assert differing == []
    # A feature that is null everywhere would pass without being looked at.
    assert [name for name, count in valued.items() if not count] == []


def rows_of_view(view: str, tables: Tables, as_ofs: Sequence[datetime]) -> list[dict[str, Any]]:
    case = {name: text_table(rows) for name, rows in tables.items()}
    return view_rows(view, case, as_of=[f"{as_of.date()}" for as_of in as_ofs])
