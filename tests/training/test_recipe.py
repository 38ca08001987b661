"""Settings of a training: packaged recipes, own files, and what the command line lays over them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import ConfigError
from training.config import TrainingConfig
from training.recipe import recipe_named


def test_no_recipe_is_the_defaults() -> None:
    assert recipe_named(None) == TrainingConfig()


def test_a_packaged_recipe_is_found_by_its_name() -> None:
    config = recipe_named("short_terms")
    assert (config.headline_days, config.grace, config.label_lag) == (30, timedelta(days=7), timedelta(days=1))
    assert config.max_rounds == TrainingConfig().max_rounds


def test_what_the_command_line_says_wins_and_what_it_leaves_out_does_not(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("trials: 3\nseed: 5\n")
    config = recipe_named(str(tmp_path / "mine.yaml"), trials=9, seed=None)
    assert (config.trials, config.seed) == (9, 5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("trails: 3", "trails"),
        ("trials: 0", "trials"),
        ("headline_days: 45", "headline_days"),
        ("- 3", "no settings"),
        ("a: [", "no YAML"),
    ],
)
def test_a_recipe_that_is_not_allowed_is_refused_by_what_is_wrong(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=names):
        recipe_named(str(path))


def test_an_unknown_recipe_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="short_terms"):
        recipe_named("no-such-recipe")


def test_a_veto_of_what_no_model_reads_is_refused_by_name(tmp_path: Path) -> None:
    recipe = tmp_path / "leads.yaml"
    recipe.write_text("vetoed_features: [usage_par_w4]\n")
    assert recipe_named(str(recipe)).vetoed_features == ("usage_par_w4",)
    recipe.write_text("vetoed_features: [usage_par_w4, horoscope]\n")
    with pytest.raises(ConfigError) as refusal:
        recipe_named(str(recipe))
    assert refusal.value.found == "horoscope"


def test_an_auxiliary_target_needs_a_direction_in_the_catalogue(tmp_path: Path) -> None:
    undirected = next(name for name in MODEL_FEATURES if feature_named(name).direction == 0)
    recipe = tmp_path / "own.yaml"
    recipe.write_text("auxiliary_targets: [nps_last]\n")
    assert recipe_named(str(recipe)).auxiliary_targets == ("nps_last",)
    recipe.write_text(f"auxiliary_targets: [nps_last, horoscope, {undirected}]\n")
    with pytest.raises(ConfigError) as refusal:
        recipe_named(str(recipe))
    assert refusal.value.found == ", ".join(sorted([undirected, "horoscope"]))
    assert refusal.value.todo == "correct auxiliary_targets"


def test_a_bundle_of_an_earlier_release_starts_from_nothing_as_it_did() -> None:
    kept = TrainingConfig().model_dump(mode="json")
    del kept["auxiliary_targets"], kept["auxiliary_ahead"]
    assert TrainingConfig.read_kept(kept).auxiliary_targets == ()
    assert TrainingConfig.read({}).auxiliary_targets != ()
