"""Does the training config refuse what it does not know, and say why it holds what it holds?"""

from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError

from features.errors import ConfigError
from training.config import GradeRules, ScoreScale, TrainingConfig


def test_an_unknown_key_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError) as refused:
        TrainingConfig.read({"trails": 80})
    assert "trails" in refused.value.found


def test_an_unknown_key_deep_inside_is_refused_by_its_place() -> None:
    with pytest.raises(ConfigError) as refused:
        TrainingConfig.read({"scale": {"green_above": 70}})
    assert "scale.green_above" in refused.value.found


def test_a_config_comes_back_from_its_json_form_as_it_was() -> None:
    config = TrainingConfig(trials=3, grace=timedelta(days=45), scale=ScoreScale(points_to_double=10))
    assert TrainingConfig.read(config.model_dump(mode="json")) == config


def test_a_bundle_of_an_earlier_release_was_made_by_one_fit() -> None:
    config = TrainingConfig(trials=3, ensemble_size=1)
    kept = config.model_dump(mode="json") | {"smaller_steps": 3}
    del kept["ensemble_size"]
    assert TrainingConfig.read_kept(kept) == config
    with pytest.raises(ConfigError, match="smaller_steps"):
        TrainingConfig.read(kept)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TrainingConfig().trials = 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"interval_bounds_days": [0, 30, 20]}, "rise"),
        ({"interval_bounds_days": [1, 30, 60, 90, 180]}, "start at 0"),
        ({"interval_bounds_days": [0, 30, 60, 180]}, "90"),
        ({"headline_days": 120}, "headline_days"),
        ({"least_events": 700}, "least_events"),
        ({"scale": {"amber_from": 70}}, "amber_from"),
        ({"negative_keep_share": 0}, "greater than 0"),
        ({"folds": 0}, "greater than or equal to 1"),
    ],
)
def test_values_that_contradict_each_other_are_refused(document: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TrainingConfig.read(document)
    assert words in refused.value.found


@pytest.mark.parametrize("kind", [TrainingConfig, ScoreScale])
def test_every_setting_says_what_it_is_and_why(kind: type[BaseModel]) -> None:
    silent = [name for name, field in kind.model_fields.items() if len(field.description or "") < 20]
    assert silent == []


def test_the_defaults_are_those_of_the_domain() -> None:
    config = TrainingConfig()
    assert config.intervals_days == ((0, 15), (15, 30), (30, 60), (60, 90), (90, 120), (120, 150), (150, 180))
    assert config.settling == timedelta(days=60)
    assert (config.test_block, config.snapshot_spacing) == (timedelta(weeks=26), timedelta(weeks=4))
    scale = config.scale
    assert (scale.anchor_health, scale.anchor_risk, scale.points_to_double) == (60, 0.12, 12)
    assert (scale.green_from, scale.amber_from) == (65, 45)


def test_a_better_grade_never_asks_for_less() -> None:
    rules = GradeRules()
    weeks = [rule.usable_weeks for rule in (rules.a, rules.b, rules.c)]
    sources = [rule.sources for rule in (rules.a, rules.b, rules.c)]
    assert weeks == sorted(weeks, reverse=True)
    assert sources == sorted(sources, reverse=True)
