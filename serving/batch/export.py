"""Where does a file of features come from, that can be scored as it is?

Grain out: one row per account that could still leave at one ``as_of``, with the columns of
:data:`serving.batch.contract.FEATURE_SCHEMA`, as they were known then. Every page carries a checksum, so that a
damaged file is noticed by whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.settings import Home
from serving.batch.contract import FEATURE_SCHEMA
from serving.batch.pieces import writing
from serving.scorer import cohort_features, snapshot_at

if TYPE_CHECKING:
    from features.store import FeatureStore

_ROWS_PER_GROUP = 131_072
"""A piece of work for one worker."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    target: Path
    as_of: datetime
    rows: int

    def lines(self) -> list[str]:
        """The report for people."""
        return [f"features of {self.rows:,} accounts as known at {self.as_of.date()}: {self.target}"]

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {"to": str(self.target), "as_of": self.as_of, "rows": self.rows, "columns": FEATURE_SCHEMA.names}


def export_features(home: Home, store: FeatureStore, as_of: datetime, target: Path) -> ExportReport:
    """Write the features of everybody who could still leave at the newest built snapshot at or before ``as_of``.

    Raises:
        MissingStateError: no snapshot within 8 days before is built.
        ServiceUnavailable: the file cannot be written.
    """
    snapshot = snapshot_at(home, as_of)
    features = cohort_features(home, store, snapshot)
    rows = pa.Table.from_pandas(features, FEATURE_SCHEMA, preserve_index=False)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.tmp")
        pq.write_table(rows, aside, compression="zstd", row_group_size=_ROWS_PER_GROUP, write_page_checksum=True)
        aside.rename(target)
    return ExportReport(target, snapshot, len(features))
