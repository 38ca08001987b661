"""A search that another process does: its rows, folds and settings as files, and ``python -m`` of this file does it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

import training
from training.config import TrainingConfig
from training.effort import Effort
from training.search import SearchOutcome, search
from training.splits import Fold
from training.study import Study

from .bundle_case import SMALL, trained

ROOT = Path(training.__file__).parents[1]
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Case:
    """A folder with everything that a search needs, and what it keeps."""

    folder: Path

    @classmethod
    def written(cls, folder: Path, *, trials: int, max_rounds: int) -> Case:
        """A case with the rows of the small portfolio."""
        made = trained()
        config = SMALL.model_copy(update={"trials": trials, "max_rounds": max_rounds, "warm_up_trials": 2})
        made.development.to_parquet(folder / "rows.parquet")
        folds = [[fold.test_first.isoformat(), fold.test_last.isoformat()] for fold in made.split.walk_forward]
        (folder / "order.json").write_text(json.dumps({"config": config.model_dump(mode="json"), "folds": folds}))
        return cls(folder)

    @property
    def studies(self) -> Path:
        return self.folder / "studies"

    def finished(self) -> int:
        """Trials that are kept."""
        journals = list(self.studies.glob("*/trials.journal"))
        return Study.joined(journals[0]).finished if journals else 0

    def done(self, effort: Effort) -> SearchOutcome:
        """The search, in this process."""
        order = json.loads((self.folder / "order.json").read_text())
        folds = [Fold(*map(datetime.fromisoformat, pair)) for pair in order["folds"]]
        rows = pd.read_parquet(self.folder / "rows.parquet")
        return search(rows, folds, TrainingConfig.read(order["config"]), effort=effort, threads=1)

    def elsewhere(self, *, workers: int) -> subprocess.Popen[bytes]:
        """The search, in a process of its own."""
        words = [sys.executable, "-m", __name__, str(self.folder), str(workers)]
        return subprocess.Popen(words, cwd=ROOT)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look again and again; an assertion error after two minutes."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


if __name__ == "__main__":
    case = Case(Path(sys.argv[1]))
    case.done(Effort(studies=case.studies, workers=int(sys.argv[2])))
