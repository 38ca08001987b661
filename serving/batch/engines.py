"""Who does the tasks of a batch: this machine, the executors of Spark, or the workers of Dask?

Whoever it is does the same: :func:`serving.batch.pieces.do` per task. The two clusters need the files and the home on
storage that every worker sees at the same path.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import IntegrityError, PulseError, ServiceUnavailable, UsageError
from features.progress import Progress
from serving.batch.choice import ScoreEngine
from serving.batch.pieces import STAGE, Part, Task, do, done_elsewhere

_FAILURES: dict[str, type[PulseError]] = {kind.__name__: kind for kind in (IntegrityError, ServiceUnavailable)}
"""What a task may end with."""


@dataclass(frozen=True, slots=True)
class Workers:
    """An engine and where it is: a Spark master, the address of a Dask scheduler."""

    engine: ScoreEngine = ScoreEngine.LOCAL
    master: str | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Refuse an address of an engine that is not asked for."""
        for option, given, engine in (
            ("--master", self.master, ScoreEngine.SPARK),
            ("--scheduler", self.scheduler, ScoreEngine.DASK),
        ):
            if given and self.engine is not engine:
                raise UsageError(
                    f"only {engine} has a {option.removeprefix('--')}",
                    expected=f"--engine {engine} beside {option}",
                    found=f"--engine {self.engine}",
                    todo="add it, or leave the address out",
                )

    def do(self, tasks: Sequence[Task], *, scratch: Path, progress: Progress) -> list[Part]:
        """The parts of all tasks, in their order.

        Raises:
            ConfigError: the engine is not installed.
            ServiceUnavailable: it does not answer, or the scores cannot be written.
            IntegrityError: a file or the model cannot be read.
        """
        if self.engine is ScoreEngine.LOCAL:
            return _here(tasks, progress)
        sent = [task.text() for task in tasks]
        progress(STAGE, 0, len(sent))
        told = self._on_spark(sent, scratch) if self.engine is ScoreEngine.SPARK else self._on_dask(sent)
        progress(STAGE, len(sent), len(sent))
        return [_part(answer) for answer in told]

    def _on_spark(self, tasks: list[str], scratch: Path) -> list[str]:
        from features.engine_place import EngineKind, EnginePlace  # noqa: PLC0415
        from features.spark_engine import open_spark_engine  # noqa: PLC0415

        place = EnginePlace.from_environment(engine=EngineKind.SPARK, master=self.master)
        with open_spark_engine(scratch, master=place.master) as spark:
            return spark.map_texts(done_elsewhere, tasks)

    def _on_dask(self, tasks: list[str]) -> list[str]:
        from training.dask_engine import DaskCluster  # noqa: PLC0415

        return DaskCluster.at(self.scheduler).map_texts(done_elsewhere, tasks)


def _here(tasks: Sequence[Task], progress: Progress) -> list[Part]:
    total, before, parts = sum(piece.rows for task in tasks for piece in task.pieces), 0, []
    for task in tasks:
        parts.append(do(task, progress=lambda stage, done, _, seen=before: progress(stage, seen + done, total)))
        before += sum(piece.rows for piece in task.pieces)
    return parts


def _part(answer: str) -> Part:
    told = json.loads(answer)
    if "part" in told:
        return Part(**told["part"])
    facts = dict(told["failure"])
    raise _FAILURES.get(facts.pop("error"), IntegrityError)(facts.pop("title"), **facts)
