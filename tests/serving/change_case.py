"""Kept scores of a model that a person can follow: points are weights times values, and nothing interacts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pandas as pd

from features.catalogue import feature_named
from features.vocabulary import WEEK, Phase
from serving.change import Kept
from serving.entries import Channel, Entry
from serving.kept_models import KeptModel
from tests.serving.pages_case import MONDAY, assessment
from training.model import OFFSET_OWNERS, Bundle

Values = Mapping[str, float]
BASE = 60.0


@dataclass(frozen=True)
class Linear:
    """A model: so many points per unit of each feature, ``gap`` points where the value is not known."""

    version: str
    weights: Mapping[str, float]
    gap: float = 0.0
    shrink: float = 0.0
    base: float = BASE
    offsets: Mapping[str, float] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.weights)

    @property
    def subcategories(self) -> tuple[str, ...]:
        return tuple(str(feature_named(name).subcategory) for name in self.weights)

    def points(self, values: Values) -> dict[str, float]:
        return {
            name: self.gap if math.isnan(values[name]) else weight * values[name]
            for name, weight in self.weights.items()
        }

    def told(self, values: Values) -> dict[str, float]:
        """Health, and what shrinking and clipping did to it: the law of the score, written out by hand."""
        points = sum(self.points(values).values()) + sum(self.offset_points(pd.DataFrame([values])).iloc[0])
        shrink = -self.shrink * points
        wanted = self.base + points + shrink
        health = min(100.0, max(0.0, wanted))
        return {"health": health, "shrink_adjust": shrink, "clip_adjust": health - wanted}

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame([self.told(cast("Values", frame.iloc[0].to_dict()))])

    def offset_points(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame([{name: self.offsets.get(frame.iloc[0].get(name), 0.0) for name in OFFSET_OWNERS}])

    def feature_points(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame([self.points(cast("Values", frame.iloc[0].to_dict()))])


def kept(model: Linear, values: Values, *, weeks: int = 0, phase: Phase = Phase.OFF) -> Kept:
    """The score that a model gave to these values, so many weeks after the first."""
    as_of = MONDAY + weeks * WEEK
    told = assessment(as_of=as_of, phase=phase, model_version=model.version, base_points=model.base)
    entry = Entry(
        entry_id=1 + weeks,
        account_id=told.account_id,
        as_of=as_of,
        score=replace(told.score, **cast("dict[str, Any]", model.told(values))),
        facts=told.facts,
        value_at_risk=0.0,
        features_hash="of these values",
        data_watermark=None,
        channel=Channel.BATCH,
        scored_at=as_of + timedelta(hours=6),
    )
    return Kept(entry, pd.DataFrame([values]), KeptModel(model.version, cast("Bundle", model)))
