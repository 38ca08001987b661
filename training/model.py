"""How does a model reach those who score with it, without a damaged file ever reaching LightGBM?

The door of this room for serving. A bundle is loaded only after every file of it matched its SHA-256, because a
damaged model file ends the process. :func:`prove_in_child` proves a bundle on its golden rows in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.catalogue import feature_list_hash
from features.errors import EXIT_OK, ConfigError
from features.vocabulary import Subcategory
from training.bundle import OFFSET_OWNERS, SCORE_COLUMNS, Bundle, now_inputs, owners_of
from training.bundle_files import (
    CALIBRATION,
    FEATURES,
    FILES,
    GOLDEN,
    MANIFEST,
    MODEL,
    REFERENCE,
    bundle_hash,
    damaged,
    json_document,
    read_files,
)
from training.calibrate import Calibration
from training.columns import Columns
from training.config import TrainingConfig
from training.explainer import Explainer
from training.inputs import WORDS, numbers_of
from training.reference import Reference
from training.venn_abers import KINDS, RiskSpread, SpreadTable

__all__ = [
    "OFFSET_OWNERS",
    "SCORE_COLUMNS",
    "Bundle",
    "Columns",
    "bundle_hash",
    "check_golden",
    "load_bundle",
    "native_booster",
    "prove_in_child",
]

_GOLDEN_TOLERANCE = 1e-9
"""Points and risks; room for another processor's last bits, none for another model."""


def load_bundle(folder: Path, *, expected_hash: str | None = None, threads: int = 1) -> Bundle:
    """Load a model bundle.

    Every file is hashed before LightGBM sees any of it. ``expected_hash`` is :func:`bundle_hash` as it was recorded
    elsewhere, so that a bundle exchanged as a whole is refused too. Lookup tables for group values are made here and
    compared with LightGBM on the golden rows; :attr:`training.explainer.Explainer.method` says what came of it.

    Raises:
        IntegrityError: a file is missing or altered, or the parts do not belong together.
    """
    contents, manifest = read_files(folder)
    if expected_hash is not None and bundle_hash(folder) != expected_hash:
        raise damaged(folder, MANIFEST, "another bundle (SHA-256 differs)")
    documents = {name: json_document(contents[name], folder, name) for name in FILES if name != MODEL}
    try:
        bundle = _assembled(contents[MODEL].decode(), documents, manifest, threads)
        _require_own_columns(bundle, documents[FEATURES], folder)
        golden = golden_frame(documents[GOLDEN]["rows"])
        probe = now_inputs(numbers_of(golden, bundle.model_features), bundle.config)
    except (KeyError, TypeError, ValueError, ConfigError) as cause:
        raise damaged(folder, MANIFEST, f"documents of another form ({type(cause).__name__})") from cause
    return replace(bundle, explainer=bundle.explainer.with_tables(probe), content_hash=bundle_hash(folder))


def native_booster(text: str) -> Any:
    """A booster from LightGBM's native text. Text that was not hashed first can end the process."""
    return lgb.Booster(model_str=text)


def check_golden(folder: Path) -> Bundle:
    """Load a bundle, score its golden rows and compare with what was written.

    Raises:
        IntegrityError: as :func:`load_bundle`, or a score differs by more than 1e-9.
    """
    bundle = load_bundle(folder)
    golden = json.loads((folder / GOLDEN).read_text())
    scored = bundle.score(golden_frame(golden["rows"]))
    for name, expected in golden["scores"].items():
        found = scored[name].tolist()
        same = (
            np.allclose(found, expected, rtol=0.0, atol=_GOLDEN_TOLERANCE)
            if isinstance(expected[0], float)
            else found == expected
        )
        if not same:
            raise damaged(folder, MODEL, f"other scores for its golden rows ({name})")
    return bundle


def golden_frame(rows: dict[str, list[Any]]) -> pd.DataFrame:
    """Golden rows as the feature store would give them: numbers as doubles, words as objects."""
    columns = {
        name: pd.to_datetime(values, utc=True)
        if name == "as_of"
        else np.array(values, dtype=object if name in WORDS else np.float64)
        for name, values in rows.items()
    }
    return pd.DataFrame(columns)


def golden_rows_of(folder: Path) -> pd.DataFrame:
    """The golden rows of a stored bundle, as the feature store would give them; raises as :func:`load_bundle`."""
    contents, _ = read_files(folder)
    rows: dict[str, list[Any]] = json_document(contents[GOLDEN], folder, GOLDEN)["rows"]
    return golden_frame(rows)


def prove_in_child(folder: Path, *, timeout: timedelta = timedelta(seconds=60)) -> None:
    """Run :func:`check_golden` in a process of its own, which a bad model may kill instead of this one.

    Raises:
        IntegrityError: the child refused the bundle, died, or took too long.
    """
    command = [sys.executable, "-m", "training.proof", str(folder)]
    seconds = timeout.total_seconds()
    try:
        ended = subprocess.run(command, check=False, capture_output=True, timeout=seconds)  # noqa: S603
    except subprocess.TimeoutExpired as cause:
        raise damaged(folder, MODEL, f"a proof that ran over {timeout}") from cause
    if ended.returncode != EXIT_OK:
        raise damaged(folder, MODEL, f"a proof that ended with code {ended.returncode}")


def _assembled(text: str, documents: dict[str, dict[str, Any]], manifest: dict[str, Any], threads: int) -> Bundle:
    names, calibration = documents[FEATURES], documents[CALIBRATION]
    return Bundle(
        version=str(manifest["version"]),
        features=tuple(names["features"]),
        subcategories=tuple(names["subcategories"]),
        calibration=Calibration(
            float(calibration["slope"]),
            tuple(calibration["intercepts"]),
            int(calibration["events"]),
            calibration["segments"],
            calibration["phases"],
        ),
        half_weight_weeks=float(calibration["half_weight_weeks"]),
        spread=RiskSpread(**{kind: _spread_table(calibration["spread"][kind]) for kind in KINDS}),
        reference=Reference(**documents[REFERENCE]),
        config=TrainingConfig.read_kept(manifest["config"]),
        facts=dict(manifest["facts"]),
        explainer=Explainer(
            native_booster(text), owners_of(names["features"], names["subcategories"]), len(Subcategory)
        ),
        threads=threads,
    )


def _spread_table(document: dict[str, Any]) -> SpreadTable:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    return SpreadTable(**values)


def _require_own_columns(bundle: Bundle, names: dict[str, Any], folder: Path) -> None:
    own = tuple(bundle.booster.feature_name()) == bundle.inputs
    if not own or feature_list_hash(bundle.inputs) != names["inputs_hash"]:
        raise damaged(folder, FEATURES, "other columns than the booster's")
