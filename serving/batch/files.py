"""How does a file, or a folder, of features become one of scores?

Grain in and out: one row per account and ``as_of``. Whatever is written stands under its name only when it is whole: it
is written aside and renamed, and a manifest beside it says from what, by which model, and with which hashes. Rows that
cannot be scored stand in a quarantine file with their reason.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.errors import RowsQuarantined, UsageError
from features.progress import Progress, silent
from features.settings import Home
from serving.batch.choice import ScoreEngine
from serving.batch.engines import Workers
from serving.batch.frames import NOT_FAULTY, WORDS, Rule
from serving.batch.pieces import Part, Piece, Task, pieces_of, writing
from training.model import bundle_hash
from training.promotions import Champion, require_current

PARQUET = ".parquet"
MANIFEST, QUARANTINE = "_manifest.json", "_quarantine.jsonl"
"""Begin with a line, so that whoever reads a folder of Parquet files passes over them."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a batch of files came to. ``refused`` counts rows by rule; ``quarantine`` is where they are named."""

    target: Path
    model_version: str
    rows: int
    parts: tuple[Part, ...]
    quarantine: Path | None

    @property
    def scored(self) -> int:
        """Rows with a score."""
        return sum(part.rows for part in self.parts)

    @property
    def refused(self) -> dict[str, int]:
        """Rows without one, by rule."""
        counted: Counter[str] = Counter()
        for part in self.parts:
            counted.update(part.refused)
        return dict(sorted(counted.items()))

    def lines(self) -> list[str]:
        """The report for people."""
        told = [f"{self.scored:,} of {self.rows:,} rows scored by model version {self.model_version}: {self.target}"]
        told += [f"  {count:,} rows not scored ({rule}): {WORDS[Rule(rule)]}" for rule, count in self.refused.items()]
        return [*told, f"  they are named in {self.quarantine}"] if self.quarantine else told

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "to": str(self.target),
            "model_version": self.model_version,
            "rows": self.rows,
            "scored": self.scored,
            "refused": self.refused,
            "quarantine": str(self.quarantine) if self.quarantine else None,
        }

    def failure(self) -> RowsQuarantined | None:
        """What is wrong with the rows that are faulty; None when there is none."""
        faulty = {rule: count for rule, count in self.refused.items() if Rule(rule) not in NOT_FAULTY}
        if not faulty:
            return None
        return RowsQuarantined(
            f"{sum(faulty.values()):,} rows were refused, the others were scored",
            expected="rows with an id, a moment, a known phase and status, and finite numbers",
            found=", ".join(f"{rule} ({count:,})" for rule, count in faulty.items()),
            todo=f"see {self.quarantine and self.quarantine.name}, correct the rows and score them again",
        )


def score_files(
    home: Home,
    source: Path,
    target: Path,
    *,
    now: datetime,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> FileReport:
    """Score a Parquet file, or every one of a folder, with the live model.

    ``target`` is one file when it ends with ``.parquet``, otherwise a new folder with one file per row group of the
    source. Nothing is added to the ledger: these are no scores that were told, until somebody tells them.

    Raises:
        UsageError: nothing to read, the folder exists, or a cluster is asked to write one file.
        DataContractError: the columns of a file are not the catalogue's; nothing was scored.
        MissingStateError: no model is live.
        IntegrityError, ServiceUnavailable: see :meth:`serving.batch.engines.Workers.do`.
    """
    workers = workers or Workers()
    champion, one = require_current(home), target.suffix == PARQUET
    _require_place(target, one=one, workers=workers)
    pieces = [piece for file in _files_in(source) for piece in pieces_of(file)]
    with writing(target), _aside(target) as aside:
        tasks = _tasks(pieces, champion, aside, one=one)
        parts = tuple(workers.do(tasks, scratch=home.root / "scratch", progress=progress))
        is_refused = _gather([Path(task.quarantine) for task in tasks], aside / QUARANTINE)
        report = FileReport(
            target=target,
            model_version=champion.version,
            rows=sum(piece.rows for piece in pieces),
            parts=parts,
            quarantine=_beside(target, QUARANTINE, one=one) if is_refused else None,
        )
        facts = _manifest(report, pieces, bundle_hash(champion.folder), now)
        (aside / MANIFEST).write_text(f"{json.dumps(facts, indent=1)}\n")
        _put(aside, target, one=one)
    return report


def _files_in(source: Path) -> list[Path]:
    found = [source] if source.is_file() else sorted(source.glob(f"*{PARQUET}"))
    if not found:
        raise UsageError(
            "there is nothing to score",
            expected="a Parquet file, or a folder with some",
            found="an empty folder" if source.is_dir() else "no such file",
            todo="write one with `pulse features --as-of DATE --out FILE`",
        )
    return found


def _require_place(target: Path, *, one: bool, workers: Workers) -> None:
    if one and workers.engine is not ScoreEngine.LOCAL:
        raise UsageError(
            "a cluster writes a folder, not one file",
            expected="--to FOLDER",
            found=target.name,
            todo="leave the ending .parquet out",
        )
    if target.is_dir() if one else target.exists():
        raise UsageError(
            "scores are never written over a folder",
            expected="a place that is not taken",
            found=target.name,
            todo="name another one with --to, or remove it first",
        )


def _tasks(pieces: list[Piece], champion: Champion, aside: Path, *, one: bool) -> list[Task]:
    # Without a piece there is still a file, without rows: whoever waits for it need not know.
    groups = [tuple(pieces)] if one or not pieces else [(piece,) for piece in pieces]
    model = {"folder": str(champion.folder), "bundle_hash": bundle_hash(champion.folder)}
    names = [f"part-{number:05d}" for number in range(len(groups))]
    return [
        Task(group, target=str(aside / f"{name}{PARQUET}"), quarantine=str(aside / f".{name}.jsonl"), **model)
        for group, name in zip(groups, names, strict=True)
    ]


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    aside = target.absolute().with_name(f".{target.name}.{os.getpid()}.tmp")
    aside.mkdir(parents=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _gather(parts: list[Path], whole: Path) -> bool:
    with whole.open("wb") as lines:
        for part in parts:
            with part.open("rb") as some:
                shutil.copyfileobj(some, lines)
            part.unlink()
    if whole.stat().st_size:
        return True
    whole.unlink()
    return False


def _beside(target: Path, name: str, *, one: bool) -> Path:
    return target.with_name(f"{target.name}{name.replace('_', '.', 1)}") if one else target / name


def _put(aside: Path, target: Path, *, one: bool) -> None:
    for file in sorted(aside.iterdir()):
        _sync(file)
    if not one:
        aside.rename(target)
    else:
        # The scores last: whoever waits for them finds what belongs to them.
        for name in (QUARANTINE, MANIFEST):
            place = _beside(target, name, one=one)
            (aside / name).rename(place) if (aside / name).exists() else place.unlink(missing_ok=True)
        next(aside.glob(f"*{PARQUET}")).rename(target)
    _sync(target.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(report: FileReport, pieces: list[Piece], model: str, now: datetime) -> dict[str, Any]:
    inputs: Counter[str] = Counter()
    for piece in pieces:
        inputs[Path(piece.file).name] += piece.rows
    one = report.target.suffix == PARQUET
    return {
        "scored_at": now.isoformat(),
        "model_version": report.model_version,
        "bundle_hash": model,
        "inputs": dict(inputs),
        "rows": report.rows,
        "scored": report.scored,
        "refused": report.refused,
        "files": [asdict(part) | {"name": report.target.name if one else part.name} for part in report.parts],
    }
