"""What would the model say if some levers were pulled?

Grain in: one assessment, the model that made it, and pulls in the order given. Grain out: one :class:`WhatIf`: the
score as it is, the score of the same row with edited features, and what each lever edited. Phase, calendar and timing
stay as they are. This says how the estimate reads other values, not what pulling a lever brings about. Pure but for
the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from serving.assessment import NUMBERS, WORDS, Assessment, Score
from serving.levers import Lever, edited
from serving.scored_rows import records
from training.model import Bundle

NOT_CAUSAL = (
    "This is how the model reads an account with these values, everything else as it is today, campaign phase and "
    "timing included. It is no forecast of what pulling a lever brings about: accounts that look like this may differ "
    "in ways that nobody measured. To know what a lever does, try it on some accounts and compare them with others."
)


@dataclass(frozen=True, slots=True)
class Pull:
    """One lever, pulled so far; the amount is in the lever's unit."""

    lever: Lever
    amount: float


@dataclass(frozen=True, slots=True)
class Edited:
    """What a pull did to one feature; None = not known, before and after."""

    feature: str
    before: float | None
    after: float | None

    @property
    def changed(self) -> bool:
        """True when the value moved."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull and what it did."""

    pull: Pull
    edits: tuple[Edited, ...]

    @property
    def known(self) -> bool:
        """False when nothing is known of what the lever moves: it cannot be tried."""
        return any(one.before is not None for one in self.edits)

    @property
    def changed(self) -> bool:
        """True when any value moved."""
        return any(one.changed for one in self.edits)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The score as it is and as it would read; both from one model."""

    before: Score
    after: Score
    pulled: tuple[Pulled, ...]


def what_if(told: Assessment, pulls: Sequence[Pull], bundle: Bundle) -> WhatIf:
    """Score the features of an assessment again with levers pulled, in order; ``bundle`` is the model that told it."""
    row = told.known.frame(told.account_id, told.as_of, (NUMBERS, WORDS))
    pulled = []
    for pull in pulls:
        row, done = _pulled(row, pull)
        pulled.append(done)
    (after,) = records(bundle.score(row))
    return WhatIf(before=told.score, after=Score.of(after), pulled=tuple(pulled))


def _pulled(row: pd.DataFrame, pull: Pull) -> tuple[pd.DataFrame, Pulled]:
    edits, changed = [], {}
    for edit in pull.lever.edits:
        value = float(row[edit.feature].iloc[0])
        moved = edited(value, edit, pull.amount)
        changed[edit.feature] = [moved]
        edits.append(Edited(edit.feature, _known(value), _known(moved)))
    return row.assign(**changed), Pulled(pull, tuple(edits))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
