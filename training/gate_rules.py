"""Where does each gate stand, why there, and what must have been tried on the bundle itself?"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from training.evaluation_parts import Document


class GateRules(Document):
    """Where each gate stands, and why there."""

    outcomes: int = Field(
        default=30, ge=1, description="below 30 leavers an AUC interval is about 0.2 wide and says little"
    )
    outcomes_in_window: int = Field(
        default=15,
        ge=1,
        description="half of that where decisions fall: the least at which a bootstrap of leavers has variety",
    )
    chance: float = Field(default=0.5, description="AUC of a coin")
    ratio_low: float = Field(
        default=0.8, description="finance plans with the sum of risks; one fifth off is the agreed limit"
    )
    ratio_high: float = Field(default=1.25, description="the same limit upwards: 1 / 0.8")
    ratio_reach: float = Field(
        default=2.0,
        description="an O/E interval that reaches beyond a factor of two has measured nothing, wherever its middle",
    )
    phase_ratio_low: float = Field(
        default=0.67, description="phases hold a fifth of the rows: a third off, or within luck"
    )
    phase_ratio_high: float = Field(default=1.5, description="the same limit upwards: 1 / 0.67")
    expected_leavers: int = Field(default=20, ge=1, description="below 20 the O/E interval is wider than +-45 %")
    range_leavers: int = Field(
        default=10, ge=1, description="expected leavers; ranges are judged on snapshots a horizon apart, so each is one"
    )
    range_reach: float = Field(
        default=10.0, description="stated ranges over a factor of ten say nothing; with 30 leavers before they span six"
    )
    segment_outcomes: int = Field(
        default=10, ge=1, description="leavers; below 10 a paired difference of rankings is luck"
    )
    reasons_kept: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="of three reasons nearly two must stay; chance alone would keep one in thirty",
    )
    reason_pairs: int = Field(default=50, ge=1, description="pairs of snapshots; the interval is then about 0.1 wide")
    model_bytes: int = Field(
        default=20_000_000, ge=1, description="bytes of model text; loaded and hashed by every worker at its start"
    )
    steps: int = Field(
        default=100_000, ge=1, description="steps down a tree per scored account: about a millisecond of one core"
    )
    additivity: float = Field(
        default=1e-6, description="served health must equal its parts to the precision that is shown"
    )


class Checks(BaseModel):
    """What was found by trying the bundle itself; a null means the check was not run, and its gate refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    additivity_max_abs_error: float | None = Field(
        default=None, description="largest error of health = sum of its parts, points"
    )
    golden_rows: int | None = Field(
        default=None, description="stored rows that the bundle scored again in a fresh process"
    )
    golden_rows_ok: bool | None = Field(default=None, description="whether all of them came out as stored")
    columns_asked: int | None = Field(default=None, description="columns that the leak check asked")
    leaks: int | None = Field(default=None, description="columns among them that know outcomes before they happened")
    model_bytes: int | None = Field(default=None, description="size of the model's text, bytes")
    steps_per_score: int | None = Field(default=None, description="most splits that one scored account may pass")
