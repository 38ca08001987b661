"""Does a search that is killed go on as if it had not been, and do several workers search as one?"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import ServiceUnavailable
from training.boosting import binned
from training.capacity import capacity_for
from training.effort import ALONE, Effort
from training.search_space import USUAL
from training.search_workers import read_bench, write_order
from training.trials import Bench, Cut, Patience

from .bundle_case import SMALL, trained
from .search_case import Case, wait_until

TRIALS = 7


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case.written(tmp_path_factory.mktemp("search"), trials=TRIALS, max_rounds=40)


def own(case: Case, folder: Path) -> Case:
    """The same search, kept elsewhere."""
    for path in case.folder.iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    return Case(folder)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_search_that_was_killed_goes_on_to_what_it_would_have_found(case: Case, tmp_path: Path) -> None:
    mine = own(case, tmp_path)
    running = mine.elsewhere(workers=1)
    try:
        wait_until(lambda: mine.finished() >= 3)
    finally:
        running.kill()
    assert running.wait() == -signal.SIGKILL
    kept = mine.finished()
    assert 3 <= kept < TRIALS
    resumed, alone = mine.done(Effort(studies=mine.studies, resume=True)), mine.done(ALONE)
    assert resumed.notes == (*alone.notes, f"the search went on after {kept} finished trials that were kept")
    assert (resumed.trials, resumed.params, resumed.rounds, resumed.value) == (
        alone.trials,
        alone.params,
        alone.rounds,
        alone.value,
    )
    assert resumed.out_of_fold.equals(alone.out_of_fold)


def test_workers_end_with_the_process_that_started_them_and_leave_their_trials(case: Case, tmp_path: Path) -> None:
    mine = own(case, tmp_path)
    running = mine.elsewhere(workers=2)
    try:
        wait_until(lambda: mine.finished() >= 2)
        workers = children(running)
    finally:
        running.kill()
    running.wait()
    # Two workers, and the tracker that spawning brings.
    assert len(workers) >= 2
    wait_until(lambda: not any(map(is_alive, workers)))
    kept = mine.finished()
    assert 2 <= kept < TRIALS
    resumed = mine.done(Effort(studies=mine.studies, resume=True))
    assert [trial.number for trial in resumed.trials] == list(range(TRIALS))
    assert list(mine.studies.glob("*/rows")) == []


def test_workers_finish_as_many_trials_as_were_asked_for(case: Case, tmp_path: Path) -> None:
    mine = own(case, tmp_path)
    found = mine.done(Effort(studies=mine.studies, workers=2))
    assert len(found.trials) == TRIALS
    # Each asked for settings of its own.
    assert len({trial.params["lambda_l2"] for trial in found.trials}) == TRIALS
    usual = [trial.value for trial in found.trials if trial.params["lambda_l2"] == USUAL["lambda_l2"]]
    # Theirs is the search's where the least loss is no more than luck below it.
    assert len(usual) == 1
    assert found.value in (min(trial.value for trial in found.trials if trial.value is not None), *usual)
    assert found.notes[-1] == "2 workers searched at once: another run may find other settings"
    assert list(mine.studies.glob("*/rows")) == []


def test_a_worker_that_is_killed_ends_the_search_with_a_word_and_keeps_the_trials(case: Case, tmp_path: Path) -> None:
    mine = own(case, tmp_path)

    def kill_one() -> None:
        wait_until(lambda: mine.finished() >= 1)
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(ServiceUnavailable, match=r"a worker of the search died.*--resume"):
        mine.done(Effort(studies=mine.studies, workers=2))
    killer.join()
    assert 1 <= mine.finished() < TRIALS
    assert list(mine.studies.glob("*/rows")) == []


def test_a_worker_judges_by_the_same_bits(tmp_path: Path) -> None:
    rows, config, capacity = trained().development, SMALL.model_copy(update={"max_rounds": 6}), capacity_for(100, SMALL)
    dataset, folds = binned(rows), trained().split.walk_forward
    cuts = [Cut(np.flatnonzero(fold.train(rows)), np.flatnonzero(fold.test(rows))) for fold in folds]
    # One fold starts from somewhere, the others from nothing.
    first = cuts[0]
    cuts[0] = replace(first, offsets=(np.linspace(-2, 2, len(first.train)), np.linspace(1, -1, len(first.later))))
    here = Bench.of(dataset, cuts, config=config, capacity=capacity, threads=1)
    assert here.losses(0, trained().found.params) != Bench.of(
        dataset, [first], config=config, capacity=capacity, threads=1
    ).losses(0, trained().found.params)
    write_order(tmp_path / "rows", dataset, cuts, config=config, capacity=capacity, threads=1)
    there = read_bench(tmp_path / "rows")
    assert replace(there, pairs=()) == replace(here, pairs=())
    assert there.pairs[0][0].get_feature_name() == here.pairs[0][0].get_feature_name()
    for fold in range(len(folds)):
        assert there.losses(fold, trained().found.params) == here.losses(fold, trained().found.params)


def test_patience_ends_when_its_time_is_up_and_not_before() -> None:
    assert not Patience.of(None).is_over()
    assert Patience.of(None).seconds_left() is None
    assert not Patience.of(60).is_over()
    assert 0 < (Patience.of(60).seconds_left() or 0) <= 60
    assert Patience.of(0).is_over()


def test_a_worker_knows_whether_who_started_it_is_still_there() -> None:
    assert not Patience.of(None).is_orphan()
    assert not Patience.of(None, parent=os.getppid()).is_orphan()
    assert Patience.of(None, parent=os.getpid()).is_orphan()
