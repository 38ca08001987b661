"""A home that holds the made-up portfolio: its snapshots, its cohort, and contracts that end as its accounts decided.

What the lifecycle reads from it is the portfolio again, through the real store and the real label rules.
"""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.build import COHORT, snapshot_dataset
from features.catalogue import features_of
from features.manifest import stored_file
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import Subcategory
from training.material import Material
from training.registry import ModelRegistry

from .bundle_case import SMALL, Trained, trained
from .bundle_case import features_of as rows_of_store
from .portfolio_case import FIRST, Portfolio
from .warehouse_case import home_with

CURRENCY = "EUR"
EFFECT = timedelta(days=56)
_MOMENT = pa.timestamp("us", tz="UTC")


def material_of(made: Trained) -> Material:
    """What a training of the portfolio has on the table, without a disk."""
    world = made.world
    cohort = world.cohort[world.cohort["cohort_status"] == "at_risk"].reset_index(drop=True)
    features = rows_of_store(world, cohort)
    return Material(cohort.assign(currency=CURRENCY), features, world.decided, census=(), data_cut=world.data_cut)


def stored_portfolio(root: Path, world: Portfolio) -> Home:
    """A home with every snapshot of the portfolio, registered features and the contracts behind its outcomes."""
    home = home_with(root, contracts_history=_contracts(world), contract_events=_endings(world))
    keys = {"account_id": pa.string(), "as_of": _MOMENT, "known_at": _MOMENT}
    rows = world.snapshots.assign(known_at=world.snapshots["as_of"])
    for part in Subcategory:
        types = {feature.name: pa.string() if feature.is_text else pa.float64() for feature in features_of(part)}
        _store(home, part, rows, {**keys, **types})
    words = dict.fromkeys(("cohort_status", "cluster_id", "segment", "currency"), pa.string())
    cohort = world.cohort.assign(known_at=world.cohort["as_of"], currency=CURRENCY, end_on=ends_of(world))
    _store(home, COHORT, cohort, {**keys, **words, "end_on": pa.date32()})
    FeatureStore(home).apply()
    shutil.copy(_tracking_store(), home.root)
    return home


@cache
def _tracking_store() -> Path:
    """MLflow's store without a run, as it makes one itself; that takes it seconds, which every home would wait for."""
    root = Path(mkdtemp(prefix="pulse-mlflow-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    home = Home(root=root)
    assert ModelRegistry(home).versions() == ()
    return root / "mlflow.db"


def ends_of(world: Portfolio) -> pd.Series[Any]:
    """The last day of each cohort row's contract: notice is due 8 weeks before; null for contracts without end."""
    days = pd.to_timedelta(world.snapshots["days_to_decision"], unit="D") + EFFECT
    return (world.cohort["as_of"] + days).dt.date


def _store(home: Home, view: str, rows: pd.DataFrame, types: dict[str, Any]) -> None:
    dataset, staged = snapshot_dataset(home, view), []
    for as_of, chosen in rows.sort_values(["as_of", "account_id"]).groupby("as_of"):
        columns = {name: pa.array(chosen[name], kind, from_pandas=True) for name, kind in types.items()}
        name = as_of.date().isoformat()
        path = dataset.staging(name)
        pq.write_table(pa.table(columns), path)
        facts = {"as_of": as_of.to_pydatetime().isoformat()}
        staged.append((path, stored_file(path, name=name, rows=len(chosen), facts=facts)))
    dataset.commit(staged)


def _contracts(world: Portfolio) -> str:
    begin = (FIRST - timedelta(weeks=200)).date().isoformat()
    accounts = sorted({*world.cohort["account_id"], *world.decided["account_id"]})
    return _text(
        "contract_id | account_id | valid_from | start_on | end_on | currency | acv_minor",
        [f"c-{account} | {account} | {begin} | {begin} | - | {CURRENCY} | 1" for account in accounts],
    )


def _endings(world: Portfolio) -> str:
    return _text(
        "contract_event_id | contract_id | account_id | type | event_at | effective_on | available_at",
        [_ending(one.account_id, one.decided_at, one.known_at) for one in world.decided.itertuples()],
    )


def _ending(account: str, decided_at: pd.Timestamp, known_at: pd.Timestamp) -> str:
    moments = f"{_naive(decided_at)} | {(decided_at + EFFECT).date()} | {_naive(known_at)}"
    return f"e-{account} | c-{account} | {account} | cancelled | {moments}"


def _naive(moment: pd.Timestamp) -> str:
    return moment.tz_convert(None).isoformat()


def _text(header: str, lines: Sequence[str]) -> str:
    return "\n".join([header, *lines])


__all__ = ["SMALL", "ends_of", "material_of", "stored_portfolio", "trained"]
