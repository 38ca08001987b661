"""Which settings does a training run with?

A recipe is a YAML file of :class:`TrainingConfig` settings: one of the packaged ones by name, or a user's own by path.
What it leaves out keeps its default.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import ConfigError
from training.config import TrainingConfig


def recipe_named(recipe: str | None, **chosen: Any) -> TrainingConfig:
    """The config of a recipe (the defaults for None), with settings given on the command line laid over it.

    A setting that is None was not given.

    Raises:
        ConfigError: no such recipe, not YAML, an unknown setting, or a value that is not allowed.
    """
    document = {} if recipe is None else _document(recipe)
    given = {name: value for name, value in chosen.items() if value is not None}
    config = TrainingConfig.read({**document, **given})
    _require_inputs("vetoed_features", config.vetoed_features, recipe, MODEL_FEATURES)
    told = tuple(name for name in MODEL_FEATURES if feature_named(name).direction)
    _require_inputs("auxiliary_targets", config.auxiliary_targets, recipe, told)
    return config


def _require_inputs(setting: str, names: Sequence[str], recipe: str | None, allowed: Sequence[str]) -> None:
    if unknown := sorted(set(names) - set(allowed)):
        raise ConfigError(
            f"the recipe {recipe} names what cannot stand in {setting}",
            expected="features that a model reads (and, for an auxiliary target, that are expected to go with more or "
            "with less churn); docs/features.md lists them",
            found=", ".join(unknown),
            todo=f"correct {setting}",
        )


def _document(recipe: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(_text(recipe))
    except yaml.YAMLError as cause:
        raise _refused(recipe, "text that is no YAML") from cause
    if not isinstance(document, dict):
        raise _refused(recipe, "no settings")
    return document


def _text(recipe: str) -> str:
    packaged = resources.files("training").joinpath("recipes", f"{recipe}.yaml")
    if packaged.is_file():
        return packaged.read_text()
    if Path(recipe).is_file():
        return Path(recipe).read_text()
    raise _refused(recipe, "no such file and no recipe of that name")


def _refused(recipe: str, found: str) -> ConfigError:
    known = sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("training").joinpath("recipes").iterdir()
        if entry.name.endswith(".yaml")
    )
    return ConfigError(
        f"the recipe {recipe} cannot be read",
        expected=f"a YAML file of training settings, or one of: {', '.join(known)}",
        found=found,
        todo="see training/config.py for the settings there are",
    )
