"""A small experiment, made once per test process: the made-up portfolio, arms on it, and the comparison."""

from __future__ import annotations

from functools import cache

import pandas as pd

from features.catalogue import FEATURES, MODEL_FEATURES, feature_named
from features.vocabulary import Subcategory
from training.compare import ground_of, judged
from training.experiment import Comparison, ComparisonPlan
from training.material import Material
from training.periods import Floats
from training.rival_fits import Ground, Stated, stated_by
from training.rivals import rivals_named

from .bundle_case import SMALL, trained
from .lifecycle_case import material_of

QUICK = SMALL.model_copy(update={"trials": 1, "max_rounds": 40, "folds": 2})
PLAN = ComparisonPlan(replicates=201, repeats=3)
ARMS = ("full", "full", "phase_blind", "timing", "trigger")


def blind_of(material: Material) -> pd.DataFrame:
    """What a build without a calendar gives here, where phases change nothing: all but the campaign features."""
    numbers = [feature.name for feature in FEATURES if not feature.is_text]
    campaign = [name for name in MODEL_FEATURES if feature_named(name).subcategory is Subcategory.CAMPAIGN]
    return material.snapshots[numbers].astype("float64").assign(**dict.fromkeys(campaign, float("nan")))


@cache
def ground() -> Ground:
    """Rows, folds and judged rows of the small portfolio."""
    made = material_of(trained())
    ends = made.snapshots["days_to_decision"] + 56.0
    material = Material(made.cohort, made.snapshots.assign(days_to_end=ends), made.decided, (), made.data_cut)
    return ground_of(material, blind_of(material), QUICK, PLAN)


@cache
def stated() -> tuple[Stated, ...]:
    """What every arm states."""
    return tuple(stated_by(rival, ground()) for rival in rivals_named(ARMS))


def risks_of(name: str) -> Floats:
    """The risks of one arm: (repeats, judged rows)."""
    return next(one.risks for one in stated() if one.rival.name == name)


def truth() -> pd.DataFrame:
    """The true chance of each row that its account leaves within 90 days, from the hidden state: a grade, not exact."""
    rows = ground().material.snapshots[["account_id", "as_of", "days_to_decision"]]
    known = rows.merge(trained().world.truth, on=["account_id", "as_of"], how="left", validate="one_to_one")
    due = known["days_to_decision"].le(90).to_numpy()
    return known[["account_id", "as_of"]].assign(p_90=known["leaves_now"].where(due, 0.1 * known["leaves_now"]))


@cache
def comparison() -> Comparison:
    """The comparison of all of them, graded by outcomes and by truth."""
    return judged(stated(), ground(), PLAN, truth=truth())
