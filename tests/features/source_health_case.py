"""Sources with a known history in a few words, and what is told of their health at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.events import TABLES
from features.source_health import SourceHealth, SourceReport, health_in
from features.warehouse import empty_table_query, open_engine
from tests.features.made_up_rows import text_table
from tests.features.sql_case import rows_of

Row = dict[str, Any]

WEEK = timedelta(days=7)
AS_OF = datetime(2024, 6, 3, tzinfo=UTC)
"""A Monday."""
ACCOUNTS = tuple(f"a{number:02}" for number in range(40))
_LONG_AGO = datetime(2021, 1, 4, tzinfo=UTC)


def report(tables: Mapping[str, Sequence[Row]], *, as_of: datetime = AS_OF, **stewards: str) -> SourceReport:
    """The health of the sources of these rows at a moment."""
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        for name in TABLES:
            if tables.get(name):
                engine.name_rows(name, rows_of(name, text_table(tables[name])))
            else:
                engine.name_query(name, empty_table_query(name))
        return health_in(engine, as_of, Path(scratch), stewards=stewards)


def health(tables: Mapping[str, Sequence[Row]], *, as_of: datetime = AS_OF) -> SourceHealth:
    """The health of the desk's tickets."""
    (found,) = (each for each in report(tables, as_of=as_of).sources if each.table == "tickets_history")
    return found


def tickets(moments: Iterable[datetime], *, accounts: Sequence[str] = ACCOUNTS, source: str = "desk") -> list[Row]:
    """A ticket that came at each of the moments, of one account after the other."""
    return [
        {
            "source_system": source,
            "ticket_id": f"{source}-{number}",
            "account_id": accounts[number % len(accounts)],
            "valid_from": at - timedelta(hours=1),
            "available_at": at,
            "op": "upsert",
        }
        for number, at in enumerate(moments)
    ]


def weekly(counts: Sequence[int], *, until: datetime = AS_OF) -> list[datetime]:
    """So many moments per week, the last of the weeks ending at ``until``; spread over the seven days at noon."""
    first = until - len(counts) * WEEK
    return [
        first + week * WEEK + timedelta(days=number % 7, hours=12)
        for week, count in enumerate(counts)
        for number in range(count)
    ]


def company(accounts: Sequence[str] = ACCOUNTS, *, since: datetime = _LONG_AGO) -> dict[str, list[Row]]:
    """Accounts with a contract, by default since 2021, so that all of them are at risk."""
    return {
        "accounts_history": [
            {"source_system": "crm", "account_id": name, "valid_from": since, "segment": "studio", "hq_tz": "UTC"}
            for name in accounts
        ],
        "contracts_history": [
            {
                "source_system": "crm",
                "contract_id": f"c-{name}",
                "valid_from": since,
                "account_id": name,
                "start_on": since.date(),
                "end_on": "2027-01-03",
                "term_months": 72,
                "currency": "USD",
                "acv_minor": 1_000_000,
            }
            for name in accounts
        ],
    }


def campaigns(*starts: datetime, weeks: int, accounts: Sequence[str] = ACCOUNTS) -> dict[str, list[Row]]:
    """Campaigns of so many active weeks without ramp or aftermath, in which all accounts take part; known long ago."""
    known: Row = {"source_system": "calendar", "known_from": _LONG_AGO}
    return {
        "campaigns": [{**known, "campaign_id": "gala", "name": "Gala", "family": "custom"}],
        "campaign_instances_history": [
            {
                **known,
                "campaign_instance_id": f"gala_{number}",
                "campaign_id": "gala",
                "label": f"Gala {number}",
                "active_start_local": start.date(),
                "active_end_local": (start + weeks * WEEK).date() - timedelta(days=1),
                "tz_policy": "event_tz",
                "event_tz": "UTC",
                "pre_days": 0,
                "post_days": 0,
                "status": "confirmed",
            }
            for number, start in enumerate(starts)
        ],
        "account_campaigns_history": [
            {
                **known,
                "account_id": name,
                "campaign_instance_id": f"gala_{number}",
                "participation": "declared",
                "confidence": 1,
            }
            for number in range(len(starts))
            for name in accounts
        ],
    }
