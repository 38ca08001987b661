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
