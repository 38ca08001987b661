"""How does an answer with scores look as a table, and how does a table travel?

Grain: one row per account that was asked for, in order, with the values of the JSON answer under the names that files
of scores have (:data:`serving.batch.contract.SCORE_SCHEMA`). It travels as an Arrow stream; what holds for the whole
answer stands in the metadata of its schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from features.vocabulary import HORIZONS_DAYS, Subcategory
from serving.batch.contract import MOMENT, SCORE_SCHEMA
from serving.schemas import MOST_ACCOUNTS, ScoreOut, ScoreResponse, ScoreResult

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("status", pa.string()),
        *(column for column in SCORE_SCHEMA if column.name != "account_id"),
        ("data_watermark", MOMENT),
        ("age_days", pa.float64()),
        ("stale_after_days", pa.float64()),
        ("stale", pa.bool_()),
        ("waiting_since", MOMENT),
    ]
)
_IDS = pa.schema([("account_id", pa.string())])
_TEXT = (pa.string(), pa.large_string())
_OF_ALL = "campaign_pulse"
_INTERVAL = {"interval_days": "days", **{f"interval_{side}": side for side in ("p0", "p1", "low", "high")}}


def table_of(answer: ScoreResponse) -> pa.Table:
    """The answer as a table; columns of a score are null where there is none."""
    of_all = answer.model_dump_json(exclude={"results"})
    rows = [_row(result) for result in answer.results]
    return pa.Table.from_pylist(rows, SCHEMA.with_metadata({_OF_ALL: of_all}))


def facts_of(table: pa.Table) -> dict[str, Any]:
    """What holds for the whole answer: versions, the moment it was judged at, whether it was kept."""
    facts: dict[str, Any] = json.loads(table.schema.metadata[_OF_ALL.encode()])
    return facts


def stream_of(table: pa.Table) -> bytes:
    """A table as it travels."""
    target = pa.BufferOutputStream()
    with pa.ipc.new_stream(target, table.schema) as stream:
        stream.write_table(table)
    return bytes(target.getvalue())


def stream_of_ids(account_ids: Sequence[str]) -> bytes:
    """A question as it travels: one column of ids."""
    return stream_of(pa.table({"account_id": pa.array(account_ids, pa.string())}, _IDS))


def ids_in(content: bytes) -> list[Any]:
    """The ids of a question; whether they may be asked for is not judged here.

    Raises:
        ValueError: it is no Arrow stream, or another table than one column ``account_id`` of text.
    """
    try:
        with pa.ipc.open_stream(content) as stream:
            if stream.schema.names != ["account_id"] or stream.schema.field(0).type not in (
                pa.string(),
                pa.large_string(),
            ):
                raise ValueError("another table")
            ids: list[Any] = []
            for batch in stream:
                # Damaged lengths would be read beyond the body.
                batch.validate(full=True)
                ids += batch.column(0).slice(0, MOST_ACCOUNTS + 1 - len(ids)).to_pylist()
                if len(ids) > MOST_ACCOUNTS:
                    break
            return ids
    except (pa.ArrowException, OSError) as cause:
        raise ValueError("no Arrow stream") from cause


def _row(result: ScoreResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "account_id": result.account_id,
        "status": str(result.status),
        "model_version": result.model_version,
        "as_of": result.as_of,
        "data_watermark": result.data_watermark,
    }
    if result.freshness is not None:
        row |= dict(result.freshness)
    return row | _score(result.score) if result.score is not None else row


def _score(score: ScoreOut) -> dict[str, Any]:
    plain = {name: getattr(score, name) for name in ("health", "grade", "base_points", "clip_adjust", "shrink_adjust")}
    spread = score.risk_range
    return {
        **plain,
        "band": str(score.band),
        "phase": str(score.phase),
        **{f"risk_{days}": getattr(score.risk, f"days_{days}") for days in HORIZONS_DAYS},
        **{column: getattr(spread, name) if spread else None for column, name in _INTERVAL.items()},
        **{f"points_{part}": getattr(score.points, str(part)) for part in Subcategory},
    }
