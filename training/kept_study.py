"""Which search is this, was it begun before, and may it go on?

A kept search is a folder that is named by a digest of its data and settings: ``about.json`` says of what, and
``trials.journal`` holds its trials. So a search can only ever go on with the rows and beliefs that it began with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import MissingStateError, UsageError
from training.boosting import input_names, monotone_constraints
from training.capacity import Capacity
from training.config import TrainingConfig
from training.effort import Effort
from training.splits import Fold
from training.study import Study, space_facts

JOURNAL = "trials.journal"
_ABOUT, _LOCK = "about.json", "lock"
_BUDGET = "trials"
"""The one setting that says how much is tried, not what: more trials go on with the same search."""


@dataclass(frozen=True, slots=True)
class About:
    """What a search is over: a digest of its rows and folds, and every setting by name."""

    data: str
    rows: int
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the search; 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.data, self.settings], sort_keys=True).encode()).hexdigest()[:16]


def about(rows: pd.DataFrame, folds: Sequence[Fold], config: TrainingConfig, capacity: Capacity) -> About:
    """What a search over person-periods is."""
    names = input_names(rows)
    columns = [*names, "account_id", "as_of", "closes_at", "interval", "y", "weight", "in_window"]
    digest = hashlib.sha256(pd.util.hash_pandas_object(rows[columns], index=False).to_numpy().tobytes())
    digest.update(json.dumps([names, [(str(fold.test_first), str(fold.test_last)) for fold in folds]]).encode())
    settings = {
        **config.model_dump(mode="json", exclude={_BUDGET}),
        "capacity": asdict(capacity),
        "search space": space_facts(capacity),
        "constraints": monotone_constraints(names),
        **{f"version of {library}": version(library) for library in ("lightgbm", "optuna")},
    }
    return About(digest.hexdigest(), len(rows), settings)


@contextmanager
def opened(effort: Effort, over: About) -> Iterator[tuple[Study, Path]]:
    """The study of a search and its folder, for this process (and its workers) alone.

    Raises:
        MissingStateError: it shall go on, but no search of these data and settings is kept.
        UsageError: another process is at it.
    """
    if effort.studies is None:
        raise UsageError("nothing is kept here", expected="a folder of studies", found="none", todo="name one")
    folder = effort.studies / over.name
    if effort.resume and not (folder / JOURNAL).exists():
        raise _nothing_kept(effort.studies, over)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise UsageError(
                "this search is running already",
                expected="one process per search",
                found="another one with the same data and settings",
                todo="wait for it, or end it and give --resume",
            ) from cause
        study = Study.begun(folder / JOURNAL, resume=effort.resume)
        (folder / _ABOUT).write_text(json.dumps(asdict(over), indent=1))
        yield study, folder


def _nothing_kept(studies: Path, over: About) -> MissingStateError:
    kept = sorted(studies.glob(f"*/{_ABOUT}"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = [_difference(About(**json.loads(path.read_text())), over) for path in kept]
    return MissingStateError(
        "there is no search to go on with",
        expected="a search that was begun with the same data and settings",
        found="; ".join(dict.fromkeys(found)) or "none was ever begun",
        todo="give the options of the search that was interrupted, or leave --resume out to begin anew",
    )


def _difference(kept: About, over: About) -> str:
    if kept.data != over.data:
        return f"one of other data ({kept.rows} account periods; now {over.rows})"
    names = {*kept.settings, *over.settings}
    others = sorted(name for name in names if kept.settings.get(name) != over.settings.get(name))
    return f"one of the same data with another {', '.join(others)}"
