"""How does a fitted and calibrated hazard become a bundle that serving can load?

Input: the fitted booster, its calibration and the feature rows of the reference portfolio. Output: a :class:`Bundle` in
memory, and a folder of hashed files. The same inputs give the same bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import feature_list_hash, feature_named
from features.vocabulary import Subcategory
from training.bundle import OFFSET_OWNERS, Bundle, now_inputs, owners_of
from training.bundle_files import CALIBRATION, FEATURES, GOLDEN, MODEL, REFERENCE, json_bytes, write_files
from training.calibrate import Calibration
from training.config import TrainingConfig
from training.explainer import Explainer
from training.fit import Fitted
from training.held_out import Caution
from training.inputs import WORDS, numbers_of, require_columns
from training.model import golden_frame, native_booster
from training.periods import MODEL_INPUTS, SNAPSHOT_FEATURES, Floats, Timing
from training.reference import Reference, group_medians, segment_means
from training.scorecard import summed
from training.shrinkage import Table, UsualLevels

_NOT_COMPARED = ("account_id", "as_of", "model_version")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a bundle was made from: version, first and last ``as_of`` of its training rows, and the label cut."""

    version: str
    first_as_of: datetime
    last_as_of: datetime
    data_cut: datetime


def make_bundle(
    fitted: Fitted,
    calibration: Calibration,
    portfolio: pd.DataFrame,
    *,
    caution: Caution,
    provenance: Provenance,
    config: TrainingConfig,
) -> Bundle:
    """A bundle in memory, ready to score.

    ``portfolio`` are feature rows from :func:`training.reference.reference_portfolio`.

    Raises:
        IntegrityError: the portfolio lacks columns that the model reads.
    """
    subcategories = tuple(str(feature_named(name).subcategory) for name in SNAPSHOT_FEATURES)
    owners = owners_of(SNAPSHOT_FEATURES, subcategories)
    bundle = Bundle(
        version=provenance.version,
        features=SNAPSHOT_FEATURES,
        subcategories=subcategories,
        calibration=calibration,
        half_weight_weeks=caution.half_weight_weeks,
        spread=caution.spread,
        reference=Reference(0, 0.0, {}, {}, 0.0, {}, {}, {}),
        config=config,
        facts=_facts(fitted, provenance),
        explainer=Explainer(native_booster(fitted.text), owners, len(Subcategory)),
    )
    require_columns(portfolio, bundle.needed_columns)
    probe = now_inputs(numbers_of(portfolio.head(config.golden_rows), bundle.model_features), config)
    explainer = bundle.explainer.with_tables(probe)
    facts = {**bundle.facts, "group_values": explainer.method}
    bundle = replace(bundle, explainer=explainer, facts=facts)
    return replace(bundle, reference=_reference(bundle, portfolio))


def write_bundle(folder: Path, bundle: Bundle, portfolio: pd.DataFrame) -> Path:
    """Write a bundle's files into a new folder and return it; some rows of the portfolio become its golden rows.

    Raises:
        UsageError: the folder exists.
    """
    calibration = {
        **asdict(bundle.calibration),
        "half_weight_weeks": bundle.half_weight_weeks,
        "spread": asdict(bundle.spread),
    }
    names = {
        "features": bundle.features,
        "subcategories": bundle.subcategories,
        "inputs": bundle.inputs,
        "inputs_hash": feature_list_hash(bundle.inputs),
    }
    files = {
        MODEL: bundle.booster.model_to_string().encode(),
        CALIBRATION: json_bytes(calibration),
        FEATURES: json_bytes(names),
        REFERENCE: json_bytes(bundle.reference.document()),
        GOLDEN: json_bytes(_golden(bundle, portfolio)),
    }
    config = bundle.config.model_dump(mode="json")
    write_files(folder, files, {"version": bundle.version, "facts": bundle.facts, "config": config})
    return folder


def _facts(fitted: Fitted, provenance: Provenance) -> dict[str, Any]:
    return {
        "first_as_of": provenance.first_as_of.isoformat(),
        "last_as_of": provenance.last_as_of.isoformat(),
        "data_cut": provenance.data_cut.isoformat(),
        "events": fitted.events,
        "params": fitted.params,
        "rounds": fitted.rounds,
        "loadings": fitted.loadings,
        "notes": list(fitted.notes),
    }


def _reference(bundle: Bundle, portfolio: pd.DataFrame) -> Reference:
    contributions, offsets = bundle.contributions(portfolio), bundle.calibration.offsets(portfolio)
    now = bundle.calibration.logits(summed(contributions, range(contributions.shape[1])), 0, offsets)
    return Reference(
        rows=len(portfolio),
        expectation=float(contributions[0, -1]),
        usual=dict(zip(MODEL_INPUTS, contributions[:, :-1].mean(axis=0).tolist(), strict=True)),
        segments=segment_means(now, portfolio["segment"].tolist()),
        overall=float(now.mean()),
        medians=group_medians(portfolio, bundle.config.reference_group_rows),
        levels=_levels(bundle, portfolio, offsets),
        offsets=dict(zip(OFFSET_OWNERS, offsets.mean(axis=0).tolist(), strict=True)),
    )


def _levels(bundle: Bundle, portfolio: pd.DataFrame, offsets: Floats) -> dict[str, Table]:
    numbers = numbers_of(portfolio, bundle.model_features)
    own, ahead = bundle.own_interval_logits(numbers, Timing.of(portfolio), offsets)
    segments = portfolio["segment"].tolist() * own.shape[1]
    return UsualLevels.of(segments, ahead, own.T.ravel(), weight=np.ones(own.size)).tables


def _golden(bundle: Bundle, portfolio: pd.DataFrame) -> dict[str, Any]:
    # Rows from all over the portfolio, without the names of accounts.
    places = np.unique(np.linspace(0, len(portfolio) - 1, bundle.config.golden_rows).astype(np.int64))
    chosen = portfolio.sort_values(["as_of", "account_id"], kind="stable").iloc[places].reset_index(drop=True)
    chosen = chosen.assign(account_id=[f"golden-{place:02d}" for place in range(len(chosen))])
    rows = {name: _plain(chosen, name) for name in bundle.needed_columns}
    scores = bundle.score(golden_frame(rows)).drop(columns=list(_NOT_COMPARED))
    return {"rows": rows, "scores": {str(name): column.tolist() for name, column in scores.items()}}


def _plain(chosen: pd.DataFrame, name: str) -> list[Any]:
    if name == "as_of":
        return [moment.isoformat() for moment in chosen[name]]
    if name in WORDS:
        return [None if pd.isna(word) else str(word) for word in chosen[name]]
    return [None if np.isnan(value) else value for value in numbers_of(chosen, [name])[:, 0].tolist()]
