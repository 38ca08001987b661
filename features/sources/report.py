"""What does a person learn after an ingest: what was read, what is new, what was refused and why?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from features.errors import RowsQuarantined
from features.sources.quarantine import Refusal


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table of a load, in rows: ``read`` = ``new`` + ``known`` + the sum of ``quarantined``.

    ``read`` counts the rows offered to the table. ``set_aside`` are source rows that the mapping leaves out or adds to
    another on purpose. ``skipped`` = the very same files were loaded before; nothing was read again.
    """

    table: str
    files: tuple[str, ...]
    read: int
    new: int
    known: int
    quarantined: dict[str, int]
    set_aside: int = 0
    unknown_columns: tuple[str, ...] = ()
    skipped: bool = False

    @property
    def refused(self) -> int:
        """Rows in quarantine, over all rules."""
        return sum(self.quarantined.values())


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did: per load and table, the rows that were tried, taken, known already, and refused again."""

    files: tuple[tuple[str, TableReport], ...]

    @property
    def new(self) -> int:
        """Rows taken into their tables."""
        return sum(table.new for _, table in self.files)

    @property
    def refused(self) -> int:
        """Rows that stay in quarantine."""
        return sum(table.refused for _, table in self.files)

    def refused_error(self) -> RowsQuarantined | None:
        """The partial success to tell; none when quarantine let everything go."""
        if self.refused == 0:
            return None
        broken = ", ".join(
            f"{table.table} of {load} ({table.refused:,})" for load, table in self.files if table.refused
        )
        return RowsQuarantined(
            f"{self.refused:,} rows stay in quarantine",
            expected="every row to keep the contract of its table",
            found=broken,
            todo="see `pulse quarantine show LOAD`, correct their cells or their mapping and replay again",
        )

    def lines(self) -> list[str]:
        """The report for people; the first line is the summary."""
        if not self.files:
            return ["nothing lies in quarantine"]
        read = sum(table.read for _, table in self.files)
        told = [f"{read:,} refused rows tried again: {self.new:,} new, {self.refused:,} stay"]
        return [*told, *(f"  {load}{_line(table)}" for load, table in self.files)]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "files": [{"load": load, **asdict(table), "refused": table.refused} for load, table in self.files],
            "new": self.new,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did.

    ``worst`` names the first few refused rows; ``unmatched_files`` no table takes; ``missing_files`` a mapping names as
    optional, and the folder lacks them. ``replayed`` tells of rows that waited for an account.
    """

    load_id: str
    tables: tuple[TableReport, ...]
    unmatched_files: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    worst: tuple[Refusal, ...] = ()
    replayed: ReplayReport | None = None

    @property
    def new(self) -> int:
        """Rows added, over all tables."""
        return sum(table.new for table in self.tables)

    @property
    def refused(self) -> int:
        """Rows in quarantine, over all tables."""
        return sum(table.refused for table in self.tables)

    def quarantined_error(self) -> RowsQuarantined | None:
        """The partial success to tell after the good rows are in; none when no row was refused."""
        if self.refused == 0:
            return None
        broken = sorted({f"{table.table} ({table.refused:,})" for table in self.tables if table.refused})
        return RowsQuarantined(
            f"{self.refused:,} rows were refused, the others were taken",
            expected="every row to keep the contract of its table",
            found=f"{', '.join(broken)}; first: {'; '.join(str(refusal) for refusal in self.worst)}",
            todo=f"see quarantine/<table>/{self.load_id}.jsonl, correct the source and ingest again",
        )

    def lines(self) -> list[str]:
        """The report for people; the first line is the summary."""
        read = sum(table.read for table in self.tables)
        known = sum(table.known for table in self.tables)
        rows = f"{read:,} rows read, {self.new:,} new, {known:,} known, {self.refused:,} refused"
        told = [f"{len(self.tables)} tables: {rows}", *(_line(table) for table in self.tables)]
        told += [f"  file {name}: no table takes it" for name in self.unmatched_files]
        told += [f"  file {name}: optional, and not in the folder" for name in self.missing_files]
        told += [f"  refused: {refusal}" for refusal in self.worst]
        return [*told, *(self.replayed.lines() if self.replayed else [])]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "new": self.new, "refused": self.refused}


def _line(table: TableReport) -> str:
    line = f"  {table.table:<28}{table.read:>14,} read{table.new:>14,} new{table.known:>14,} known"
    if table.refused:
        line += f", refused {', '.join(f'{count:,} {rule}' for rule, count in table.quarantined.items())}"
    if table.set_aside:
        line += f", {table.set_aside:,} left out by the mapping"
    if table.unknown_columns:
        line += f", unknown columns {' '.join(table.unknown_columns)}"
    return f"{line}, the same files as before" if table.skipped else line
