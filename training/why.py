"""What explains scores, beside the scores themselves?

Grain: n scored rows, in order. Made by :meth:`training.bundle.Bundle.why`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.periods import Floats


@dataclass(frozen=True, slots=True)
class Why:
    """What explains n scores.

    Points of each feature and what is usual for it (n, features), points of each offset (n) by its owner
    (:data:`training.bundle.OFFSET_OWNERS`), what each grade rests on, and how much of each estimate is the account's
    own (n, 0-1).
    """

    feature_points: Floats
    expected: Floats
    offset_points: Mapping[str, Floats]
    grade_reasons: list[tuple[str, ...]]
    own_weights: Floats
