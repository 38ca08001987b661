"""Which features exist, and what does each mean?

The one place where a feature exists. Feast's fields, the columns of training, the grouping of contributions, the
wording of explanations and the reference page are read from here; a test holds catalogue, SQL columns and Feast schema
equal.
"""

from __future__ import annotations

import hashlib

from features.catalogue_parts import (
    campaign,
    context,
    engagement,
    financial,
    market,
    output_quality,
    production,
    sentiment,
)
from features.catalogue_parts.feature import Feature, Style, Use
from features.catalogue_parts.not_carried import NOT_CARRIED
from features.vocabulary import Subcategory

__all__ = [
    "FEATURES",
    "MODEL_FEATURES",
    "NOT_CARRIED",
    "TIMING_FEATURES",
    "Feature",
    "Style",
    "Use",
    "feature_list_hash",
    "feature_named",
    "features_of",
]

_PARTS = (engagement, campaign, output_quality, production, financial, sentiment, market, context)

FEATURES: tuple[Feature, ...] = tuple(feature for part in _PARTS for feature in part.FEATURES)
MODEL_FEATURES: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.use is Use.MODEL)
TIMING_FEATURES: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.use is Use.TIMING)
_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_named(name: str) -> Feature:
    """The feature of that name; ``KeyError`` when there is none."""
    return _BY_NAME[name]


def features_of(subcategory: Subcategory) -> tuple[Feature, ...]:
    """The features of one subcategory, in catalogue order."""
    return tuple(feature for feature in FEATURES if feature.subcategory is subcategory)


def feature_list_hash(names: tuple[str, ...]) -> str:
    """SHA-256 of feature names in their order; two lists are the same model input exactly when it is equal."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
