"""What do applications send between two builds, and what is answered?"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, WithJsonSchema
from pydantic.config import JsonDict, JsonValue
from pydantic_core import PydanticCustomError

from features.journal import Became, Cell, columns_to_send, open_tables
from serving.bodies import Body

MOST_ROWS = 1_000
"""Answered in well under a second; more is an export: `pulse ingest`."""

TABLES = open_tables()
EVENT_COLUMNS: frozenset[str] = frozenset().union(*(columns_to_send(table) for table in TABLES))
_EXAMPLE: JsonDict = {
    "ticket_id": "t-4711",
    "account_id": "acc-0001",
    "valid_from": "2024-07-03T09:29:58Z",
    "created_at": "2024-07-03T09:29:58Z",
    "status": "open",
    "priority": "urgent",
    "type": "incident",
}


def _cell(value: Any) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("cell", "Input should be text, a number, true, false or null")
    return value


EventCell = Annotated[
    Any,
    BeforeValidator(_cell),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]


_ROW: JsonDict = {
    "minProperties": 1,
    "propertyNames": {"enum": list[JsonValue](sorted(EVENT_COLUMNS))},
    "examples": [_EXAMPLE],
}


class EventRow(RootModel[dict[str, EventCell]]):
    """One row: cells by the names of the table's columns (docs/tables.md)."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_ROW)


class EventOut(Body):
    """What became of one row."""

    row: int = Field(ge=0, description="its place in the array, from 0; in quarantine files rows count from 1")
    status: Became = Field(
        description="accepted: durable, on its way into the features; known: we have this row already; quarantined: it "
        "breaks a rule and waits for a person"
    )
    column: str | None = Field(description="the column that breaks the rule; null for good rows, or the whole row")
    rule: str | None = Field(description="the rule it breaks: required, type, choices, future, unmatched, ...")
    reason: str | None = Field(description="the rule in words; never the value of a cell")


class EventsResponse(Body):
    """What became of the rows of one call. It is on disk when this is answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "load_id": "20240703T093000-3f2a9c0b1d7e",
                    "table": "tickets_history",
                    "arrived_at": "2024-07-03T09:30:00Z",
                    "accepted": 1,
                    "known": 0,
                    "quarantined": 0,
                    "rows": [{"row": 0, "status": "accepted", "column": None, "rule": None, "reason": None}],
                }
            ]
        }
    )

    load_id: str = Field(description="names this call in quarantine and in the tables")
    table: str
    arrived_at: datetime = Field(description="from when the accepted rows count as known (available_at)")
    accepted: int = Field(ge=0)
    known: int = Field(ge=0)
    quarantined: int = Field(ge=0)
    rows: list[EventOut] = Field(description="one per row, in order")
