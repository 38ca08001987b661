"""Why did the health of an account move between two kept scores?

Grain in: two entries of the ledger, the features they were scored from, and their models as far as they can still be
asked. Grain out: one :class:`Change`, whose parts add up to the difference of health. Pure but for the model.

One model: the points of each feature at both scores; their difference is the feature's part, exactly, since points add
up to health. Two models: each is asked about both scores; what differs between the models on the same features is the
model's part, what differs between the features under the same model is the data's. Both orders (new model on old
features, old model on new features) are averaged, so that neither is preferred. Where only one of the two models can
be asked, its order alone is used; where none can, the kept points per subcategory are all there is, and the answer
says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from features.errors import DataContractError, IntegrityError
from features.vocabulary import Subcategory
from serving.entries import Entry
from serving.kept_models import KeptModel
from serving.scored_rows import records
from training.model import OFFSET_OWNERS, Bundle

CALENDAR_FEATURES = frozenset(
    {
        *("campaigns_live_pre", "campaigns_live_active", "campaigns_live_post"),
        *("weeks_since_wrap", "weeks_to_next_start", "phase"),
    }
)
"""Features that move as the campaign calendar goes by, whatever the account does. Reviewed by hand; a null among them
(no campaign ended, none known ahead) is calendar knowledge, too, not missing data."""

_SAME_SCORE = 1e-6
"""Points within which a model gives a kept score again; beyond, it is not the model of then."""


class Cause(StrEnum):
    """What a part of the change stands for."""

    DATA = "data"
    CALENDAR = "calendar"
    MISSING_DATA = "missing_data"
    MODEL = "model"
    DATA_OR_MODEL = "data_or_model"
    THIN_DATA = "thin_data"
    LIMITS = "limits"
    ROUNDING = "rounding"


class Basis(StrEnum):
    """From what the parts were found."""

    ONE_MODEL = "one_model"
    BOTH_MODELS = "both_models"
    NEW_MODEL = "new_model"
    OLD_MODEL = "old_model"
    KEPT_POINTS = "kept_points"


@dataclass(frozen=True, slots=True)
class Moved:
    """One feature: its values at both scores (None = not known) and the points its contribution moved by.

    Words are values of features that choose an offset of the calibration.
    """

    feature: str
    subcategory: Subcategory
    before: float | str | None
    after: float | str | None
    points: float

    @property
    def cause(self) -> Cause:
        """What a move of this feature stands for."""
        if self.feature in CALENDAR_FEATURES:
            return Cause.CALENDAR
        return Cause.DATA if (self.before is None) == (self.after is None) else Cause.MISSING_DATA


@dataclass(frozen=True, slots=True)
class ChangePart:
    """One part of the difference, in points of health; ``subcategory`` is None where the cause has none."""

    cause: Cause
    points: float
    subcategory: Subcategory | None = None
    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """The difference of two kept scores and its parts, which add up to it. ``troubles``: why a model was not asked."""

    before: Entry
    after: Entry
    by: float
    basis: Basis
    parts: tuple[ChangePart, ...]
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept score: the entry, the features it was scored from (one row), and its model."""

    entry: Entry
    features: pd.DataFrame
    model: KeptModel


@dataclass(frozen=True, slots=True)
class _Told:
    # What one model says about one row: health = base + sum of points + shrink + clip.
    health: float
    points: Mapping[str, float]
    owners: Mapping[str, Subcategory]
    shrink: float
    clip: float


@dataclass(frozen=True, slots=True)
class _Views:
    # One model's word on the features of then and of now.
    then: _Told
    now: _Told


def change(before: Kept, after: Kept) -> Change:
    """Tell the difference between two kept scores of one account, the earlier first."""
    by = after.entry.score.health - before.entry.score.health
    old, old_trouble = _views(before, before, after)
    new, new_trouble = (old, "") if _same_model(before, after) else _views(after, before, after)
    troubles = tuple(dict.fromkeys(trouble for trouble in (old_trouble, new_trouble) if trouble))
    basis = _basis(old, new, same=_same_model(before, after))
    if basis is Basis.KEPT_POINTS:
        parts = _kept_parts(before.entry, after.entry)
    else:
        parts = _parts([views for views in _distinct(old, new) if views is not None], before, after)
    rounding = by - sum(part.points for part in parts)
    return Change(
        before.entry, after.entry, by, basis, (*parts, ChangePart(Cause.ROUNDING, rounding)), troubles=troubles
    )


def _same_model(before: Kept, after: Kept) -> bool:
    return before.entry.score.model_version == after.entry.score.model_version


