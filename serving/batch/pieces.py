"""How is one piece of a file of features scored, wherever the work is done?

A piece is a row group of a Parquet file. It is read, scored and written batch by batch, so memory does not grow with
it. Refused rows go to a file of their own, one JSON object a row. A piece, and what came of it, travel as text: a
worker of a cluster is sent the one and answers the other, and the rows never pass through the driver.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import FEATURES
from features.errors import IntegrityError, PulseError, ServiceUnavailable
from features.progress import Progress, silent
from serving.batch.contract import FEATURE_SCHEMA, SCORE_SCHEMA, require_features
from serving.batch.frames import LONGEST_ID, WORDS, FrameScorer, Rule

ROWS_AT_ONCE = 16_384
"""As many as a model scores at once: some 100 MB of work, whatever the size of a file."""

STAGE = "score rows"
_CHUNK = 1 << 20
_WORDS = {feature.name for feature in FEATURES if feature.is_text}
_OF_EACH_ROW = ("account_id", "risk_", "health", "points_", "shrink_adjust")
_REPEATED = [name for name in SCORE_SCHEMA.names if not name.startswith(_OF_EACH_ROW)]
"""Columns of scores whose values come again and again: each value is written once, and its number in every row."""

_in_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Piece:
    """Row group ``group`` of a file; its first row is number ``first`` (from 1) of the file."""

    file: str
    group: int
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class Task:
    """Pieces to score with a model into one new file, and the file for the rows that are refused."""

    pieces: tuple[Piece, ...]
    folder: str
    bundle_hash: str
    target: str
    quarantine: str

    def text(self) -> str:
        """To be sent to a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Task:
        """What was sent."""
        document = json.loads(text)
        return cls(**(document | {"pieces": tuple(Piece(**piece) for piece in document["pieces"])}))


@dataclass(frozen=True, slots=True)
class Part:
    """A finished file of scores; ``refused`` counts rows by rule."""

    name: str
    rows: int
    size: int
    sha256: str
    refused: dict[str, int]


def pieces_of(file: Path) -> list[Piece]:
    """The pieces of a Parquet file, in order.

    Raises:
        DataContractError: its columns are not the catalogue's.
        IntegrityError: it cannot be read.
    """
    with _reading(file):
        read = pq.ParquetFile(file)
        require_features(read.schema_arrow, file.name)
        sizes = [read.metadata.row_group(group).num_rows for group in range(read.num_row_groups)]
    starts = [1 + sum(sizes[:group]) for group in range(len(sizes))]
    return [Piece(str(file), group, start, rows) for group, (start, rows) in enumerate(zip(starts, sizes, strict=True))]


def done_elsewhere(task: str) -> str:
    """Do a task where it arrives; the answer holds the part, or what went wrong."""
    try:
        return json.dumps({"part": asdict(do(Task.read(task)))})
    except PulseError as failure:
        # A failure of ours loses its kind on the way through a cluster; as an answer it keeps it.
        facts = failure.facts()
        return json.dumps({"failure": facts})


def do(task: Task, *, progress: Progress = silent) -> Part:
    """Score the pieces of a task and write its two files.

    Raises:
        IntegrityError: a piece cannot be read, or the model is not the one that was meant.
        ServiceUnavailable: the files cannot be written.
    """
    scorer = FrameScorer(Path(task.folder), task.bundle_hash)
    target, total = Path(task.target), sum(piece.rows for piece in task.pieces)
    refused: Counter[str] = Counter()
    seen = written = 0
    # Names of accounts, owners and the like are in the file for others to read.
    read = [name for name in FEATURE_SCHEMA.names if name not in _WORDS or name in scorer.bundle.needed_columns]
    scorer.bundle.expect(total)
    with writing(target), Path(task.quarantine).open("w") as lines, _writer(target) as writer:
        for piece in task.pieces:
            for start, features in _batches(piece, read):
                told = scorer.scored(features)
                if len(told.scores):
                    writer.write_table(pa.Table.from_pandas(told.scores, SCORE_SCHEMA, preserve_index=False))
                lines.writelines(_refusals(Path(piece.file).name, start, features, told.refused))
                refused.update(told.refused["rule"])
                written, seen = written + len(told.scores), seen + len(features)
                progress(STAGE, seen, total)
    return Part(target.name, written, target.stat().st_size, _hash_of(target), dict(sorted(refused.items())))


def _writer(target: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(target, SCORE_SCHEMA, use_dictionary=_REPEATED)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Tell a disk that is full or not ours as what it is."""
    try:
        yield
    except OSError as cause:
        raise ServiceUnavailable(
            "the scores cannot be written",
            expected=f"room and the right to write beside {target.name}",
            found=cause.strerror or type(cause).__name__,
            todo="make room, or name another place with --to",
        ) from cause


def _batches(piece: Piece, columns: list[str]) -> Iterator[tuple[int, pd.DataFrame]]:
    file, number = Path(piece.file), piece.first
    with _reading(file):
        # Pages as they come: read ahead, a row group of a million rows would lie in memory whole.
        read = pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)
        batches = read.iter_batches(ROWS_AT_ONCE, [piece.group], columns, use_threads=False)
    while True:
        with _reading(file):
            batch = next(batches, None)
        if batch is None:
            break
        yield number, batch.to_pandas()
        number += batch.num_rows
    if number != piece.first + piece.rows:
        raise _damaged(file, "fewer rows than it says")


def _refusals(file: str, start: int, features: pd.DataFrame, refused: pd.DataFrame) -> Iterator[str]:
    accounts = features["account_id"].tolist()
    for place, column, rule in refused.itertuples(index=False):
        account = accounts[place]
        line = {
            "file": file,
            "row": start + int(place),
            "account_id": account[:LONGEST_ID] if isinstance(account, str) else None,
            "column": column,
            "rule": rule,
            "reason": WORDS[Rule(rule)],
        }
        yield f"{_in_json(line)}\n"


def _hash_of(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as cause:
        # Arrow's own message may show what lies in the file.
        raise _damaged(file, type(cause).__name__) from None


def _damaged(file: Path, found: str) -> IntegrityError:
    return IntegrityError(
        "a file of features cannot be read",
        expected=f"{file.name} as it was written",
        found=found,
        todo="write it again; on a cluster, every worker must see it at the same path",
    )
