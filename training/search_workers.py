"""How do several processes search together?

Each has its own copy of the binned Dataset, read from a file (no pickles), its share of the cores, and the same
journal. What one has finished guides what the others try next; so what is found depends on who was quicker.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import ServiceUnavailable
from training.boosting import dataset_from, write_dataset
from training.capacity import Capacity
from training.config import TrainingConfig
from training.study import Study
from training.trials import Bench, Cut, Patience, run_trials

_DATASET, _CUTS, _ORDER = "rows.bin", "folds.npz", "order.json"
_LOOK_EVERY_SECONDS = 0.5


def write_order(
    folder: Path, dataset: Any, cuts: Sequence[Cut], *, config: TrainingConfig, capacity: Capacity, threads: int
) -> None:
    """Put down what a worker needs, in a new folder; ``threads`` are those of one worker."""
    folder.mkdir(mode=0o700)
    write_dataset(dataset, folder / _DATASET)
    parts = [(cut.train, cut.later, *(cut.offsets or ())) for cut in cuts]
    named = {f"{fold}_{part}": values for fold, own in enumerate(parts) for part, values in enumerate(own)}
    np.savez(folder / _CUTS, allow_pickle=False, **named)
    order = {"config": config.model_dump(mode="json"), "capacity": asdict(capacity), "threads": threads}
    (folder / _ORDER).write_text(json.dumps({**order, "parts": [len(own) for own in parts]}))


def read_bench(folder: Path) -> Bench:
    """The bench that was put down."""
    order = json.loads((folder / _ORDER).read_text())
    with np.load(folder / _CUTS) as stored:
        kept = [[stored[f"{fold}_{part}"] for part in range(parts)] for fold, parts in enumerate(order["parts"])]
    return Bench.of(
        dataset_from(folder / _DATASET),
        [Cut(train, later, (offsets[0], offsets[1]) if offsets else None) for train, later, *offsets in kept],
        config=TrainingConfig.read(order["config"]),
        capacity=Capacity(**order["capacity"]),
        threads=order["threads"],
    )


def search_together(folder: Path, journal: Path, *, workers: int, patience: Patience, told: Callable[[], None]) -> None:
    """Let workers do what was put down in a folder until a search is finished; ``told`` is called while they do.

    Raises:
        ServiceUnavailable: a worker died; the others are ended.
    """
    # Not a pool: its processes would wait for ever for one that was killed.
    spawn = multiprocessing.get_context("spawn")
    order = (str(folder), str(journal), patience.seconds_left(), os.getpid())
    running = [spawn.Process(target=_work, args=(worker, *order), daemon=True) for worker in range(workers)]
    try:
        for one in running:
            one.start()
        while any(one.is_alive() for one in running):
            wait([one.sentinel for one in running if one.is_alive()], timeout=_LOOK_EVERY_SECONDS)
            told()
            _require_whole(running)
        _require_whole(running)
    finally:
        for one in (one for one in running if one.pid):
            one.terminate()
            one.join()
            one.close()
        shutil.rmtree(folder)


def _require_whole(running: Sequence[SpawnProcess]) -> None:
    codes = [one.exitcode for one in running if one.exitcode]
    if codes:
        raise ServiceUnavailable(
            "a worker of the search died",
            expected=f"{len(running)} workers, each with memory for the binned rows and their folds",
            found=f"one that ended with code {codes[0]}",
            todo="run it again with --resume, with fewer --workers where memory is short; finished trials are kept",
        )


def _work(worker: int, folder: str, journal: str, seconds: float | None, parent: int) -> None:
    patience = Patience.of(seconds, parent=parent)
    run_trials(Study.joined(Path(journal)), read_bench(Path(folder)), patience, worker=worker)
