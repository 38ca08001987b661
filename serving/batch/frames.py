"""What does a model say of a frame of features, and of which rows can it say nothing?

Grain in: one row of features per account and ``as_of`` (:data:`serving.batch.contract.FEATURE_SCHEMA`). Grain out: the
same rows, in order: scored, or refused with a reason. One bad row stops no good one. A scorer can be sent to workers of
a cluster (``mapInPandas``, ``map_partitions``): what travels is the place and the hash of the model, which each process
loads and checks for itself, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import FEATURES
from features.errors import IntegrityError
from features.vocabulary import CohortStatus, Phase
from serving.batch.contract import FEATURE_SCHEMA, SCORE_SCHEMA
from serving.scored_rows import require_whole
from serving.scorer import SCORED
from training.model import Bundle, load_bundle

LONGEST_ID = 200
"""As in the API."""

_NUMBERS = [feature.name for feature in FEATURES if not feature.is_text]


class Rule(StrEnum):
    """Why a row has no score."""

    ACCOUNT_ID = "account_id"
    AS_OF = "as_of"
    COHORT_STATUS = "cohort_status"
    PHASE = "phase"
    FINITE = "finite"
    TOO_NEW = "too_new"
    SILENT = "silent"


WORDS: dict[Rule, str] = {
    Rule.ACCOUNT_ID: f"an id of 1 to {LONGEST_ID} characters is wanted",
    Rule.AS_OF: "a moment is wanted",
    Rule.COHORT_STATUS: f"{' or '.join(CohortStatus)} is wanted",
    Rule.PHASE: f"one of {', '.join(Phase)} is wanted",
    Rule.FINITE: "a finite number is wanted, or null",
    Rule.TOO_NEW: "the account is too new to be scored",
    Rule.SILENT: "no source told anything of the account lately",
}
NOT_FAULTY = frozenset({Rule.TOO_NEW, Rule.SILENT})
"""Rows that are right, and of which nothing can be said yet: told apart, no reason to look for an error."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scored:
    """``scores``: one row per good row, in order; ``refused``: the place (from 0), column and rule of the others."""

    scores: pd.DataFrame
    refused: pd.DataFrame


@dataclass(frozen=True, slots=True)
class FrameScorer:
    """A model by its folder and its hash; small enough to be sent anywhere that sees the folder."""

    folder: Path
    bundle_hash: str

    @property
    def bundle(self) -> Bundle:
        """The model, loaded once per process.

        Raises:
            IntegrityError: it is not the one that was meant.
        """
        return _loaded(self.folder, self.bundle_hash)

    def scored(self, features: pd.DataFrame) -> Scored:
        """Score what can be scored. ``features`` has the columns of the catalogue, whatever their order."""
        return score_frame(features, self.bundle)

    def __call__(self, features: pd.DataFrame) -> pd.DataFrame:
        """The scores of a frame's good rows with their columns and types, and null scores with the rule of the others.

        For ``frame.map_partitions(scorer, meta=scorer.meta)`` of Dask.
        """
        told = self.scored(features)
        rules = pd.Series(None, index=range(len(features)), dtype=object)
        rules[told.refused["place"].to_numpy()] = told.refused["rule"].to_numpy()
        good = rules.isna().to_numpy()
        whole = told.scores.set_axis(np.flatnonzero(good)).reindex(range(len(features)))
        whole["account_id"] = features["account_id"].to_numpy()
        whole["as_of"] = features["as_of"].array
        return whole.assign(interval_days=whole["interval_days"].astype("Int64"), refused=rules)

    def frames(self, parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """The same part by part, for ``rows.mapInPandas(scorer.frames, scorer.columns)`` of Spark."""
        for part in parts:
            moments = part["as_of"]
            # Spark hands moments over in the zone of its session, without naming it; ours are UTC.
            known = moments.dt.tz_localize("UTC") if moments.dt.tz is None else moments
            answer = self(part.assign(as_of=known))
            yield answer.assign(as_of=moments.array)

    @property
    def meta(self) -> pd.DataFrame:
        """An answer without rows, for Dask."""
        empty = FEATURE_SCHEMA.empty_table().to_pandas()
        return self(empty)

    @property
    def columns(self) -> str:
        """The columns of an answer in Spark's words."""
        kinds = {"string": "string", "double": "double", "int64": "bigint"}
        told = [f"{column.name} {kinds.get(str(column.type), 'timestamp')}" for column in SCORE_SCHEMA]
        return ", ".join([*told, "refused string"])


def score_frame(features: pd.DataFrame, bundle: Bundle) -> Scored:
    """Score the good rows of a frame with the catalogue's columns; name the others.

    Raises:
        IntegrityError: the model reads a column that is not there, or gives a score that is not a number.
    """
    rules, columns = _refusals(features, bundle)
    good = rules == ""
    known = features if good.all() else features[good]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond reason say no more than large ones
        scores = bundle.score(known)
    require_whole(known, scores)
    places = np.flatnonzero(rules != "")
    return Scored(scores, pd.DataFrame({"place": places, "column": columns[places], "rule": rules[places]}))


def _refusals(features: pd.DataFrame, bundle: Bundle) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    # The first rule that a row breaks is its reason.
    rules = np.full(len(features), "", dtype=object)
    columns = np.full(len(features), "", dtype=object)

    def refuse(rule: Rule, broken: Any, column: str | npt.NDArray[np.object_]) -> None:
        fresh = broken & (rules == "")
        rules[fresh] = str(rule)
        columns[fresh] = column if isinstance(column, str) else column[fresh]

    status = features["cohort_status"]
    lengths = features["account_id"].str.len().to_numpy(np.float64, na_value=np.nan)
    refuse(Rule.ACCOUNT_ID, ~((lengths >= 1) & (lengths <= LONGEST_ID)), "account_id")
    refuse(Rule.AS_OF, features["as_of"].isna().to_numpy(), "as_of")
    refuse(Rule.COHORT_STATUS, ~status.isin(list(CohortStatus)).to_numpy(), "cohort_status")
    refuse(Rule.PHASE, ~features["phase"].isin(list(Phase)).to_numpy(), "phase")
    infinite = _infinite(features)
    if infinite is not None:
        refuse(Rule.FINITE, infinite.any(axis=1), np.array(_NUMBERS, dtype=object)[infinite.argmax(axis=1)])
    refuse(Rule.TOO_NEW, ~status.isin(list(SCORED)).to_numpy(), "cohort_status")
    refuse(Rule.SILENT, bundle.abstains(features), "sources_present")
    return rules, columns


def _infinite(features: pd.DataFrame) -> Mask | None:
    numbers = features[_NUMBERS].to_numpy(np.float64, na_value=np.nan)
    infinite: Mask = np.isinf(numbers)
    return infinite if infinite.any() else None


@lru_cache(maxsize=2)
def _loaded(folder: Path, bundle_hash: str) -> Bundle:
    if not folder.is_dir():
        raise IntegrityError(
            "the model is not there",
            expected=f"the bundle {folder.name} in a home that every worker sees at the same path",
            found="no such folder",
            todo="put the home on storage that all workers mount, or score on this machine",
        )
    return load_bundle(folder, expected_hash=bundle_hash)
