"""Does a mapping that comes with us turn a small export into exactly the rows that a person has checked?

The folder ``exports/<name>/`` holds ``in/``, the files as the source exports them, and ``expected/``: per canonical
table a CSV of its rows without the columns that are null in all of them, ``refused.csv`` and ``counts.csv``. To write
``expected/`` anew after a change, and then to read the difference: ``python -m tests.features.adapter_case <name>``.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.events import ENVELOPE, TABLES
from features.settings import Home
from features.sources import IngestReport, ingest
from features.sources.people import salt_file
from features.warehouse import Warehouse
from tests.features.source_case import quarantined

EXPORTS = Path(__file__).parent / "exports"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When the exports of the fixtures are brought in; no row of theirs lies later."""
SALT = "0123456789abcdef" * 4
"""With a known salt the keys of people are the same in every run."""
_OURS_ALONE = {"ingested_at", "row_hash", "load_id"}
"""Columns that say how a row came in, not what it says."""


def export_of(name: str) -> Path:
    """The folder with the files of a fixture."""
    return EXPORTS / name / "in"


def take_export(home: Home, name: str, *, folder: Path | None = None) -> IngestReport:
    """Bring a fixture (or another folder of its layout) into a home by the mapping of its name."""
    path = salt_file(home.prepare())
    path.write_text(SALT)
    return ingest(home, folder or export_of(name), mapping=name, now=NOW)


def told(home: Home, report: IngestReport) -> dict[str, str]:
    """What an ingest stored and refused, as texts by file name."""
    files = {f"{table.table}.csv": _rows_of(home, table.table) for table in report.tables}
    return {**files, "refused.csv": _refused(home, report), "counts.csv": _counts(report)}


def expected(name: str) -> dict[str, str]:
    """What a person has checked, as texts by file name."""
    return {path.name: path.read_text() for path in sorted((EXPORTS / name / "expected").iterdir())}


def require_expected(home: Home, name: str) -> IngestReport:
    """Bring a fixture in, and compare everything that became of it with what a person has checked."""
    report = take_export(home, name)
    require_same(told(home, report), name)
    return report


def require_same(found: dict[str, str], name: str) -> None:
    """Compare everything that became of a fixture with what a person has checked."""
    wanted = expected(name)
    assert sorted(found) == sorted(wanted)
    for file, text in wanted.items():
        assert found[file] == text, f"{name}: {file} differs"


def copy_of_export(name: str, target: Path, **changed: str) -> Path:
    """A copy of a fixture's files in which ``file_stem="text"`` replaces a file; stems stand for the first ending."""
    target.mkdir(parents=True)
    for path in export_of(name).iterdir():
        text = changed.get(path.name.split(".", maxsplit=1)[0], path.read_text())
        (target / path.name).write_text(text)
    return target


def _rows_of(home: Home, table: str) -> str:
    names = [column.name for column in (*ENVELOPE, *TABLES[table].columns) if column.name not in _OURS_ALONE]
    own = [column.name for column in TABLES[table].columns]
    with Warehouse(home).engine(threads=1) as engine:
        chosen, order = (", ".join(f'"{name}"' for name in part) for part in (names, own))
        rows = engine.fetch(f"SELECT {chosen} FROM {table} ORDER BY {order}").to_pylist()
    kept = [
        name
        for name in (*own, *(name for name in names if name not in own))
        if any(row[name] is not None for row in rows)
    ]
    return _csv(kept, ([_text(row[name]) for name in kept] for row in rows))


def _refused(home: Home, report: IngestReport) -> str:
    names = ("table", "file", "row", "column", "rule", "reason")
    rows = [row for table in report.tables if table.refused for row in quarantined(home, table.table)]
    return _csv(names, ([str(row[name]) for name in names] for row in rows))


def _counts(report: IngestReport) -> str:
    names = ("table", "read", "new", "known", "refused", "set_aside")
    return _csv(names, ([str(getattr(table, name)) for name in names] for table in report.tables))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _csv(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return stream.getvalue()


def _write_expected(name: str) -> None:
    target = EXPORTS / name / "expected"
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        home = Home(root=Path(scratch) / "home")
        files = told(home, take_export(home, name))
    for stale in target.iterdir():
        stale.unlink()
    for file, text in files.items():
        (target / file).write_text(text)


if __name__ == "__main__":
    for named in sys.argv[1:]:
        _write_expected(named)
