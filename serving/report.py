"""How are scores told on the command line and in files?

Grain in: assessments. Out: lines for people, a JSON document for programs, one Parquet row per account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.vocabulary import Band
from serving.assessment import Assessment, Score
from serving.explain import HEALTH_SCALE, Explanation, Reason
from serving.wording import signed_points, written_range, written_share
from training.model import SCORE_COLUMNS

_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class CohortReport:
    """What one batch told: one assessment per account, and how many entries are new in the ledger.

    Not told of: ``onboarding`` accounts are too new, of ``silent`` ones no source told anything lately.
    """

    as_of: datetime
    model_version: str
    data_watermark: datetime | None
    assessments: tuple[Assessment, ...]
    onboarding: int
    silent: int
    added: int

    @property
    def scores(self) -> pd.DataFrame:
        """One row per account with the columns of the model's scores, ordered by account id."""
        rows = [{"account_id": one.account_id, "as_of": one.as_of, **one.score.columns()} for one in self.assessments]
        return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))

    def write(self, path: Path) -> None:
        """Write the scores as Parquet (moments in microseconds UTC); a reader never sees half a file."""
        table = pa.Table.from_pandas(self.scores, preserve_index=False)
        place = table.column_names.index("as_of")
        table = table.set_column(place, "as_of", table.column("as_of").cast(_MOMENT))
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.tmp")
        pq.write_table(table, aside, compression="zstd")
        aside.rename(path)

    def lines(self) -> list[str]:
        """The batch in a few lines."""
        bands = Counter(one.score.band for one in self.assessments)
        shares = ", ".join(f"{bands[band]} {band}" for band in Band if bands[band])
        when = f"at {self.as_of.date()} by model version {self.model_version}"
        left_out = f"{self.onboarding} accounts are too new to be scored, of {self.silent} no source tells anything"
        return [
            f"{len(self.assessments)} accounts scored {when}: {shares or 'none'}",
            f"{left_out}; {self.added} entries added to the ledger",
        ]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "as_of": self.as_of,
            "model_version": self.model_version,
            "data_watermark": self.data_watermark,
            "scored": len(self.assessments),
            "onboarding": self.onboarding,
            "silent": self.silent,
            "added": self.added,
            "bands": dict(Counter(str(one.score.band) for one in self.assessments)),
        }


@dataclass(frozen=True, slots=True)
class AccountReport:
    """Why one account scores as it does."""

    assessment: Assessment
    data_watermark: datetime | None

    def lines(self) -> list[str]:
        """The explanation for a person."""
        score, facts = self.assessment.score, self.assessment.facts
        risks = ", ".join(f"{days} days {written_share(risk)}" for days, risk in score.risk.items())
        name = facts.account_name or self.assessment.account_id
        return [
            f"{name} at {self.assessment.as_of.date()}: health {score.health:.0f} ({score.band}, grade {score.grade})",
            f"health is {HEALTH_SCALE}",
            f"risk of leaving within {risks}",
            *_sureness(score, self.assessment.explanation),
            f"phase: {score.phase}; campaigns: {facts.campaigns_live or 'none live'}; model {score.model_version}",
            *self._sum(score),
            *_listed("lowers the estimate most:", self.assessment.explanation.lowers),
            *_listed("raises the estimate most:", self.assessment.explanation.raises),
        ]

    def document(self) -> dict[str, Any]:
        """The same for programs, every number exact."""
        return {
            "account_id": self.assessment.account_id,
            "as_of": self.assessment.as_of,
            "data_watermark": self.data_watermark,
            "score": asdict(self.assessment.score),
            "facts": asdict(self.assessment.facts),
            "explanation": asdict(self.assessment.explanation),
        }

    def _sum(self, score: Score) -> Iterator[str]:
        yield f"  {'an average account':<22}{score.base_points:>8.1f}"
        for part in self.assessment.explanation.subcategories:
            gaps = f"; not known: {', '.join(part.gaps)}" if part.gaps else ""
            yield f"  {part.title:<22}{signed_points(part.points):>8}  {part.words}{gaps}"
        for title, amount in (("cut to 0..100", score.clip_adjust), ("limited data", score.shrink_adjust)):
            if amount:
                yield f"  {title:<22}{signed_points(amount):>8}"
        yield f"  {'health':<22}{score.health:>8.1f}"


def _sureness(score: Score, explanation: Explanation) -> Iterator[str]:
    if score.range is not None:
        yield f"the risk within {score.range.days} days lies {written_range(score.range.low, score.range.high)}"
    if explanation.grounds is not None:
        yield f"grade {score.grade}: {'; '.join(explanation.grounds.grade_reasons)}"


def _listed(title: str, reasons: tuple[Reason, ...]) -> list[str]:
    return (
        [title, *(f"  {signed_points(reason.points):>6}  {reason.sentence}" for reason in reasons)] if reasons else []
    )
