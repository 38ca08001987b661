"""How many times quicker are group values by lookup tables than by LightGBM's ``pred_contrib``?

One thread, processor time, the best of alternating rounds in one process: read the ratios. Nothing here asserts a time;
both ways must say the same. ``pred_contrib`` is timed on a part of the rows where all would take minutes; its time per
row does not depend on their number.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from tests.training.bundle_case import trained
from training.explainer import Explainer
from training.periods import Floats

FEATURES = 100
OWNERS = tuple(place % 7 for place in range(FEATURES))
SHAPES: dict[str, dict[str, int]] = {
    "300 trees, 31 leaves, depth 6": {"num_leaves": 31, "max_depth": 6},
    "300 trees, 15 leaves, depth 4": {"num_leaves": 15, "max_depth": 4},
    "300 trees, pairs": {"num_leaves": 4, "max_depth": 2},
}
"""The corners of the search space (``training/search.py``)."""

MOST_CONTRIBUTED = 1000
TARGETS = {1: (30, 1), 1000: (0, 0), 100_000: (200, 3)}
"""By the rows of one call: how many times cheaper than ``pred_contrib``, and than ``predict`` without any reasons."""

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


def inputs(count: int, seed: int = 5) -> Floats:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, FEATURES))
    rows[:, :30][rng.random((count, 30)) < 0.05] = np.nan
    return rows


@lru_cache(maxsize=3)
def text_of(shape: str) -> str:
    rows = inputs(40_000, seed=1)
    known = np.nan_to_num(rows)
    log_odds = known[:, 0] + known[:, 31] * known[:, 40] + np.sin(3 * known[:, 50]) - 1.5
    label = np.random.default_rng(2).random(len(rows)) < 1 / (1 + np.exp(-log_odds))
    params: dict[str, Any] = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "learning_rate": 0.08,
        "max_bin": 63,
        "feature_fraction": 0.5,
        **SHAPES[shape],
    }
    return str(lgb.train(params, lgb.Dataset(rows, label=label.astype(float), params=params), 300).model_to_string())


def slow_and_quick(text: str) -> tuple[Explainer, Explainer]:
    slow = Explainer(lgb.Booster(model_str=text), OWNERS, 7)
    return slow, slow.with_tables(inputs(20))


def best_of(*ways: Callable[[], object], rounds: int) -> list[float]:
    """Processor seconds of each way, their rounds taking turns."""
    best = [np.inf] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            began = time.process_time()
            way()
            best[place] = min(best[place], time.process_time() - began)
    return best


@pytest.mark.parametrize("shape", SHAPES)
def test_group_values_by_tables_and_by_contributions(shape: str) -> None:
    slow, quick = slow_and_quick(text_of(shape))
    (built,) = best_of(lambda: slow.with_tables(inputs(20)), rounds=2)
    quick.warm()
    print(f"\n{shape}: made and proved in {built:.2f} s")
    for count in TARGETS:
        print(_compared(slow, quick, count))


def _compared(slow: Explainer, quick: Explainer, count: int) -> str:
    # One row is asked for many times, many rows once.
    rows, times = inputs(count), 200 if count == 1 else 1
    part, rounds = rows[:MOST_CONTRIBUTED], max(1, times // 10)
    table, predict, contributed = best_of(
        lambda: [quick.told(rows, threads=1) for _ in range(times)],
        lambda: [slow.booster.predict(rows, raw_score=True, num_threads=1) for _ in range(times)],
        lambda: [slow.contributions(part, threads=1) for _ in range(rounds)],
        rounds=3,
    )
    told, expected = quick.told(part, threads=1), slow.told(part, threads=1)
    np.testing.assert_allclose(told.groups, expected.groups, rtol=0, atol=1e-10)
    np.testing.assert_allclose(told.margins, expected.margins, rtol=0, atol=1e-10)
    table, predict, contributed = table / times / count, predict / times / count, contributed / rounds / len(part)
    least, of_predict = (f" (target {wanted})" if wanted else "" for wanted in TARGETS[count])
    return (
        f"  {count:>7} rows: {table * 1e6:8.2f} us a row; pred_contrib {contributed * 1e6:8.1f} us = "
        f"{contributed / table:5.0f} times{least}; predict alone {predict * 1e6:6.2f} us = "
        f"{predict / table:4.1f} times{of_predict}"
    )


def _peak(text: str, tables: bool, count: int) -> tuple[float, float]:
    # Megabytes of a process of its own before the answer, and at its peak.
    slow, quick = slow_and_quick(text)
    quick.warm()
    rows = inputs(count)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of making the tables
    before = _megabytes("VmRSS")
    (quick if tables else slow).told(rows, threads=1)
    return before, _megabytes("VmHWM")


def _megabytes(name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak memory of one step")
@pytest.mark.parametrize(
    ("tables", "count"), [(True, 1), (False, 1), (True, 1000), (False, 1000), (True, 100_000), (True, 200_000)]
)
def test_peak_memory(tables: bool, count: int) -> None:
    text = text_of("300 trees, 31 leaves, depth 6")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        before, peak = alone.submit(_peak, text, tables, count).result()
    print(
        f"\n{'tables' if tables else 'pred_contrib'}, {count} rows: {peak - before:.1f} MB for the answer, beside "
        f"{count * FEATURES * 8 / 1e6:.1f} MB of rows in a process of {before:.0f} MB"
    )
    assert peak > 0


def test_a_whole_score_by_tables_and_by_contributions() -> None:
    made = trained()
    made.bundle.warm()
    slow = replace(made.bundle, explainer=replace(made.bundle.explainer, lookup=None))
    print(f"\nwhole scores of a small model ({made.fitted.rounds} rounds, {made.fitted.params['num_leaves']} leaves)")
    for count in (1, 1000):
        rows = made.world.snapshots.head(count)
        by_tables, by_lightgbm = best_of(lambda: made.bundle.score(rows), lambda: slow.score(rows), rounds=5)  # noqa: B023
        print(
            f"  {count:>5} accounts: {by_tables * 1e3:7.2f} ms; by pred_contrib {by_lightgbm * 1e3:7.2f} ms = "
            f"{by_lightgbm / by_tables:4.1f} times"
        )
        np.testing.assert_allclose(made.bundle.score(rows)["health"], slow.score(rows)["health"], rtol=0, atol=1e-9)
