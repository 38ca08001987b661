"""Which loaded files does a snapshot rest on?

A row belongs to a snapshot when its ``available_at`` is not later than the ``as_of``. It may still arrive after the
snapshot was built: a back-fill, a repaired row out of quarantine, an export that came late. So each stored snapshot
carries a digest of the loaded files that reach back to it; another digest today means that it has to be built again.
Grain out: one digest per ``as_of``. Reads manifests only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from features.events import TABLES
from features.settings import Home
from features.warehouse import FIRST_AVAILABLE_AT, Warehouse

INPUTS = "inputs"
"""The fact of a stored snapshot that holds the digest of its build."""
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def inputs_of(
    home: Home, as_ofs: Iterable[datetime], *, tables: Collection[str] = TABLES.keys()
) -> dict[datetime, str]:
    """A digest of the loaded files with a row known at each ``as_of``; equal digests mean equal rows.

    Only files of ``tables`` count. A file that does not tell from when its rows were known counts for every snapshot.
    """
    files = sorted(_reaches(Warehouse(home), tables))
    digest, place = hashlib.sha256(), 0
    found = {}
    for as_of in sorted(as_ofs):
        while place < len(files) and files[place][0] <= as_of:
            digest.update(files[place][1].encode())
            place += 1
        found[as_of] = digest.hexdigest()
    return found


def _reaches(warehouse: Warehouse, tables: Collection[str]) -> Iterable[tuple[datetime, str]]:
    for table in (name for name in TABLES if name in tables):
        for entry in warehouse.dataset(table).entries():
            if entry.rows:
                first = entry.facts.get(FIRST_AVAILABLE_AT)
                yield datetime.fromisoformat(first) if first else _ALWAYS, f"{table} {entry.sha256}\n"
