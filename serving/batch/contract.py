"""Which columns must a file of features have, and which has a file of scores?

Grain of both: one row per account and ``as_of``. Features come in the order of the catalogue, numbers as doubles (null
where there is no value), words as text, moments in microseconds UTC. A file with other columns, or the same in another
order, is refused by their names: LightGBM would score columns in a wrong order without a word.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from features.catalogue import FEATURES
from features.errors import DataContractError
from training.model import SCORE_COLUMNS

MOMENT = pa.timestamp("us", tz="UTC")
FEATURE_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("as_of", MOMENT),
        *((feature.name, pa.string() if feature.is_text else pa.float64()) for feature in FEATURES),
    ]
)
_WORDS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("account_id", "band", "grade", "phase", "model_version"), pa.string()),
    "as_of": MOMENT,
    "interval_days": pa.int64(),
}
SCORE_SCHEMA = pa.schema([(name, _WORDS.get(name, pa.float64())) for name in SCORE_COLUMNS])
"""Health, risks, six parts and context in points, grade: the columns that the API tells, under the model's names."""

_NAMED = 8
"""Columns named in one refusal; a list of a hundred says no more."""


def require_features(schema: pa.Schema, file: str) -> None:
    """Refuse a file whose columns are not the catalogue's.

    Raises:
        DataContractError: names the columns that are missing, not known, repeated, of another type, or out of order.
    """
    troubles = list(_troubles(schema))
    if troubles:
        raise DataContractError(
            "a file of features has other columns than the catalogue",
            expected=f"the {len(FEATURE_SCHEMA)} columns that `pulse features` writes, in that order",
            found=f"{file}: {'; '.join(troubles)}",
            todo="write it again with `pulse features --as-of DATE --out FILE`, or put its columns right",
        )


def _troubles(schema: pa.Schema) -> list[str]:
    expected, found = FEATURE_SCHEMA.names, schema.names
    told = [
        ("missing", [name for name in expected if name not in found]),
        ("not known", [name for name in found if name not in expected]),
        ("twice", sorted({name for name in found if found.count(name) > 1})),
        ("of another type", [_retyped(schema, name) for name in expected if _is_retyped(schema, name)]),
    ]
    troubles = [f"{what}: {_listed(names)}" for what, names in told if names]
    if not troubles and found != expected:
        moved = next(name for name, wanted in zip(found, expected, strict=True) if name != wanted)
        troubles = [f"out of order, from {moved} on"]
    return troubles


def _is_retyped(schema: pa.Schema, name: str) -> bool:
    wanted = FEATURE_SCHEMA.field(name).type
    fits = (pa.string(), pa.large_string()) if wanted == pa.string() else (wanted,)
    return schema.names.count(name) == 1 and schema.field(name).type not in fits


def _retyped(schema: pa.Schema, name: str) -> str:
    return f"{name} ({schema.field(name).type} instead of {FEATURE_SCHEMA.field(name).type})"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
