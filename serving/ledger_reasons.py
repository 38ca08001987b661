"""Why did a kept score come out so, when reasons were told with it, later, or never?

Who asks for scores alone is told no reasons, and finding them costs more than all the rest; so they are kept when they
are told. Until then they are derived for whoever looks, from the features that the score was told from, by the same
model; where that is not at hand, what the parts gave stands alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.state import insert_new
from serving.assessment import Assessment, KnownFeatures, assess
from serving.entries import Entry
from serving.explain import Explanation, explain
from serving.ledger_tables import DETAILS, FEATURE_LISTS, REASONS, explanation_of, packed_explanation
from serving.scored_rows import records
from training.model import Bundle

AtHand = Callable[[str], Bundle | None]
"""The model of a version, if it is loaded already."""

_CHUNK = 500


def kept_reasons(connection: sa.Connection, entry_ids: Sequence[int]) -> dict[int, Explanation]:
    """The reasons that were told, by entry; an entry whose reasons never were is missing."""
    packed: dict[int, bytes] = {}
    for start in range(0, len(entry_ids), _CHUNK):
        wanted = entry_ids[start : start + _CHUNK]
        for table in (DETAILS, REASONS):
            query = sa.select(table.c.entry_id, table.c.explanation).where(table.c.entry_id.in_(wanted))
            packed |= {row.entry_id: row.explanation for row in connection.execute(query) if row.explanation}
    return {entry_id: explanation_of(stored) for entry_id, stored in packed.items()}


def derived_reasons(features: pd.DataFrame, entry: Entry, model: Bundle | None) -> Explanation:
    """The reasons of a score from the features that it was told from: one row."""
    if model is not None:
        return assess(features, model)[0].explanation
    return explain(records(features)[0], {}, {}, entry.score.points)


def add_reasons(connection: sa.Connection, told: Mapping[int, Assessment]) -> None:
    """Keep reasons that are told now of scores that were told before, by entry."""
    rows = [{"entry_id": entry, "explanation": packed_explanation(one.explanation)} for entry, one in told.items()]
    if rows:
        connection.execute(insert_new(connection, REASONS), rows)


def features_of(connection: sa.Connection, entry: Entry) -> pd.DataFrame:
    """The features an entry was scored from: one row that the model of that version turns into the same score."""
    query: sa.Select[Any] = sa.select(DETAILS.c.features, FEATURE_LISTS.c.names).join(FEATURE_LISTS)
    packed, names = connection.execute(query.where(DETAILS.c.entry_id == entry.entry_id)).one()
    known = KnownFeatures(packed=packed, digest=entry.features_hash)
    return known.frame(entry.account_id, entry.as_of, json.loads(names))
