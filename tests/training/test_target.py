"""What is a model asked to foresee?"""

from __future__ import annotations

import pytest

from training.target import Target, target_of


def test_each_target_has_a_registered_name_of_its_own() -> None:
    assert [target.model_name for target in Target] == [
        "campaign-pulse",
        "campaign-pulse-contraction",
        "campaign-pulse-upsell",
    ]


@pytest.mark.parametrize("target", Target)
def test_a_version_is_found_again_by_what_it_is_called(target: Target) -> None:
    assert target_of(target.folder("12")) == (target, "12")


@pytest.mark.parametrize("reference", ["3", "v1", "churn-3", "upsell", "my-model", "-", "contractions-1"])
def test_any_other_word_is_a_version_of_churn(reference: str) -> None:
    assert target_of(reference) == (Target.CHURN, reference)


def test_only_leaving_happens_once() -> None:
    assert [target for target in Target if not target.recurs] == [Target.CHURN]


def test_what_happened_is_told_in_a_word_of_its_own() -> None:
    assert len({target.happened for target in Target}) == len(Target)
