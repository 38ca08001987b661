"""What does the ledger keep of a score, as it lies there?

Grain out: one :class:`Told` per entry, in the order in which they were told: the columns as they were written, the
features and the reasons as they were packed, and the hashes under which the model's files were known.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.vocabulary import parse_moment
from serving.assessment import KnownFeatures
from serving.ledger_tables import DETAILS, FEATURE_LISTS, MODELS, REASONS, SCORES, moment_text


@dataclass(frozen=True, slots=True)
class Told:
    """One entry. ``explanation`` is empty where no reasons were told; ``bundle_hashes`` where none was written down."""

    row: Mapping[str, Any]
    packed: bytes
    names: tuple[tuple[str, ...], tuple[str, ...]]
    catalogue_hash: str
    explanation: bytes
    bundle_hashes: tuple[str, ...]

    @property
    def account_id(self) -> str:
        """Whose score it is."""
        return str(self.row["account_id"])

    @property
    def as_of(self) -> datetime:
        """The moment whose knowledge it rests on."""
        return parse_moment(self.row["as_of"])

    @property
    def scored_at(self) -> datetime:
        """When it was told."""
        return parse_moment(self.row["scored_at"])

    @property
    def is_sound(self) -> bool:
        """Are the kept values the ones that were hashed when the score was told?"""
        try:
            plain = zlib.decompress(self.packed)
        except zlib.error:
            return False
        return hashlib.sha256(self.catalogue_hash.encode() + plain).hexdigest() == str(self.row["features_hash"])

    def features(self) -> pd.DataFrame:
        """The features it was told from: one row."""
        known = KnownFeatures(packed=self.packed, digest=self.row["features_hash"])
        return known.frame(self.account_id, self.as_of, self.names)


def told_at(connection: sa.Connection, at: datetime, account_id: str | None) -> list[Told]:
    """Everything told at the newest ``as_of`` at or before a moment, of one account or of all; the oldest first."""
    wanted = [SCORES.c.as_of <= moment_text(at)]
    if account_id is not None:
        wanted.append(SCORES.c.account_id == account_id)
    newest = sa.select(sa.func.max(SCORES.c.as_of)).where(*wanted).scalar_subquery()
    later = REASONS.c.explanation.label("later")
    query = (
        sa.select(SCORES, DETAILS.c.features, DETAILS.c.explanation, DETAILS.c.catalogue_hash, later)
        .select_from(SCORES.join(DETAILS).outerjoin(REASONS, REASONS.c.entry_id == SCORES.c.id))
        .where(*wanted, SCORES.c.as_of == newest)
        .order_by(SCORES.c.id)
    )
    names = dict(connection.execute(sa.select(FEATURE_LISTS.c.catalogue_hash, FEATURE_LISTS.c.names)).all())
    lists = {key: tuple(tuple(part) for part in json.loads(text)) for key, text in names.items()}
    models: dict[str, list[str]] = {}
    for version, content in connection.execute(sa.select(MODELS.c.model_version, MODELS.c.bundle_hash)):
        models.setdefault(version, []).append(content)
    return [_told(dict(row), lists, models) for row in connection.execute(query).mappings()]


def _told(row: dict[str, Any], lists: Mapping[str, Any], models: Mapping[str, list[str]]) -> Told:
    catalogue = str(row["catalogue_hash"])
    return Told(
        row={column.name: row[column.name] for column in SCORES.columns if column.name != "id"},
        packed=row["features"],
        names=lists[catalogue],
        catalogue_hash=catalogue,
        explanation=row["explanation"] or row["later"] or b"",
        bundle_hashes=tuple(sorted(one for one in models.get(row["model_version"], []) if one)),
    )