def _basis(old: _Views | None, new: _Views | None, *, same: bool) -> Basis:
    if old is None and new is None:
        return Basis.KEPT_POINTS
    if same:
        return Basis.ONE_MODEL
    if old is not None and new is not None:
        return Basis.BOTH_MODELS
    return Basis.NEW_MODEL if old is None else Basis.OLD_MODEL


def _distinct(old: _Views | None, new: _Views | None) -> Sequence[_Views | None]:
    return (old,) if old is new else (old, new)


def _views(scored_by: Kept, before: Kept, after: Kept) -> tuple[_Views | None, str]:
    """What the model of one of the scores says about both; None and why where it cannot be asked."""
    bundle, version = scored_by.model.bundle, scored_by.model.version
    if bundle is None:
        return None, scored_by.model.trouble
    try:
        views = _Views(_told(bundle, before.features), _told(bundle, after.features))
    except (IntegrityError, DataContractError):
        return None, f"model version {version} reads features that one of the scores was not kept with"
    for kept, told in ((before, views.then), (after, views.now)):
        score = kept.entry.score
        if score.model_version == version and abs(told.health - score.health) > _SAME_SCORE:
            return None, f"model version {version} no longer gives the score it gave then"
    return views, ""


def _told(bundle: Bundle, features: pd.DataFrame) -> _Told:
    (scored,), (points,) = records(bundle.score(features)), records(bundle.feature_points(features))
    (offsets,) = records(bundle.offset_points(features))
    owners = {name: Subcategory(part) for name, part in zip(bundle.features, bundle.subcategories, strict=True)}
    return _Told(
        health=float(scored["health"]),
        points={name: float(amount) for name, amount in (points | offsets).items()},
        owners=owners | OFFSET_OWNERS,
        shrink=float(scored["shrink_adjust"]),
        clip=float(scored["clip_adjust"]),
    )


def _parts(views: Sequence[_Views], before: Kept, after: Kept) -> tuple[ChangePart, ...]:
    moved = list(_moved(views, records(before.features)[0], records(after.features)[0]))
    thin = _mean([view.now.shrink - view.then.shrink for view in views])
    limits = _mean([view.now.clip - view.then.clip for view in views])
    by_data = _mean([view.now.health - view.then.health for view in views])
    whole = after.entry.score.health - before.entry.score.health
    return (
        *(_data_part(part, moved) for part in Subcategory),
        _cause_part(Cause.CALENDAR, moved),
        _cause_part(Cause.MISSING_DATA, moved),
        # Kept healths, not scored anew: what the models differ by is what the data do not explain.
        ChangePart(Cause.MODEL, 0.0 if _same_model(before, after) else whole - by_data),
        ChangePart(Cause.THIN_DATA, thin),
        ChangePart(Cause.LIMITS, limits),
    )


def _moved(views: Sequence[_Views], then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Moved]:
    # A feature that only one of two models reads has no points in the other.
    for name, part in {name: part for view in views for name, part in view.now.owners.items()}.items():
        points = _mean([view.now.points.get(name, 0.0) - view.then.points.get(name, 0.0) for view in views])
        yield Moved(name, part, _known(then.get(name)), _known(now.get(name)), points)


def _data_part(subcategory: Subcategory, moved: Sequence[Moved]) -> ChangePart:
    own = [one for one in moved if one.cause is Cause.DATA and one.subcategory is subcategory]
    return ChangePart(Cause.DATA, sum(one.points for one in own), subcategory, _strongest(own))


def _cause_part(cause: Cause, moved: Sequence[Moved]) -> ChangePart:
    own = [one for one in moved if one.cause is cause]
    return ChangePart(cause, sum(one.points for one in own), None, _strongest(own))


def _strongest(moved: Sequence[Moved]) -> tuple[Moved, ...]:
    # Equal points are ordered by name, so the same scores always give the same words.
    return tuple(sorted(moved, key=lambda one: (-abs(one.points), one.feature)))


def _kept_parts(before: Entry, after: Entry) -> tuple[ChangePart, ...]:
    then, now = before.score, after.score
    cause = Cause.DATA if then.model_version == now.model_version else Cause.DATA_OR_MODEL
    return (
        *(ChangePart(cause, now.points[part] - then.points[part], part) for part in Subcategory),
        ChangePart(Cause.MODEL, now.base_points - then.base_points),
        ChangePart(Cause.THIN_DATA, now.shrink_adjust - then.shrink_adjust),
        ChangePart(Cause.LIMITS, now.clip_adjust - then.clip_adjust),
    )


def _known(value: Any) -> float | str | None:
    if isinstance(value, str):
        return value
    return None if value is None or value != value else float(value)  # noqa: PLR0124  NaN is the only value unlike itself


def _mean(amounts: Sequence[float]) -> float:
    return sum(amounts) / len(amounts)
