"""How is one score kept when somebody waits for his answer to it?

One account at a time, over a line to the file (:mod:`features.state_lines`) and in words that are ready: the same rows,
in one transaction, on disk before the answer, as :meth:`serving.ledger.Ledger.append` writes for many.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from features.state_lines import StateLines, as_writer, worded
from serving.assessment import Assessment
from serving.explain import UNTOLD
from serving.ledger_tables import (
    CATALOGUE_HASH,
    DETAILS,
    MODELS,
    REASONS,
    SCORES,
    moment_text,
    packed_explanation,
    score_row,
)
from serving.ledger_there import KEPT, KEY, key_of

_THERE = worded(KEPT.where(*(column == sa.bindparam(f"asked_{column.name}") for column in KEY)))[0]
_SCORE, _SCORE_NAMES = worded(
    sqlite.insert(SCORES).on_conflict_do_nothing().returning(SCORES.c.id),
    [column.name for column in SCORES.columns if column is not SCORES.c.id],
)
_DETAIL, _DETAIL_NAMES = worded(sa.insert(DETAILS))
_MODEL, _MODEL_NAMES = worded(sqlite.insert(MODELS).on_conflict_do_nothing())
_REASON, _REASON_NAMES = worded(sqlite.insert(REASONS).on_conflict_do_nothing())


def append_one(
    lines: StateLines,
    assessment: Assessment,
    *,
    channel: str,
    scored_at: datetime,
    data_watermark: datetime | None,
) -> int:
    """Add a score if it is not there yet; the answer is how many entries that were.

    Raises:
        ServiceUnavailable: the state database cannot be written.
    """
    with lines.lent() as line:
        there = line.execute(_THERE, key_of(assessment)).fetchone()
        if there is None:
            row = score_row(assessment, channel=channel, scored_at=scored_at, data_watermark=data_watermark)
            return _added(line, assessment, row, scored_at)
        entry_id, is_bare = there[:2]
        if is_bare and assessment.explanation != UNTOLD:
            packed = packed_explanation(assessment.explanation)
            with as_writer(line):
                _insert(line, _REASON, _REASON_NAMES, {"entry_id": entry_id, "explanation": packed})
        return 0


def _added(line: Connection, assessment: Assessment, row: Mapping[str, Any], scored_at: datetime) -> int:
    # All is put together before the turn of the one writer begins.
    model = {
        "model_version": assessment.score.model_version,
        "bundle_hash": assessment.bundle_hash,
        "first_scored_at": moment_text(scored_at),
    }
    detail = {
        "explanation": packed_explanation(assessment.explanation),
        "catalogue_hash": CATALOGUE_HASH,
        "features": assessment.known.packed,
    }
    with as_writer(line):
        added = _insert(line, _SCORE, _SCORE_NAMES, row)
        if added is None:
            return 0  # somebody told the same a moment ago
        _insert(line, _DETAIL, _DETAIL_NAMES, {"entry_id": added[0], **detail})
        _insert(line, _MODEL, _MODEL_NAMES, model)
    return 1


def _insert(line: Connection, words: str, names: tuple[str, ...], values: Mapping[str, Any]) -> tuple[int, ...] | None:
    told: tuple[int, ...] | None = line.execute(words, [values[name] for name in names]).fetchone()
    return told
