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
class IngestReport:
    """What one ingest did. ``worst`` names the first few refused rows; ``unmatched_files`` no table takes."""

    load_id: str
    tables: tuple[TableReport, ...]
    unmatched_files: tuple[str, ...] = ()
    worst: tuple[Refusal, ...] = ()

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
        return [*told, *(f"  refused: {refusal}" for refusal in self.worst)]

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
