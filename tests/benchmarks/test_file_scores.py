"""What does a file of scores cost beside LightGBM's ``pred_contrib`` over the same rows, and how much memory?

Parquet to Parquet: read, checked, scored with the points of every part and the risks of all intervals, written. 300
trees of some 30 leaves, depth 6, over every feature of the catalogue; one thread; making machine code is in the price.
Targets: 50 times, 2 GB, and a cost that grows no faster than the rows. ``pred_contrib`` is timed on a part of the rows:
its time per row does not depend on their number. ``PULSE_BENCH_ROWS`` sets the size (a million by default); read the
ratios.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalogue import FEATURES
from features.settings import Home
from serving.batch.contract import FEATURE_SCHEMA
from serving.batch.files import score_files
from tests.benchmarks.measured import cost_of, rows_wanted
from tests.training.bundle_case import SMALL, provenance, trained
from training.bundle import now_inputs
from training.fit import fit_hazard
from training.inputs import numbers_of
from training.model import load_bundle
from training.packing import make_bundle, write_bundle
from training.promotions import promote

ROWS = rows_wanted("PULSE_BENCH_ROWS", 1_000_000)
PART = 400
PARAMS = {"learning_rate": 0.05, "num_leaves": 31, "max_depth": 6, "min_data_in_leaf": 5, "lambda_l2": 1.0}
TREES = 300
LEAST_CHEAPER, MOST_MEGABYTES = 50, 2048
"""The targets, printed beside what was measured."""

AS_FOR_MANY = SMALL.model_copy(update={"full_events": SMALL.limited_events})
"""A company with a million accounts has outcomes enough for trees of full size; the few of the made-up one do not
matter for what a look-up costs."""

_GROUP = 65_536
_NOW = datetime(2026, 1, 5, tzinfo=UTC)

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]


def home_with_a_large_model(root: Path) -> Home:
    made, home = trained(), Home(root=root).prepare()
    fitted = fit_hazard(made.development, PARAMS, TREES, AS_FOR_MANY, threads=1)
    bundle = make_bundle(
        fitted,
        made.calibration,
        made.reference_rows,
        caution=made.caution,
        provenance=provenance(made.world),
        config=SMALL,
    )
    write_bundle(home.bundles / "1", bundle, made.reference_rows)
    promote(home, "1", who="bench", why="bench", verdict={"passed": True, "gates": []}, at=_NOW)
    return home


def write_features(file: Path, count: int) -> None:
    """Rows of the made-up portfolio over and over, every number moved a little, so that no two are the same."""
    pattern = trained().world.snapshots
    pattern = pattern.assign(**{feature.name: None for feature in FEATURES if feature.name not in pattern})
    numbers = [feature.name for feature in FEATURES if not feature.is_text and pattern[feature.name].notna().any()]
    moving = [name for name in numbers if not np.array_equal(pattern[name], np.round(pattern[name]), equal_nan=True)]
    rng = np.random.default_rng(1)
    with pq.ParquetWriter(file, FEATURE_SCHEMA, compression="zstd") as writer:
        for start in range(0, count, _GROUP):
            rows = pattern.iloc[rng.integers(0, len(pattern), min(_GROUP, count - start))].reset_index(drop=True)
            rows[moving] = rows[moving].to_numpy(np.float64) * (1 + 1e-3 * rng.normal(size=(len(rows), len(moving))))
            rows["account_id"] = [f"acc-{start + place:07d}" for place in range(len(rows))]
            writer.write_table(pa.Table.from_pandas(rows, FEATURE_SCHEMA, preserve_index=False))


def _scored(root: str, count: int) -> tuple[float, float, float]:
    # In a process of its own: processor seconds, megabytes before, megabytes at the peak.
    folder = Path(root)
    _, before = cost_of(lambda: None)
    spent, peak = cost_of(
        lambda: score_files(
            Home(root=folder / "home"), folder / f"{count}.parquet", folder / f"{count}-scores.parquet", now=_NOW
        )
    )
    return spent, before, peak


def _leaves(home: Home) -> float:
    found = load_bundle(home.bundles / "1").booster.trees_to_dataframe()
    mean = float(found["left_child"].isna().sum()) / TREES
    assert mean > 0.8 * PARAMS["num_leaves"]  # else the model is a smaller one than is said
    return mean


def _contributed(home: Home, rows: pd.DataFrame) -> float:
    bundle = load_bundle(home.bundles / "1")
    inputs = now_inputs(numbers_of(rows, bundle.model_features), bundle.config)
    slow = replace(bundle.explainer, lookup=None)
    began = process_time()
    slow.contributions(inputs, threads=1)
    return (process_time() - began) / len(rows)


def test_a_file_of_scores_beside_contributions() -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        home = home_with_a_large_model(root / "home")
        sizes = (ROWS // 4, ROWS)
        for count in sizes:
            write_features(root / f"{count}.parquet", count)
        part = next(pq.ParquetFile(root / f"{ROWS}.parquet").iter_batches(PART)).to_pandas()
        contributed = _contributed(home, part)
        print(f"\nfeatures to scores, {len(FEATURES)} features, {TREES} trees of {_leaves(home):.0f} leaves")
        per_row = []
        for count in sizes:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                spent, before, peak = alone.submit(_scored, folder, count).result()
            per_row.append(spent / count)
            print(
                f"  {count:>9,} rows: {spent / count * 1e6:6.1f} us a row ({spent:.1f} s); pred_contrib "
                f"{contributed * 1e6:7.1f} us = {contributed * count / spent:5.0f} times (target {LEAST_CHEAPER}); "
                f"{peak:.0f} MB at the peak (target {MOST_MEGABYTES}), {before:.0f} MB before it began"
            )
            assert pq.read_metadata(root / f"{count}-scores.parquet").num_rows > 0.9 * count
        print(f"  a row of the larger costs {per_row[1] / per_row[0]:.2f} times one of the smaller (target: 1 or less)")
        each = (per_row[1] * sizes[1] - per_row[0] * sizes[0]) / (sizes[1] - sizes[0])
        print(f"  each row more costs {each * 1e6:.1f} us, a {contributed / each:.0f}th of pred_contrib")
