"""Which file goes into which table, and was exactly this loaded before?

In: a folder and perhaps a mapping. Out: one :class:`TableWork` per table, with a fingerprint of everything that decides
what its rows become; a fingerprint that is stored already means that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as Lookup
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from features.errors import DataContractError, UsageError
from features.events import TABLES
from features.manifest import sha256_of
from features.sources.mapping import Mapping, TableMapping
from features.sources.reader import Source, sources_in

CONTRACT_VERSION = "1"
"""Raised when the code judges or fills rows differently, so that files are read again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file on its way into a table: as it is, or by a mapping, with the ``others`` that this names."""

    source: Source
    mapping: TableMapping | None = None
    others: Lookup[str, tuple[Source, ...]] = field(default_factory=dict)

    @property
    def delimiter(self) -> str:
        """What parts the cells of its text files."""
        return "," if self.mapping is None else self.mapping.delimiter


@dataclass(frozen=True, slots=True)
class TableWork:
    """Everything that one load brings into one table."""

    table: str
    parts: tuple[Part, ...]
    source_system: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All tables of a load, the files of the folder that none of them takes, and optional ones that are not there."""

    tables: tuple[TableWork, ...]
    unmatched: tuple[str, ...]
    missing: tuple[str, ...] = ()

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
        UsageError: there is no such folder, or none of the files that may be missing is in it.
        DataContractError: a file that the mapping names is not there.
    """
    sources = sources_in(folder)
    parts: dict[str, list[Part]] = {}
    missing: list[str] = []
    for entry in mapping.tables:
        absent = [name for name in (*entry.files, *entry.other_files) if not _matching(sources, name)]
        lacking = [name for name in entry.needed_files if name in absent] if entry.optional else []
        missing += lacking or [name for name in absent if name not in entry.needed_files]
        if not lacking:
            parts.setdefault(entry.table, []).extend(_parts(sources, entry))
    if not parts:
        raise UsageError(
            "no file of the folder is one that the mapping names",
            expected=f"some of {', '.join(dict.fromkeys(missing))}",
            found=", ".join(source.name for source in sources) or "an empty folder",
            todo="name the files as the mapping does, or correct the mapping",
        )
    used = {source.name for own in parts.values() for part in own for source in _sources(part)}
    works = [_work(table, own, mapping.source_system) for table, own in parts.items()]
    unmatched = tuple(source.name for source in sources if source.name not in used)
    return Plan(tuple(works), unmatched, tuple(dict.fromkeys(missing)))


def _parts(sources: Sequence[Source], entry: TableMapping) -> list[Part]:
    there = [name for name in entry.other_files if name in entry.needed_files or _matching(sources, name)]
    others = {name: _named(sources, name) for name in there}
    files = dict.fromkeys(source for name in entry.files for source in _named(sources, name))
    return [Part(source, entry, others) for source in files]


def _matching(sources: Sequence[Source], name: str) -> tuple[Source, ...]:
    return tuple(source for source in sources if source.format and fnmatchcase(source.name, name))


def _named(sources: Sequence[Source], name: str) -> tuple[Source, ...]:
    matching = _matching(sources, name)
    if not matching:
        there = any(source.name == name for source in sources)
        raise DataContractError(
            "a file that the mapping names cannot be taken",
            expected=f"a Parquet, CSV or JSONL file {name}",
            found="another kind of file" if there else "no such file",
            todo="complete the folder, or correct the mapping",
        )
    return matching


def _sources(part: Part) -> list[Source]:
    return [part.source, *(source for own in part.others.values() for source in own)]


def _work(table: str, parts: Sequence[Part], source_system: str) -> TableWork:
    facts = [CONTRACT_VERSION, repr(TABLES[table]), source_system]
    known = {source: sha256_of(source.path) for part in parts for source in _sources(part)}
    for part in parts:
        facts.append(part.mapping.model_dump_json() if part.mapping else "")
        facts += [f"{source.name} {known[source]}" for source in _sources(part)]
    return TableWork(table, tuple(parts), source_system, _digest(facts))


def _digest(facts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(facts)).encode()).hexdigest()
