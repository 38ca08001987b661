"""Which rows lie in quarantine, and why?

Reads what :mod:`features.sources.quarantine` wrote and people may have edited since: the cells of a row are theirs to
correct. Counting shows no cell; reading does, so only a person who asks for a load gets it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from features.errors import DataContractError, MissingStateError, UsageError
from features.manifest import sha256_of, sync_file, sync_folder
from features.settings import Home
from features.sources.quarantine import Refusal


class WaitingRow(BaseModel):
    """One refused row with its cells, as it stands in its file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    table: str
    file: str
    row: int
    column: str
    rule: str
    reason: str
    entry: int
    cells: dict[str, JsonValue]

    def refused_again(self, column: str, rule: str, reason: str) -> WaitingRow:
        """The same row with the reason for which it stays."""
        return self.model_copy(update={"column": column, "rule": rule, "reason": reason})

    @property
    def refusal(self) -> Refusal:
        """The row without its cells."""
        return Refusal(self.table, self.file, self.row, self.column, self.rule, self.reason)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which part of the quarantine is meant: one load or all, one table or all."""

    load: str | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """The refused rows of one load of one table, read at one moment; ``sha256`` is that of the file then."""

    path: Path
    table: str
    load_id: str
    sha256: str
    rows: tuple[WaitingRow, ...]

    def keep_only(self, rows: Sequence[WaitingRow], scratch: Path) -> None:
        """Leave these rows in the file, all at once; without any the file goes.

        Raises:
            UsageError: somebody edited the file since it was read; it is left as it is.
        """
        if sha256_of(self.path) != self.sha256:
            raise UsageError(
                "the refused rows were edited while they were replayed",
                expected=f"quarantine/{self.table}/{self.path.name} as it was read",
                found="another content",
                todo="run it again: rows that were taken are known, and not taken twice",
            )
        if rows:
            aside = scratch / f"{self.table}.{self.path.name}"
            aside.touch(mode=0o600)
            aside.write_text("".join(f"{json.dumps(row.model_dump(), ensure_ascii=False)}\n" for row in rows))
            sync_file(aside)
            aside.rename(self.path)
        else:
            self.path.unlink()
        sync_folder(self.path.parent)


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """So many rows of one load of a table wait for one reason; ``column`` is empty where the whole row is meant."""

    table: str
    load: str
    column: str
    rule: str
    rows: int


def waiting_paths(home: Home, chosen: Chosen) -> tuple[Path, ...]:
    """The files of refused rows that are meant, by table and load.

    Raises:
        MissingStateError: a load or a table was named, and nothing of it lies in quarantine.
    """
    table, load = chosen.table or "*", chosen.load or "*"
    # Names are compared, not put into a pattern: a person may type anything.
    found = sorted(
        path
        for path in home.quarantine.glob("*/*.jsonl")
        if table in {"*", path.parent.name} and load in {"*", path.stem}
    )
    if not found and chosen != Chosen():
        raise MissingStateError(
            "nothing of this lies in quarantine",
            expected=f"refused rows of load {chosen.load or 'any'}, table {chosen.table or 'any'}",
            found="none",
            todo="see `pulse quarantine list`",
        )
    return tuple(found)


def read_waiting(path: Path) -> WaitingFile:
    """Read one file of refused rows.

    Raises:
        DataContractError: a line is no refused row; the line is named.
    """
    content = path.read_bytes()
    rows = []
    # Only "\n" ends a line of JSONL: cells may hold what other tools take for a line's end.
    for number, line in enumerate(content.rstrip(b"\n").split(b"\n") if content.strip() else (), start=1):
        try:
            rows.append(WaitingRow.model_validate_json(line))
        except ValidationError as cause:
            first = cause.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise _no_row(path, number, f"{first['type']} {place}".strip()) from None
    return WaitingFile(path, path.parent.name, path.stem, hashlib.sha256(content).hexdigest(), tuple(rows))


def count_waiting(home: Home, chosen: Chosen = Chosen()) -> list[WaitingCount]:
    """How many rows wait, per table, load, column and rule."""
    counted: list[WaitingCount] = []
    for path in waiting_paths(home, chosen):
        file = read_waiting(path)
        reasons = Counter((row.column, row.rule) for row in file.rows)
        counted += [WaitingCount(file.table, file.load_id, *reason, rows) for reason, rows in sorted(reasons.items())]
    return counted


def counts_document(counted: Sequence[WaitingCount]) -> dict[str, Any]:
    """The counts for programs."""
    return {"rows": sum(each.rows for each in counted), "reasons": [asdict(each) for each in counted]}


def _no_row(path: Path, number: int, found: str) -> DataContractError:
    return DataContractError(
        f"line {number} of quarantine/{path.parent.name}/{path.name} is no refused row",
        expected=f"one JSON object with {', '.join(WaitingRow.model_fields)}",
        found=found,
        todo="correct the line; only `cells` is meant to be edited",
    )
