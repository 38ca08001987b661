"""What does an ablation say, as one JSON document?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.evaluation_parts import ArmEvaluation, DeltaEvaluation, Document, Estimate


class ArmWithout(Document):
    """One refit that saw less; ``lead`` is the whole model minus this one, paired: above 0, what was hidden helps."""

    features: int = Field(description="features left, beside timing")
    ranking: ArmEvaluation
    lead: DeltaEvaluation
    words: str = Field(description="ahead: the hidden part helps; behind: it harms; no difference shown; underpowered")


class SeasonLeftOut(Document):
    """A campaign year that the refit saw nothing of, and how it ranks in that year.

    Later years are learnt from, too: it asks whether the patterns hold in a season never seen, and is no forecast.
    """

    rows: int
    auc_window: Estimate
    auc_pooled: Estimate
    ap_window: Estimate
    words: tuple[str, ...] = Field(description="as in an evaluation: skill, no skill, underpowered ...")


class Ablation(Document):
    """What a model owes to each part of its inputs and to each campaign year, with its found settings.

    Everything is ranked by the raw hazard, before calibration, the whole model included.
    """

    schema_version: Literal[1] = 1
    version: str
    headline_days: int
    rows: int
    outcomes: int
    fits: int = Field(description="how many models were fitted for this")
    whole: ArmEvaluation
    without: dict[str, ArmWithout] = Field(description="per subcategory, all else kept")
    alone: dict[str, ArmWithout] = Field(description="per subcategory, nothing else but timing kept")
    seasons: dict[str, SeasonLeftOut] = Field(description="per campaign year, from July to June")
    too_thin: dict[str, int] = Field(
        default_factory=dict, description="years without which too few are left to learn from: accounts that left"
    )
