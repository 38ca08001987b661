"""Which raw tables exist, and what stands in each?

The one declaration of every canonical table. Validation, the simulator, the source mappings and the reference page are
made from it. A table holds its own columns and, before them, the envelope of :data:`ENVELOPE`.
"""

from __future__ import annotations

from features.tables import accounts, action, campaigns, market, money, production, usage, voice
from features.tables.columns import Column, Kind, Role, Table, integer, moment, text

__all__ = ["ENVELOPE", "TABLES", "Column", "Kind", "Role", "Table", "table_named"]

ENVELOPE: tuple[Column, ...] = (
    text("source_system", "the system the row came from, for example stripe"),
    text("source_record_id", "the row's id in the source; null where the table's key is the id", null=True),
    moment("event_at", "when it happened in the world"),
    text("event_precision", "how exactly that is known", choices="instant day month"),
    moment("recorded_at", "when the source wrote it", null=True),
    moment("ingested_at", "when we wrote it"),
    moment("available_at", "from when it could be known here; the only time by which features are filtered"),
    text("op", "upsert or delete (a tombstone; nothing is physically deleted)", choices="upsert delete"),
    integer("row_hash", "63 bits of the MD5 of the row's own columns; makes loading twice harmless"),
    text("load_id", "the load that wrote it"),
)

_AREAS = (accounts, usage, production, campaigns, money, voice, market, action)

TABLES: dict[str, Table] = {table.name: table for area in _AREAS for table in area.TABLES}


def table_named(name: str) -> Table:
    """The canonical table of that name; ``KeyError`` when there is none."""
    return TABLES[name]
