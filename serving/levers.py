"""Which levers can a customer-success manager pull, and what does each do to the features of an account?

Input: the reviewed file ``levers.yaml``. Grain out: one :class:`Lever` per name. Pure but for reading that file once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.catalogue import Use, feature_named
from features.errors import ConfigError
from features.vocabulary import Subcategory
from serving.change import CALENDAR_FEATURES

FILE = "levers.yaml"


class Way(StrEnum):
    """How an edit makes the new value of the old one; :func:`edited` holds the arithmetic."""

    SHRINK = "shrink"
    AT_MOST = "at_most"
    ADD = "add"
    GROW = "grow"
    GROW_LOG = "grow_log"
    CLEAR_WHEN_WHOLE = "clear_when_whole"


class _Reviewed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Amount(_Reviewed):
    """What the asker chooses: between ``least`` and ``most``, in words of its unit; ``usual`` when he says nothing."""

    unit: str
    least: float
    most: float
    usual: float
    whole: bool = Field(default=False, description="only whole numbers mean something")

    @model_validator(mode="after")
    def _ordered(self) -> Amount:
        if not self.least <= self.usual <= self.most or self.least == self.most:
            raise ValueError("least <= usual <= most, and room between them")
        return self


class Edit(_Reviewed):
    """What a lever does to one feature; a value that is not known stays so."""

    feature: str
    way: Way
    most: float | None = Field(default=None, description="the new value never exceeds this")

    @model_validator(mode="after")
    def _can_be_moved(self) -> Edit:
        try:
            feature = feature_named(self.feature)
        except KeyError:
            raise ValueError(f"{self.feature} is no feature of the catalogue") from None
        fixed = feature.subcategory is Subcategory.CONTEXT or self.feature in CALENDAR_FEATURES
        if feature.use is not Use.MODEL or fixed:
            raise ValueError(f"{self.feature} is timing, calendar or context: no lever moves it")
        return self


class Lever(_Reviewed):
    """One lever: what it is called, who pulls it, how far, what it moves and what it leaves as it is."""

    name: str = Field(pattern=r"^[a-z][a-z_]*$")
    title: str
    done_by: str
    amount: Amount
    edits: tuple[Edit, ...] = Field(min_length=1)
    stays: str


class _File(_Reviewed):
    version: int
    levers: tuple[Lever, ...] = Field(min_length=1)


@cache
def levers() -> Mapping[str, Lever]:
    """The reviewed levers by name, in the order of the file.

    Raises:
        ConfigError: the file says something that is not allowed.
    """
    return read_levers(files("serving").joinpath(FILE).read_text(encoding="utf-8"))


def read_levers(text: str) -> Mapping[str, Lever]:
    """The levers of a file's text; raises as :func:`levers`."""
    try:
        read = _File.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as cause:
        found = cause.errors()[0]["msg"] if isinstance(cause, ValidationError) else "no YAML"
        raise _refused("levers that move features of the model which a person can move", found) from cause
    named = {lever.name: lever for lever in read.levers}
    if len(named) < len(read.levers):
        raise _refused("every name once", "a name twice")
    return named


def edited(value: float, edit: Edit, amount: float) -> float:
    """The value after an edit; NaN (not known) stays NaN."""
    moved = _moved(value, edit.way, amount)
    return moved if edit.most is None or math.isnan(moved) else max(value, min(moved, edit.most))


def _moved(value: float, way: Way, amount: float) -> float:
    match way:
        case Way.SHRINK:
            return value * (1.0 - amount) if value > 0 else value  # of what is not there nothing can be taken
        case Way.AT_MOST:
            return value if math.isnan(value) else min(value, amount)
        case Way.ADD:
            return value + amount
        case Way.GROW:
            return value * (1.0 + amount) if value > 0 else value
        case Way.GROW_LOG:
            return value + math.log1p(amount)
        case Way.CLEAR_WHEN_WHOLE:
            return 0.0 if amount == 1.0 and value > 0 else value


def _refused(expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"the levers in {FILE} cannot be used", expected=expected, found=found, todo=f"mend serving/{FILE}"
    )
