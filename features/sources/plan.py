"""Which file goes into which table, and was exactly this loaded before?

In: a folder and perhaps a mapping. Out: one :class:`TableWork` per table, with a fingerprint of everything that decides
what its rows become; a fingerprint that is stored already means that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.errors import DataContractError, UsageError
from features.events import TABLES
from features.manifest import sha256_of
from features.sources.mapping import Mapping, OnlyIn, TableMapping
from features.sources.reader import Source, sources_in

CONTRACT_VERSION = "1"
"""Raised when the code judges or fills rows differently, so that files are read again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file on its way into a table: as it is, or by a mapping (``other`` is the file of its ``only_in``)."""

    source: Source
    mapping: TableMapping | None = None
    other: Source | None = None


@dataclass(frozen=True, slots=True)
class TableWork:
    """Everything that one load brings into one table."""

    table: str
    parts: tuple[Part, ...]
    source_system: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All tables of a load, and the files of the folder that none of them takes."""

    tables: tuple[TableWork, ...]
    unmatched: tuple[str, ...]

    def load_id(self, now: datetime, *, live: bool) -> str:
        """The same files at the same moment are the same load; ids sort by time."""
        facts = [now.isoformat(), str(live), *(work.fingerprint for work in self.tables)]
        return f"{now:%Y%m%dT%H%M%S}-{_digest(facts)[:12]}"


def canonical_plan(folder: Path) -> Plan:
    """Take the files that are named as canonical tables.

    Raises:
        UsageError: there is no such folder, or no file of it is named as a table.
        DataContractError: two files are named as the same table.
    """
    sources = sources_in(folder)
    taken = [source for source in sources if source.stem in TABLES and source.format]
    for name in {source.stem for source in taken}:
        same = [source.name for source in taken if source.stem == name]
        if len(same) > 1:
            raise DataContractError(
                f"two files are named as the table {name}",
                expected="one file per table",
                found=", ".join(same),
                todo="remove the one that does not count",
            )
    unmatched = tuple(source.name for source in sources if source not in taken)
    if not taken:
        raise UsageError(
            "no file of the folder is a canonical table",
            expected=f"files named as tables, such as {next(iter(TABLES))}.parquet, .csv or .jsonl",
            found=", ".join(unmatched) or "an empty folder",
            todo="name the files as the data contract does, or pass a mapping",
        )
    works = [_work(source.stem, [Part(source)], "file") for source in taken]
    return Plan(tuple(works), unmatched)


def mapped_plan(folder: Path, mapping: Mapping) -> Plan:
    """Take the files that a mapping names.

    Raises:
        UsageError: there is no such folder.
        DataContractError: a file that the mapping names is not there.
    """
    sources = {source.name: source for source in sources_in(folder)}
    parts: dict[str, list[Part]] = {}
    for entry in mapping.tables:
        other = _named(sources, entry.only_in.file) if isinstance(entry.only_in, OnlyIn) else None
        parts.setdefault(entry.table, []).extend(Part(_named(sources, name), entry, other) for name in entry.files)
    used = {source.name for own in parts.values() for part in own for source in (part.source, part.other) if source}
    works = [_work(table, own, mapping.source_system) for table, own in parts.items()]
    return Plan(tuple(works), tuple(name for name in sources if name not in used))


def _named(sources: dict[str, Source], name: str) -> Source:
    source = sources.get(name)
    if source is None or not source.format:
        raise DataContractError(
            "a file that the mapping names cannot be taken",
            expected=f"a Parquet, CSV or JSONL file {name}",
            found="no such file" if source is None else "another kind of file",
            todo="complete the folder, or correct the mapping",
        )
    return source


def _work(table: str, parts: Sequence[Part], source_system: str) -> TableWork:
    facts = [CONTRACT_VERSION, repr(TABLES[table]), source_system]
    for part in parts:
        facts.append(sha256_of(part.source.path))
        facts.append(part.mapping.model_dump_json() if part.mapping else "")
        facts.append(sha256_of(part.other.path) if part.other else "")
    return TableWork(table, tuple(parts), source_system, _digest(facts))


def _digest(facts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(facts)).encode()).hexdigest()
