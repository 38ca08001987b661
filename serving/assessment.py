"""What do we say about one account at one ``as_of``, and what was it said from?

Grain in: one row of features per account and the model. Grain out: one :class:`Assessment` per row, in order. Pure: the
same features and model give the same assessment, whoever asks (batch, endpoint, a later audit).
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.catalogue import FEATURES, feature_list_hash
from features.vocabulary import HORIZONS_DAYS, Band, Phase, Subcategory
from serving.explain import UNTOLD, Besides, Explanation, Grounds, explain
from serving.scored_rows import by_row, scored_rows

if TYPE_CHECKING:
    from training.model import Bundle, Columns

NUMBERS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if not feature.is_text)
WORDS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.is_text)
FEATURE_NAMES: tuple[str, ...] = NUMBERS + WORDS
HEADLINE_HORIZON = 90
_LIST_HASH = feature_list_hash(FEATURE_NAMES).encode()
_RANGE_COLUMNS = ("interval_days", "interval_p0", "interval_p1", "interval_low", "interval_high")


@dataclass(frozen=True, slots=True)
class RiskRange:
    """How sure the risk within ``days`` is, probabilities.

    What is known allows the risk to lie between ``low`` and ``high``, which hold the stated one. ``p0`` and ``p1`` are
    the two calibrated readings behind it, had the account stayed and had it left (Venn-Abers).
    """

    days: int
    p0: float
    p1: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far apart the ends are."""
        return self.high - self.low

    def columns(self) -> dict[str, Any]:
        """The range under the names of the model's score columns."""
        return {f"interval_{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> RiskRange | None:
        """The range that stands in a row with those names; None in what was told before there were any."""
        if row["interval_days"] is None:
            return None
        sides = {name: float(row[f"interval_{name}"]) for name in ("p0", "p1", "low", "high")}
        return cls(days=int(row["interval_days"]), **sides)


@dataclass(frozen=True, slots=True)
class Score:
    """One score. Health: 0 to 100, 100 = healthy; risks: probability to leave within the horizon in days.

    ``range`` is None in scores that were told before there were ranges.
    """

    risk: Mapping[int, float]
    range: RiskRange | None
    health: float
    band: Band
    grade: str
    phase: Phase
    base_points: float
    points: Mapping[Subcategory, float]
    clip_adjust: float
    shrink_adjust: float
    model_version: str

    def columns(self) -> dict[str, Any]:
        """The score under the names of the model's score columns, in their order (account and as_of apart)."""
        return {
            **{f"risk_{days}": risk for days, risk in self.risk.items()},
            **(self.range.columns() if self.range else dict.fromkeys(_RANGE_COLUMNS)),
            "health": self.health,
            "band": str(self.band),
            "grade": self.grade,
            "phase": str(self.phase),
            "base_points": self.base_points,
            **{f"points_{part}": points for part, points in self.points.items()},
            "clip_adjust": self.clip_adjust,
            "shrink_adjust": self.shrink_adjust,
            "model_version": self.model_version,
        }

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Score:
        """The score that stands in a row with those names."""
        return cls(
            risk={days: float(row[f"risk_{days}"]) for days in HORIZONS_DAYS},
            range=RiskRange.of(row),
            health=float(row["health"]),
            band=Band(row["band"]),
            grade=str(row["grade"]),
            phase=Phase(row["phase"]),
            base_points=float(row["base_points"]),
            points={part: float(row[f"points_{part}"]) for part in Subcategory},
            clip_adjust=float(row["clip_adjust"]),
            shrink_adjust=float(row["shrink_adjust"]),
            model_version=str(row["model_version"]),
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page shows beside a score, as known at ``as_of``; ``annual_value`` is in major units of ``currency``."""

    account_name: str | None
    segment: str | None
    csm_owner_id: str | None
    annual_value: float | None
    currency: str | None
    cohort_status: str | None
    decision_on: date | None
    campaigns_live: str | None


@dataclass(frozen=True, slots=True)
class KnownFeatures:
    """Every catalogue feature of one row, packed so that the score can be derived from it again, bit for bit."""

    packed: bytes
    digest: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> KnownFeatures:
        """Pack a row: numbers as little-endian doubles in catalogue order (NaN = null), then the words as JSON."""
        numbers = np.array([row[name] for name in NUMBERS], dtype="<f8")
        numbers[np.isnan(numbers)] = np.nan  # one bit pattern for null, whatever store it came from
        words = json.dumps([_word(row[name]) for name in WORDS], ensure_ascii=False)
        plain = numbers.tobytes() + words.encode()
        digest = hashlib.sha256(_LIST_HASH + plain).hexdigest()
        return cls(packed=zlib.compress(plain), digest=digest)

    def frame(self, account_id: str, as_of: datetime, names: Sequence[Sequence[str]]) -> pd.DataFrame:
        """One row as the model takes it. ``names`` are the (numbers, words) that were packed."""
        plain = zlib.decompress(self.packed)
        wide = 8 * len(names[0])
        numbers = np.frombuffer(plain[:wide], dtype="<f8")
        words = json.loads(plain[wide:].decode())
        row = {"account_id": account_id, "as_of": pd.Timestamp(as_of)}
        return pd.DataFrame([row | dict(zip(names[0], numbers, strict=True)) | dict(zip(names[1], words, strict=True))])


def known_rows(rows: Sequence[tuple[str, datetime, KnownFeatures]]) -> pd.DataFrame:
    """Rows as the model takes them, from values that were packed by this process (account_id, as_of, features)."""
    plain = [zlib.decompress(known.packed) for _, _, known in rows]
    wide = 8 * len(NUMBERS)
    numbers = np.array([np.frombuffer(one[:wide], dtype="<f8") for one in plain]).reshape(len(rows), len(NUMBERS))
    words = np.array([json.loads(one[wide:].decode()) for one in plain], dtype=object).reshape(len(rows), len(WORDS))
    keys = {"account_id": [one[0] for one in rows], "as_of": pd.DatetimeIndex([one[1] for one in rows])}
    return pd.concat(
        [pd.DataFrame(keys), pd.DataFrame(numbers, columns=list(NUMBERS)), pd.DataFrame(words, columns=list(WORDS))],
        axis=1,
    )


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything said about one account at one ``as_of`` (UTC).

    ``explanation`` is :data:`serving.explain.UNTOLD` where nobody asked for reasons; ``bundle_hash`` names the very
    files of the model (empty for a model that was never stored).
    """

    account_id: str
    as_of: datetime
    score: Score
    explanation: Explanation
    facts: Facts
    known: KnownFeatures
    bundle_hash: str = ""

    @property
    def value_at_risk(self) -> float:
        """Risk at 90 days times the annual value, in the account's currency; 0 where no value is known."""
        return self.score.risk[HEADLINE_HORIZON] * (self.facts.annual_value or 0.0)


def assess(features: pd.DataFrame | Columns, bundle: Bundle, *, reasons: bool = True) -> list[Assessment]:
    """One assessment per row of ``features`` (account_id, as_of, every catalogue feature), in order.

    A table and the same as columns, which is many times cheaper for one account, give the same. Without ``reasons`` no
    feature's own points are found, which costs more than all the rest.

    Raises:
        IntegrityError: the model gave a score that is not a number, or not one row per account.
    """
    if not len(features):
        return []
    rows, scores = scored_rows(features, bundle)
    scored = [Score.of(row) for row in by_row(scores, len(rows))]
    told = _explanations(features, scores, rows, scored, bundle) if reasons else [UNTOLD] * len(rows)
    return [
        Assessment(
            account_id=str(row["account_id"]),
            as_of=pd.Timestamp(row["as_of"]).to_pydatetime().astimezone(UTC),
            score=score,
            explanation=explanation,
            facts=_facts(row),
            known=KnownFeatures.of(row),
            bundle_hash=bundle.content_hash,
        )
        for row, score, explanation in zip(rows, scored, told, strict=True)
    ]


def _explanations(
    features: pd.DataFrame | Columns,
    scores: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    scored: Sequence[Score],
    bundle: Bundle,
) -> list[Explanation]:
    why, names = bundle.why(features, scores), bundle.features
    sides = zip(by_row(why.offset_points, len(rows)), why.grade_reasons, why.own_weights.tolist(), strict=True)
    besides = [Besides(offsets, Grounds(words, weight)) for offsets, words, weight in sides]
    points, expected = why.feature_points.tolist(), why.expected.tolist()
    return [
        explain(
            row, dict(zip(names, own, strict=True)), dict(zip(names, usual, strict=True)), score.points, besides=beside
        )
        for row, own, usual, score, beside in zip(rows, points, expected, scored, besides, strict=True)
    ]


def _facts(row: Mapping[str, Any]) -> Facts:
    decision_on = _word(row["decision_on"])
    value = float(row["annual_value"])
    return Facts(
        account_name=_word(row["account_name"]),
        segment=_word(row["segment"]),
        csm_owner_id=_word(row["csm_owner_id"]),
        annual_value=None if math.isnan(value) else value,
        currency=_word(row["currency"]),
        cohort_status=_word(row["cohort_status"]),
        decision_on=date.fromisoformat(decision_on) if decision_on else None,
        campaigns_live=_word(row["campaigns_live"]),
    )


def _word(value: Any) -> str | None:
    return None if value is None or value != value else str(value)  # noqa: PLR0124  NaN is the only value unlike itself
