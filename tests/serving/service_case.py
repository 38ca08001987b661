"""A small home with everything a service needs: snapshots, features online, two models, one of them live.

The portfolio is the made-up one of training; the models are fitted on it; stores and bundles are the real ones. Built
once per test process, then copied.
"""

from __future__ import annotations

import atexit
import shutil
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.build import COHORT
from features.catalogue import features_of
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import Subcategory
from tests.features.snapshot_case import store_rows
from tests.training.portfolio_case import Portfolio, portfolio
from training.calibrate import Calibration
from training.config import TrainingConfig
from training.dataset import training_cohort, training_rows
from training.fit import fit_hazard
from training.held_out import Caution
from training.packing import Provenance, make_bundle, write_bundle
from training.promotions import promote
from training.reference import reference_portfolio
from training.venn_abers import Past, RiskSpread, spread_table

ACCOUNTS = 120
WEEKS = 130
SNAPSHOTS = 3
VERSIONS = ("1", "2")
PASSED = {"passed": True, "gates": []}
_ONBOARDING = "onboarding"
NAME = '<i>Søn & Datter</i> \u202e"Post"'
"""An account name that shows every place where text is not escaped."""


def world() -> Portfolio:
    """The made-up portfolio."""
    return portfolio(ACCOUNTS, WEEKS)


def as_ofs() -> list[datetime]:
    """The stored snapshots, oldest first; they lie four weeks apart."""
    return [moment.to_pydatetime() for moment in sorted(world().cohort["as_of"].unique())[-SNAPSHOTS:]]


def newest() -> datetime:
    """The newest stored snapshot: what is online."""
    return as_ofs()[-1]


def now() -> datetime:
    """A moment at which the newest snapshot is two and a half days old."""
    return newest() + timedelta(days=2, hours=12)


def stored_rows(as_of: datetime) -> pd.DataFrame:
    """The cohort rows of one snapshot with every feature, ordered by account."""
    inside = world().cohort["as_of"] == pd.Timestamp(as_of)
    rows = world().snapshots[inside].sort_values("account_id").reset_index(drop=True)
    return rows.assign(
        cohort_status=[_ONBOARDING if number == 1 else status for number, status in enumerate(rows["cohort_status"])],
        account_name=[f"Studio {account}" if number else NAME for number, account in enumerate(rows["account_id"])],
        country="DK",
        csm_owner_id=[f"csm{number % 3}" if number else None for number in range(len(rows))],
        currency="EUR",
        contract_id="c-" + rows["account_id"],
        decision_on=[None if np.isnan(days) else _day(as_of, days) for days in rows["days_to_decision"]],
        campaigns_live=["Award season (active)" if phase == "active" else None for phase in rows["phase"]],
    )


def ids(status: str = "at_risk") -> list[str]:
    """Accounts of the newest snapshot with a cohort status, in order."""
    rows = stored_rows(newest())
    return [str(account) for account in rows.loc[rows["cohort_status"] == status, "account_id"]]


def stored_home(root: Path, *, live: str | None = "1") -> Home:
    """A copy of the home under ``root``; ``live`` is the promoted version."""
    shutil.copytree(_template(), root, dirs_exist_ok=True)
    home = Home(root=root)
    if live is not None:
        promote(home, live, who="test", why="test", verdict=PASSED, at=now())
    return home


def many_online(home: Home, count: int, *, prefix: str) -> dict[str, str]:
    """The accounts of the small home once more, under as many new ids as are asked for; told is whose values each has.

    They are online only, with the features of the newest snapshot.
    """
    rows = stored_rows(newest())
    pattern = rows[rows["cohort_status"] == "at_risk"].reset_index(drop=True)
    many = pattern.iloc[np.arange(count) % len(pattern)].reset_index(drop=True)
    names = [f"{prefix}-{number:04}" for number in range(count)]
    keys = pd.DataFrame({"account_id": names, "as_of": many["as_of"], "known_at": many["as_of"]})
    views = {
        str(part): pd.concat([keys, many[[feature.name for feature in features_of(part)]]], axis=1)
        for part in Subcategory
    }
    assert FeatureStore(home).push(views) == count * len(Subcategory)
    return dict(zip(names, many["account_id"], strict=True))


@lru_cache(maxsize=1)
def _template() -> Path:
    root = Path(mkdtemp(prefix="service-case-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    home = Home(root=root).prepare()
    for as_of in as_ofs():
        _store(home, as_of)
    store = FeatureStore(home)
    store.apply()
    store.materialize(newest())
    for version, rounds in zip(VERSIONS, (15, 30), strict=True):
        _write_model(home, version, rounds)
    return root


def _store(home: Home, as_of: datetime) -> None:
    rows = stored_rows(as_of)
    keys = {
        "account_id": pa.array(rows["account_id"], pa.string()),
        "as_of": pa.array(rows["as_of"], pa.timestamp("us", tz="UTC")),
        "known_at": pa.array(rows["as_of"], pa.timestamp("us", tz="UTC")),
    }
    for part in Subcategory:
        columns: dict[str, Any] = {
            feature.name: pa.array(
                rows[feature.name], pa.string() if feature.is_text else pa.float64(), from_pandas=True
            )
            for feature in features_of(part)
        }
        store_rows(home, part, pa.table({**keys, **columns}), as_of=as_of)
    shown = {name: pa.array(rows[name], pa.string()) for name in ("cohort_status", "segment", "account_name")}
    store_rows(home, COHORT, pa.table({**keys, **shown}), as_of=as_of)


def _write_model(home: Home, version: str, rounds: int) -> None:
    made = world()
    config = TrainingConfig(least_events=5, limited_events=6, full_events=6, reference_group_rows=5)
    cohort = training_cohort(made.cohort, config)
    chosen = made.snapshots.merge(cohort[["account_id", "as_of"]], on=["account_id", "as_of"], how="right")
    rows = training_rows(cohort, chosen, made.decided, data_cut=made.data_cut, config=config)
    params = {"learning_rate": 0.2, "num_leaves": 7, "max_depth": 4, "min_data_in_leaf": 20, "lambda_l2": 1.0}
    fitted = fit_hazard(rows, params, rounds, config, threads=1)
    reference = reference_portfolio(made.snapshots, newest(), config)
    bundle = make_bundle(
        fitted,
        Calibration(
            slope=0.9,
            intercepts=(0.1, 0.05, 0.0, -0.05, 0.0, 0.0, 0.1),
            events=fitted.events,
            segments={"studio": -0.2, "agency": 0.25},
            phases={"active": -0.1, "post": 0.15, "none": -0.05},
        ),
        reference,
        caution=Caution(4.0, _spread()),
        provenance=Provenance(version, as_ofs()[0], newest(), made.data_cut),
        config=config,
    )
    write_bundle(home.bundles / version, bundle, reference)


def _spread() -> RiskSpread:
    """How sure risks are that came true 4,000 times for regular accounts and 200 times for thin ones."""
    draw = np.random.default_rng(3)
    tables = {}
    for kind, count in (("regular", 4000), ("thin", 200)):
        risk = draw.beta(1, 12, count)
        left = (draw.random(count) < risk).astype(np.float64)
        accounts = np.array([f"p{place}" for place in range(count)], dtype=object)
        tables[kind] = spread_table(Past(risk, left, accounts), row_weight=1.0, outside_share=0.1)
    return RiskSpread(**tables)


def _day(as_of: datetime, days: float) -> str:
    return (as_of + timedelta(days=days)).date().isoformat()
