"""What do interventions cost, and how much of it is spent too late?

A cost table is a small YAML file::

    currency: EUR
    proactive: 400     # one intervention begun in time
    reactive: 2500     # one begun after notice, or with the decision at most 30 days ahead
    late_days: 30

Input: the rows of a replay, the alerts of a policy. Output: reactive and other interventions, counted and priced. It
counts work, not effect: nobody is assumed to stay because of an alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import ConfigError
from training.detection import LEAD_IN_DAYS, Leavers
from training.estimates import Drawn, Question
from training.evaluation_parts import Document, Estimate
from training.judged import Judged, Mask
from training.metrics import Floats, divided


class CostTable(BaseModel):
    """Prices of interventions, told by whoever pays them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    currency: str = Field(min_length=1, description="currency of both prices")
    proactive: float = Field(ge=0, description="one intervention begun in time")
    reactive: float = Field(gt=0, description="one begun after notice, or shortly before the decision")
    late_days: float = Field(
        default=30, ge=0, description="days before a decision from which on an intervention is late"
    )

    @classmethod
    def read(cls, file: Path) -> CostTable:
        """The table of a YAML file.

        Raises:
            ConfigError: no such file, no YAML, an unknown key, or a price that cannot be.
        """
        try:
            return cls.model_validate(yaml.safe_load(file.read_text()))
        except OSError as cause:
            raise _refused(file, "no readable file") from cause
        except yaml.YAMLError as cause:
            raise _refused(file, "text that is no YAML") from cause
        except ValidationError as cause:
            places = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'table'}: {e['msg']}" for e in cause.errors())
            raise _refused(file, places) from cause


class Spending(Document):
    """Interventions of one policy from the 14th week on, and what they cost."""

    reactive: int = Field(description="begun after notice without an alert in time, or alerted too late")
    proactive: int
    reactive_cost: Estimate = Field(description="in the table's currency")
    total_cost: Estimate
    reactive_change: Estimate | None = Field(
        description="reactive cost relative to the reference policy's, less 1: -0.2 is a fifth less; null for itself"
    )


@dataclass(frozen=True, slots=True)
class Interventions:
    """Per judged row: a reactive, or a proactive, intervention begins here."""

    reactive: Floats
    proactive: Floats


def interventions(judged: Judged, leavers: Leavers, begun: Mask, late_days: float) -> Interventions:
    """Every alert is one; a leaver who was not alerted in time takes one more when the notice comes.

    Counted from :data:`LEAD_IN_DAYS` after the first snapshot, so that alerts of the first weeks, which nobody could
    have raised earlier, weigh on no policy.
    """
    since = ((judged.rows["as_of"] - judged.rows["as_of"].min()).dt.total_seconds() / 86_400).to_numpy(np.float64)
    ahead = judged.column("days_to_leaving")
    due = np.fmin(ahead, np.where(judged.evergreen, np.nan, judged.column("days_to_decision")))
    counted = begun & (since >= LEAD_IN_DAYS)
    late = counted & (due <= late_days)
    reactive = late.astype(np.float64)
    warned = np.zeros(len(leavers.rows), dtype=bool)
    warned[leavers.place[begun & (leavers.place >= 0) & (ahead > late_days)]] = True
    alerted_late = np.zeros(len(leavers.rows), dtype=bool)
    alerted_late[leavers.place[late & (leavers.place >= 0)]] = True
    reactive[leavers.rows[~warned & ~alerted_late]] += 1.0
    return Interventions(reactive, (counted & ~late).astype(np.float64))


def spendings(
    judged: Judged, policies: dict[str, Interventions], table: CostTable, reference: str
) -> dict[str, Spending]:
    """The cost of each policy, reactive cost relative to the reference's, paired on the same redraws."""
    everyone = Question(judged, np.ones(len(judged.rows), dtype=bool), np.zeros(len(judged.rows)))
    own = policies[reference].reactive

    def change(found: Interventions) -> Drawn:
        terms = np.column_stack([found.reactive, own])
        return everyone.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1]) - 1)

    return {
        name: Spending(
            reactive=int(found.reactive.sum()),
            proactive=int(found.proactive.sum()),
            reactive_cost=everyone.estimate(_total(everyone, found.reactive * table.reactive)),
            total_cost=everyone.estimate(
                _total(everyone, found.reactive * table.reactive + found.proactive * table.proactive)
            ),
            reactive_change=None if name == reference else everyone.estimate(change(found)),
        )
        for name, found in policies.items()
    }


def _total(everyone: Question, cost: Floats) -> Drawn:
    return everyone.summed(cost[:, np.newaxis], lambda sums: sums[:, 0])


def _refused(file: Path, found: str) -> ConfigError:
    return ConfigError(
        f"the cost table {file.name} cannot be read",
        expected="YAML with currency, proactive and reactive (prices of one intervention), and late_days if you like",
        found=found,
        todo="see docs/measuring.md for an example",
    )
