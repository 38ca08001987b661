"""Made-up snapshots with a value for every feature of the catalogue, stored as a build stores them.

Values are drawn from the feature, the date and a ``version``: the same call stores the same values, another version
stores others. Nulls, zeros of both signs, tiny and huge numbers are among them, to be read back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.build import COHORT, snapshot_dataset
from features.catalogue import Feature, features_of
from features.manifest import stored_file
from features.settings import Home
from features.vocabulary import WEEK, Phase, Subcategory

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
"""The first snapshot of most cases."""

COHORT_COLUMNS = (
    "account_id",
    "as_of",
    "known_at",
    "cohort_status",
    "cluster_id",
    "account_name",
    "segment",
    "country",
    "hq_tz",
    "csm_owner_id",
    "contract_id",
    "start_on",
    "end_on",
    "term_months",
    "decision_on",
    "currency",
    "discount_pct",
    "acv_minor",
    "seats",
    "tenure_days",
)

_MOMENT = pa.timestamp("us", tz="UTC")
_ODD_NUMBERS = (0.0, -0.0, 5e-324, 1.7e308, 0.1 + 0.2, -1 / 3, float(2**53 + 1))
_WORDS = {
    "phase": tuple(Phase),
    "cohort_status": ("at_risk", "lost_pending", "onboarding"),
    "segment": ("enterprise", "mid", "small"),
    "country": ("FR", "NZ", "CA"),
    "currency": ("EUR", "NZD", "CAD"),
}
_NULLABLE_WORDS = ("campaigns_live", "account_name", "csm_owner_id", "decision_on")


def account_ids(count: int) -> list[str]:
    """Ids ``a00000`` upwards, in order."""
    return [f"a{number:05d}" for number in range(count)]


def weeks(count: int, *, first: datetime = MONDAY) -> list[datetime]:
    """So many Mondays from ``first`` on."""
    return [first + number * WEEK for number in range(count)]


def online_home(root: Path, accounts: Sequence[str], *, built: Sequence[datetime] = (MONDAY,)) -> Home:
    """A home with these dates built and registered, and the first of them online."""
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    home = Home(root=root).prepare()
    for as_of in built:
        store_snapshot(home, as_of, accounts)
    store = FeatureStore(home)
    store.apply()
    store.materialize(built[0])
    return home


def store_snapshot(
    home: Home, as_of: datetime, accounts: Sequence[str], *, known_at: datetime | None = None, version: int = 0
) -> None:
    """Store one date: a row per account in every view and in the cohort, known at ``as_of`` unless told otherwise."""
    for part in Subcategory:
        store_rows(home, part, view_rows(part, as_of, accounts, known_at=known_at, version=version), as_of=as_of)
    store_rows(home, COHORT, cohort_rows(as_of, accounts), as_of=as_of)


def store_rows(
    home: Home, view: str, rows: pa.Table, *, as_of: datetime | None = None, name: str | None = None
) -> None:
    """Store a table as one file of a view; without ``as_of`` the file does not say its date."""
    dataset = snapshot_dataset(home, view)
    called = name or (as_of or MONDAY).date().isoformat()
    path = dataset.staging(called)
    pq.write_table(rows, path, coerce_timestamps="us")
    facts = {"as_of": as_of.isoformat()} if as_of else {}
    dataset.commit([(path, stored_file(path, name=called, rows=rows.num_rows, facts=facts))])


def view_rows(
    part: Subcategory, as_of: datetime, accounts: Sequence[str], *, known_at: datetime | None = None, version: int = 0
) -> pa.Table:
    """The rows of one view at one date, one per account, in the given order."""
    columns: dict[str, Any] = _keys(as_of, accounts, known_at or as_of)
    for feature in features_of(part):
        random = np.random.default_rng(crc32(f"{feature.name} {as_of.isoformat()} {version}".encode()))
        columns[feature.name] = (
            _words(feature, random, accounts) if feature.is_text else _numbers(random, len(accounts))
        )
    return pa.table(columns)


def cohort_rows(as_of: datetime, accounts: Sequence[str]) -> pa.Table:
    """The cohort at one date: every column of the SQL step, the same for each account but for its names."""
    count, day = len(accounts), as_of.date()
    same = {
        "cohort_status": "at_risk",
        "segment": "mid",
        "country": "FR",
        "hq_tz": "Europe/Paris",
        "csm_owner_id": "csm1",
        "start_on": day - timedelta(days=400),
        "end_on": day + timedelta(days=330),
        "term_months": 12,
        "decision_on": day + timedelta(days=270),
        "currency": "EUR",
        "discount_pct": 5.0,
        "acv_minor": 1_200_000,
        "seats": 40,
        "tenure_days": 400,
    }
    named = {
        "cluster_id": list(accounts),
        "account_name": [f"Studio {account}" for account in accounts],
        "contract_id": [f"c-{account}" for account in accounts],
    }
    columns = {**_keys(as_of, accounts, as_of), **named, **{name: [value] * count for name, value in same.items()}}
    return pa.table({name: columns[name] for name in COHORT_COLUMNS})


def _keys(as_of: datetime, accounts: Sequence[str], known_at: datetime) -> dict[str, Any]:
    count = len(accounts)
    return {
        "account_id": pa.array(accounts, pa.string()),
        "as_of": pa.array([as_of] * count, _MOMENT),
        "known_at": pa.array([known_at] * count, _MOMENT),
    }


def _numbers(random: np.random.Generator, count: int) -> pa.Array:
    values = random.normal(scale=10.0 ** random.integers(-3, 6), size=count)
    odd = random.random(count) < 0.1
    values[odd] = random.choice(_ODD_NUMBERS, size=int(odd.sum()))
    return pa.array(values, pa.float64(), mask=random.random(count) < 0.15)


def _words(feature: Feature, random: np.random.Generator, accounts: Sequence[str]) -> pa.Array:
    choices = _WORDS.get(feature.name)
    words = [
        str(random.choice(choices)) if choices else f"{feature.name} {account} é {random.integers(1000)}"
        for account in accounts
    ]
    mask = random.random(len(words)) < (0.2 if feature.name in _NULLABLE_WORDS else 0.0)
    return pa.array(words, pa.string(), mask=mask)


def bits(rows: pd.DataFrame, names: Sequence[str]) -> list[tuple[object, ...]]:
    """The rows as tuples in which two values are equal only when their bits are; nulls of every kind are one."""
    columns = [
        rows[name].to_numpy(np.float64).view(np.int64).tolist()
        if rows[name].dtype == np.float64
        else rows[name].tolist()
        for name in names
    ]
    missing = [rows[name].isna().tolist() for name in names]
    cells = [
        [None if gone else value for value, gone in zip(*pair, strict=True)]
        for pair in zip(columns, missing, strict=True)
    ]
    return list(zip(*cells, strict=True))
