"""How does a folder of unknown files become a mapping that a person can finish?

In: a folder. Out: a :class:`Draft`: commented YAML with a proposal per file, and what is left to decide. Every entry
that lacks nothing is tried: the sampled rows are brought into a home that is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import yaml

from features.errors import PulseError, UsageError
from features.settings import Home
from features.sources.brought import brought
from features.sources.draft_text import draft_text, entry_text
from features.sources.load import MEMORY, ingest
from features.sources.proposal import Proposal, proposal_for
from features.sources.reader import sources_in
from features.sources.report import TableReport
from features.sources.sample import READABLE, Sample, sample
from features.warehouse import open_engine


@dataclass(frozen=True, slots=True)
class Tried:
    """One file of the draft: the proposal, if any, and what came of trying it on the sample."""

    sample: Sample
    proposal: Proposal | None
    outcome: str

    def line(self) -> str:
        """For people."""
        table = self.proposal.table.name if self.proposal else "no table"
        return f"  {self.sample.source.name} -> {table}: {self.outcome}"


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted mapping: its text, the files, the decisions that are left, and mappings we bring that fit the files."""

    text: str
    files: tuple[Tried, ...]
    alike: tuple[str, ...]

    @property
    def todos(self) -> tuple[str, ...]:
        """Every decision that is left, as the text says it."""
        told, file = [], ""
        for line in self.text.splitlines():
            before, mark, todo = line.partition("TODO ")
            if before.strip().startswith("file: "):
                file = f"{before.strip().removeprefix('file: ')}, "
            told += [f"{file}{todo}"] if mark else []
        return tuple(told)

    def lines(self, out: Path) -> list[str]:
        """For people; the first line is the summary."""
        told = [f"{out}: {len(self.files)} files, {len(self.todos)} decisions left (TODO)"]
        told += [f"  all files of a mapping we bring are here: --mapping {name}" for name in self.alike]
        told += [each.line() for each in self.files]
        return [*told, *(f"  TODO {todo}" for todo in self.todos)]

    def document(self) -> dict[str, object]:
        """For programs."""
        files = [
            {
                "file": each.sample.source.name,
                "table": each.proposal.table.name if each.proposal else None,
                "missing": [column.name for column in each.proposal.missing] if each.proposal else [],
                "outcome": each.outcome,
            }
            for each in self.files
        ]
        return {"files": files, "todo": list(self.todos), "alike": list(self.alike)}


def draft_mapping(folder: Path, *, name: str, now: datetime) -> Draft:
    """Draft a mapping of the files in a folder; ``name`` becomes its source system, ``now`` judges the trial's times.

    Raises:
        UsageError: there is no such folder, or no file of it can be read.
        DataContractError: a file is damaged.
    """
    sources = [source for source in sources_in(folder) if source.format in READABLE]
    if not sources:
        raise UsageError(
            "no file of the folder can be read",
            expected="CSV, JSONL or Parquet files directly in it",
            found="none",
            todo="check the path; spreadsheets have to be saved as CSV",
        )
    with TemporaryDirectory() as scratch:
        files = []
        for number, source in enumerate(sources):
            place = Path(scratch) / str(number)
            with open_engine(memory=MEMORY, scratch=place / "spill", ordered=True) as engine:
                read = sample(engine, source, f"_pulse_file_{number}", place)
            proposal = proposal_for(read)
            files.append(Tried(read, proposal, _outcome(read, proposal, place, now)))
    names = [source.name for source in sources]
    alike = [each.name for each in brought() if each.files and all(_is_there(name, names) for name in each.files)]
    text = draft_text(name, [(each.sample, each.proposal) for each in files])
    return Draft(text, tuple(files), tuple(alike))


def _outcome(read: Sample, proposal: Proposal | None, scratch: Path, now: datetime) -> str:
    if proposal is None:
        return "it resembles none; write an entry for it, or leave it out"
    if proposal.missing:
        return f"lacks {', '.join(column.name for column in proposal.missing)}"
    try:
        report = _trial(read, proposal, scratch, now)
    except PulseError as failure:
        return f"tried, and refused: {failure.title}; found {failure.found}"
    rules = ", ".join(f"{count} {rule}" for rule, count in report.quarantined.items())
    taken = f"tried, {report.new} of {read.rows.num_rows} sampled rows are taken"
    return f"{taken}; refused: {rules}" if rules else taken


def _trial(read: Sample, proposal: Proposal, scratch: Path, now: datetime) -> TableReport:
    folder = scratch / "trial"
    folder.mkdir()
    # Cells of text files are text in the engine, so a Parquet file of the sample behaves as the file itself.
    pq.write_table(read.rows, folder / "sample.parquet")
    entry = yaml.safe_load(entry_text(proposal))[0] | {"file": "sample.parquet"}
    mapping = scratch / "trial.yaml"
    mapping.write_text(yaml.safe_dump({"source_system": "trial", "tables": [entry]}))
    return ingest(Home(root=scratch / "home"), folder, mapping=mapping, now=now).tables[0]


def _is_there(name: str, names: list[str]) -> bool:
    return any(fnmatchcase(each, name) for each in names)
