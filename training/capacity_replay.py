"""What would the people who work the list have been told in the final block, had the model been live?

Input grain: one row per account and snapshot (:mod:`training.weeks`), usually weekly. Output: :class:`CapacityReplay`:
this model by its 26-week risk and by its health, and the calendar alone, each with the same new alerts per four weeks.
"""

from __future__ import annotations

import pandas as pd

from training.alert_parts import CapacityReplay, Steadiness
from training.detection import RIGHT_WITHIN_DAYS, Leavers, measured
from training.episodes import Walk, begun_by_rank
from training.evaluation import CHAMPION, HEALTH, EvaluationPlan
from training.judged import HEALTHIEST, Judged
from training.metrics import Floats
from training.steadiness import steadiness
from training.weeks import TIMING_ARM

TIMING_ONLY = "timing_only"


def lived_again(watched: pd.DataFrame, plan: EvaluationPlan) -> tuple[CapacityReplay, Steadiness]:
    """The alerts at capacity and the calm of the score over the same snapshots.

    Raises:
        DataContractError: the rows cannot be judged.
    """
    judged = Judged.of(watched, plan)
    walk, leavers = Walk.of(judged.rows), Leavers.of(judged)
    room = walk.paced(plan.capacity)
    found = {
        name: measured(judged, leavers, begun_by_rank(walk, score, room)) for name, score in rankings(judged).items()
    }
    replay = CapacityReplay(
        capacity=plan.capacity,
        snapshots=len(walk.snapshots),
        leavers=len(leavers.rows),
        policies={name: one.record() for name, one in found.items()},
        leads={name: found[CHAMPION].lead_over(one) for name, one in found.items() if name != CHAMPION},
    )
    return replay, steadiness(judged)


def rankings(judged: Judged) -> dict[str, Floats]:
    """Scores by policy, highest first to be alerted; 26 weeks ahead, as alerts are judged."""
    return {
        CHAMPION: judged.column(f"risk_{RIGHT_WITHIN_DAYS}"),
        TIMING_ONLY: judged.column(TIMING_ARM),
        HEALTH: HEALTHIEST - judged.column("health"),
    }
