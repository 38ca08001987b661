"""What does a CSV file of campaigns say?

One row per belief about an instance, columns named as those of ``campaign_instances_history`` and ``campaigns``; needed
are ``campaign_id``, ``active_start_local`` and ``active_end_local``. Columns of other names are refused, never dropped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from features.calendars.entries import INSTANCE_CELLS, KIND_CELLS, REQUIRED, Entry, entry_of
from features.errors import DataContractError

_KNOWN = tuple(dict.fromkeys((*INSTANCE_CELLS, *KIND_CELLS)))


def read_csv(path: Path) -> tuple[Entry, ...]:
    """The entries of a file; ``line`` is the record's number, the header not counted.

    Raises:
        DataContractError: it is no UTF-8 CSV with the columns that are needed and no others, or a record is broken.
    """
    try:
        records = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as cause:
        raise _refused(path, "a CSV file in UTF-8", type(cause).__name__) from None
    header = [cell.strip() for cell in records[0]] if records else []
    _require_header(path, header)
    filled = [(line, cells) for line, cells in enumerate(records[1:], start=1) if any(cell.strip() for cell in cells)]
    broken = [line for line, cells in filled if len(cells) != len(header)]
    if broken:
        raise _refused(path, f"{len(header)} cells in every record", f"another number in record {broken[0]}")
    return tuple(entry_of(dict(zip(header, cells, strict=True)), line=line) for line, cells in filled)


def _require_header(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise _refused(path, f"a header with {', '.join(REQUIRED)}", f"no column {', '.join(missing)}")
    unknown = [name for name in header if name not in _KNOWN]
    if unknown:
        raise _refused(path, f"columns among {', '.join(_KNOWN)}", f"{', '.join(unknown)} besides")
    if len(set(header)) != len(header):
        raise _refused(path, "every column once", "a column that is named twice")


def _refused(path: Path, expected: str, found: str) -> DataContractError:
    return DataContractError(
        f"{path.name} is no calendar that can be read",
        expected=expected,
        found=found,
        todo="correct the file and import again; nothing was taken",
    )
