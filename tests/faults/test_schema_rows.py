"""Rows 14, 15 and 16: columns that do not match, training twice, and reasons that add up.

What is exact in one case stands in tests of the training room; here it is counted over every column and many rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import PulseError
from features.settings import Home
from features.vocabulary import Subcategory
from tests.faults.mutate import copied, rehash
from tests.faults.reporter import report, tries
from tests.serving.service_case import VERSIONS, _write_model, newest, stored_home, stored_rows, world
from training.bundle import Bundle, now_inputs
from training.inputs import WORDS, numbers_of
from training.model import bundle_hash, load_bundle

QUICK_ROWS, FULL_ROWS = 1_000, 10_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_home(tmp_path_factory.mktemp("schema"))


@pytest.fixture(scope="module")
def bundle(home: Home) -> Bundle:
    return load_bundle(home.bundles / "2")


def refused(bundle: Bundle, rows: pd.DataFrame) -> bool:
    try:
        bundle.score(rows)
    except PulseError:
        return True
    return False


def broken_rows(rows: pd.DataFrame, names: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """Each column dropped, renamed, given twice, and numbers turned to words."""
    for name in names:
        yield rows.drop(columns=name)
        yield rows.rename(columns={name: f"{name}_new"})
        yield pd.concat([rows, rows[[name]]], axis=1)
        if name not in WORDS:
            yield rows.assign(**{name: "many"})


def broken_lists(home: Home) -> Iterator[Path]:
    """Bundles whose list of features is in another order, shorter, longer, or names another one; hashes match."""
    edits = {
        "reordered": lambda names: [names[1], names[0], *names[2:]],
        "renamed": lambda names: [f"{names[0]}_new", *names[1:]],
        "dropped": lambda names: names[1:],
        "added": lambda names: ["one_more", *names],
    }
    for place, edit in enumerate(edits.values()):
        folder = copied(home.bundles / "2", str(300 + place))
        path = folder / "features.json"
        document = json.loads(path.read_text())
        # The part each belongs to goes along, so that only the names can tell.
        told = dict(zip(document["features"], document["subcategories"], strict=True))
        names = edit(document["features"])
        document |= {"features": names, "subcategories": [told.get(name, "context") for name in names]}
        path.write_text(json.dumps(document))
        rehash(folder)
        yield folder


def loads(folder: Path) -> bool:
    try:
        load_bundle(folder)
    except PulseError:
        return False
    return True


def test_row_14_no_score_is_made_of_columns_that_do_not_match(home: Home, bundle: Bundle) -> None:
    rows = stored_rows(newest()).iloc[:2].reset_index(drop=True)
    good = bundle.score(rows)
    kinds = [refused(bundle, one) for one in broken_rows(rows, bundle.needed_columns)]
    lists = [not loads(folder) for folder in broken_lists(home)]
    # Order and columns of others carry no meaning: by name every column is found, and the score is the same.
    turned = rows[list(rows.columns[::-1])].assign(more=1.0)
    same = bundle.score(turned).equals(good)
    failed = kinds.count(False) + lists.count(False) + (not same)
    report(14, failed, len(kinds) + len(lists) + 1, "columns or feature lists that do not match were scored")


def test_row_15_the_same_data_and_seed_give_the_same_bytes(home: Home, tmp_path: Path) -> None:
    again = Home(root=tmp_path).prepare()
    _write_model(again, VERSIONS[0], 15)
    failed = bundle_hash(again.bundles / "1") != bundle_hash(home.bundles / "1")
    report(15, int(failed), 1, "trainings with the same data and seed gave another SHA-256")


def test_row_16_points_add_up_to_the_score_and_contributions_to_the_margin(bundle: Bundle) -> None:
    count = tries(QUICK_ROWS, FULL_ROWS)
    drawn = np.random.default_rng(16).integers(0, len(world().snapshots), count)
    rows = world().snapshots.iloc[drawn].reset_index(drop=True)
    rows = rows.assign(
        **{name: stored_rows(newest())[name].iloc[0] for name in bundle.needed_columns if name not in rows}
    )
    scored = bundle.score(rows)
    parts = scored[[f"points_{part}" for part in Subcategory]].sum(axis=1)
    off = np.abs(scored["base_points"] + parts + scored["clip_adjust"] + scored["shrink_adjust"] - scored["health"])
    inputs = now_inputs(numbers_of(rows, bundle.model_features), bundle.config)
    margin = bundle.booster.predict(inputs, raw_score=True, num_threads=1)
    gap = np.abs(bundle.contributions(rows).sum(axis=1) - margin)
    failed = int(((off > 1e-6) | (gap > 1e-6)).sum())
    report(16, failed, count, f"rows do not add up, largest gap {max(off.max(), gap.max()):.0e}")
