"""A small shop's export and mappings of it: the layout that the tests of mappings describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from features.settings import Home
from features.sources import IngestReport
from tests.features.source_case import home_in, take_in, write_text

ORDERS = "id,customer,state,day,hours,qty"
TICKETS: dict[str, Any] = {
    "table": "tickets_history",
    "file": "orders.csv",
    "timezone": "UTC",
    "columns": {
        "ticket_id": "id",
        "valid_from": "day",
        "created_at": "day",
        "account_id": "customer",
        "status": "state",
    },
    "values": {"status": {"o": "open", "d": "solved"}},
    "constants": {"event_precision": "day", "type": "task"},
}
USAGE: dict[str, Any] = {
    "table": "usage_daily",
    "file": "orders.csv",
    "columns": {
        "account_id": "customer",
        "usage_date": "day",
        "active_minutes": "60 * CAST(hours AS DOUBLE)",
        "sessions": "qty",
    },
    "constants": {"product_sku": "orders", "events": 1},
}


def write_mapping(folder: Path, *tables: dict[str, Any], **more: Any) -> Path:
    """mapping.yaml with these tables; more keys go into the document."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({"source_system": "shop", "tables": list(tables), **more}, sort_keys=False))
    return path


def take_orders(tmp_path: Path, table: dict[str, Any], *rows: str, header: str = ORDERS) -> tuple[Home, IngestReport]:
    """Bring orders.csv in by a mapping of one table."""
    home = home_in(tmp_path)
    write_text(tmp_path / "in", "orders.csv", header, *rows)
    return home, take_in(home, tmp_path / "in", mapping=write_mapping(tmp_path, table))
