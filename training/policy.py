"""How do the leads' weights rank accounts, beside the model and never instead of its chance?

Input grain: scored rows with points per subcategory. Output grain: the same rows, one policy index from 0 to 100, 100 =
healthiest by these weights. Weights move no probability: they weigh where an account stands among accounts of the same
date, segment and campaign phase (domain 4.11, third channel). Pure: no disk, no clock.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError
from features.vocabulary import Subcategory
from training.metrics import Floats

WEIGHED = tuple(part for part in Subcategory if part is not Subcategory.CONTEXT)
"""Context is no part of health: size and tenure cannot be weighed up."""
LEAST_PEERS = 20
"""A place among fewer peers says little; then the segment, and failing that everybody, is compared with."""
_GROUPS = (["as_of", "segment", "phase"], ["as_of", "segment"], ["as_of"])


class PolicyWeights(BaseModel):
    """What the leads believe matters: one weight per subcategory, only their ratios count."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80, description="what the weights are called in the record")
    engagement: float = Field(default=0.0, ge=0, description="weight of use: seats, activity, breadth")
    campaign: float = Field(default=0.0, ge=0, description="weight of how campaigns went")
    output_quality: float = Field(default=0.0, ge=0, description="weight of reviews, revisions and delivery")
    financial: float = Field(default=0.0, ge=0, description="weight of payment and contract")
    sentiment: float = Field(default=0.0, ge=0, description="weight of surveys and support")
    market: float = Field(default=0.0, ge=0, description="weight of competitors and demand")

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if not any(self.shares().values()):
            raise ValueError("at least one weight must be above 0")
        return self

    @classmethod
    def read(cls, path: Path) -> PolicyWeights:
        """The weights in a YAML file.

        Raises:
            ConfigError: no such file, no YAML, an unknown subcategory, a negative weight, or none above 0.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text()))
        except OSError as cause:
            raise _unreadable("no file that can be read") from cause
        except yaml.YAMLError as cause:
            raise _unreadable("text that is no YAML") from cause
        except ValidationError as cause:
            found = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in cause.errors())
            raise _unreadable(found) from cause

    def shares(self) -> dict[Subcategory, float]:
        """The weights as shares of their sum; all 0 when there is none."""
        weights = {part: float(getattr(self, str(part))) for part in WEIGHED}
        total = sum(weights.values())
        return {part: weight / total if total else 0.0 for part, weight in weights.items()}


def policy_index(scored: pd.DataFrame, weights: PolicyWeights) -> Floats:
    """The index of scored rows (as_of, segment, phase, points_<subcategory>), one per row in their order.

    Peers are the accounts of the same date, segment and phase, or of a wider group where those are fewer than
    :data:`LEAST_PEERS`.
    """
    return weighed(standings(scored), weights)


def standings(scored: pd.DataFrame) -> pd.DataFrame:
    """Where each row stands among its peers, per subcategory from 0 to 100: the middle share with fewer points.

    Ties stand in the middle. Columns are :data:`WEIGHED`; rows in their order.
    """
    return pd.DataFrame({str(part): 100.0 * _standing(scored, f"points_{part}") for part in WEIGHED})


def weighed(standing: pd.DataFrame, weights: PolicyWeights) -> Floats:
    """The index of rows with these standings: the sum of each subcategory's share of the weights times its standing."""
    index = np.zeros(len(standing))
    for part, share in weights.shares().items():
        index = index + share * standing[str(part)].to_numpy(np.float64)
    return index


def _standing(scored: pd.DataFrame, column: str) -> Floats:
    places = np.full(len(scored), np.nan)
    for group in _GROUPS:
        grouped = scored.groupby(group, sort=False, dropna=False)[column]
        size = grouped.transform("size").to_numpy(np.float64)
        rank = (grouped.rank(method="average").to_numpy(np.float64) - 0.5) / size
        fits = np.isnan(places) & ((size >= LEAST_PEERS) | (len(group) == 1))
        places[fits] = rank[fits]
    return places


def _unreadable(found: str) -> ConfigError:
    return ConfigError(
        "the weights cannot be read",
        expected=f"a YAML file with a name and weights of 0 or more for: {', '.join(WEIGHED)}",
        found=found,
        todo="repair the file; docs/models.md shows one",
    )
