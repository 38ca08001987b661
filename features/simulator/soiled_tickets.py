"""How does the ticket desk's export look, a CSV in which everything is text?

Grain in: rows of `tickets_history`. Grain out: the same rows as text; desks of some accounts write local times without
a zone, weeks of the change of clocks included. Ingest refuses those: nothing says which zone was meant.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from features.simulator.entities import HQ_TZ
from features.simulator.soiled_rows import replaced
from features.simulator.timeline import Ints

TICKETS = "tickets_history"
NO_ZONE = -1
_LOCAL_TIMES = ("valid_from", "created_at", "solved_at")


def as_text(rows: pa.Table, zones: Ints) -> pa.Table:
    """The rows as text; ``zones`` = position of the zone in which a row's times are local, NO_ZONE = not local."""
    text = pa.table({name: rows.column(name).cast(pa.string()) for name in rows.column_names})
    local = np.flatnonzero(zones != NO_ZONE)
    if not len(local):
        return text
    for column in _LOCAL_TIMES:
        cells = text.column(column).to_numpy(zero_copy_only=False).copy()
        moments = rows.column(column).to_pylist()
        for row in local:
            if moments[row] is not None:
                cells[row] = _wall_clock(moments[row], HQ_TZ[zones[row]])
        text = replaced(text, column, pa.array(cells, pa.string()))
    return text


def write_csv(path: Path, rows: pa.Table, *, long_lines: int) -> None:
    """Write text rows, and after them lines that have a cell too many."""
    pcsv.write_csv(rows, path)
    with path.open("a") as out:
        out.writelines(f"{','.join('?' * (rows.num_columns + 1))}\n" for _ in range(long_lines))


def _wall_clock(moment: datetime, zone: str) -> str:
    return f"{moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
