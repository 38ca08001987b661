"""Is a training stopped by each planted leak and by a feature that looks ahead, and by nothing else?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.build import snapshot_dataset
from features.manifest import stored_file
from features.settings import Home
from tests.walk_case import ACCOUNTS, LAST, SEED, START, WEEKS, Told, Walk, pulse

pytestmark = pytest.mark.timeout(1800)

TRAIN = ("train", "--as-of", LAST, "--trials", 1)


@pytest.fixture(scope="module")
def trapped() -> Iterator[Path]:
    """The walk's company once more, with a current-state export beside its tables."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "company"
        company = ("--accounts", ACCOUNTS, "--seed", SEED, "--weeks", WEEKS, "--start", START)
        assert pulse("simulate", "--regime", "leak_trap", *company, "--out", out, home=Path(folder) / "home").code == 0
        yield out


def named(told: Told) -> set[str]:
    return {leak["column"] for leak in told.document["leaks"]}


def versions(walk: Walk) -> int:
    return len(walk.run("models").document["versions"])


def test_the_features_of_an_honest_company_pass(walked: Walk) -> None:
    told = walked.run("leakcheck", "--as-of", LAST)
    assert (told.code, told.document["leaks"]) == (0, [])
    assert set(told.document["questions"]) == {"near", "far"}


def test_every_planted_column_is_named_and_blocks_a_training(own_walk: Walk, trapped: Path) -> None:
    planted = set(pq.read_table(trapped / "truth" / "leaks.parquet").column("column").to_pylist())
    export = trapped / "accounts_current.parquet"
    told = own_walk.run("leakcheck", "--as-of", LAST, "--candidates", export)
    assert (told.code, named(told), len(planted)) == (11, planted, 6)
    before = versions(own_walk)
    refused = own_walk.run(*TRAIN, "--candidates", export)
    assert (refused.code, refused.document["failure"]["error"]) == (11, "LeakFound")
    assert all(name in refused.stderr for name in planted)
    assert versions(own_walk) == before


def test_honest_columns_beside_the_features_block_nothing(walked: Walk, trapped: Path, tmp_path: Path) -> None:
    accounts = pq.read_table(trapped / "accounts_current.parquet").to_pandas()["account_id"].unique()
    draw = np.random.default_rng(1)
    rows = {
        "account_id": accounts,
        "dice": draw.normal(size=len(accounts)),
        "team": draw.choice(["a", "b"], len(accounts)),
    }
    pd.DataFrame(rows).to_parquet(tmp_path / "own.parquet")
    told = walked.run("leakcheck", "--as-of", LAST, "--candidates", tmp_path / "own.parquet")
    assert (told.code, told.document["leaks"]) == (0, [])


def look_ahead(home: Home, leavers: pd.Series) -> None:
    """Store a feature anew that falls when the account decides within the 90 days after the snapshot."""
    dataset, draw, staged = snapshot_dataset(home, "sentiment"), np.random.default_rng(2), []
    for entry, path in zip(dataset.entries(), dataset.files(), strict=True):
        rows = pq.read_table(path)
        days = rows.column("account_id").to_pandas().map(leavers) - pd.Timestamp(entry.facts["as_of"])
        soon = (days <= pd.Timedelta(days=90)).to_numpy()
        cells = np.where(soon, -1.0, draw.random(len(soon)))
        changed = rows.set_column(rows.column_names.index("nps_last"), "nps_last", pa.array(cells))
        target = dataset.staging(entry.name)
        pq.write_table(changed, target, coerce_timestamps="us")
        staged.append((target, stored_file(target, name=entry.name, rows=rows.num_rows, facts=entry.facts)))
    dataset.commit(staged)


def test_a_feature_that_looks_ahead_stops_the_training_before_the_fit(own_walk: Walk, trapped: Path) -> None:
    truth = pq.read_table(trapped / "contract_events.parquet").to_pandas()
    ended = truth[truth["type"].isin(["notice_given", "expired", "cancelled"])]
    look_ahead(own_walk.home, ended.groupby("account_id")["event_at"].min())
    before = versions(own_walk)
    refused = own_walk.run(*TRAIN)
    assert (refused.code, refused.document["failure"]["error"]) == (11, "LeakFound")
    assert "nps_last (catalogue)" in refused.document["failure"]["found"]
    assert versions(own_walk) == before
