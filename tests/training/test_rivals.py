"""Which ways to rank accounts are tried against each other, and what may each of them know?"""

from __future__ import annotations

import pytest

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import UsageError
from features.vocabulary import Subcategory
from training.periods import MODEL_INPUTS, TIMING_INPUTS
from training.rivals import RIVALS, Making, rivals_named


def test_the_arms_of_the_experiment_are_these() -> None:
    assert list(RIVALS) == [
        *("full", "phase_blind", "traditional", "timing", "direct", "logistic", "small", "trigger"),
    ]


@pytest.mark.parametrize("rival", RIVALS.values(), ids=str)
def test_an_arm_sees_columns_that_exist_in_the_boosters_order(rival) -> None:  # type: ignore[no-untyped-def]
    places = [MODEL_INPUTS.index(name) for name in rival.inputs]
    assert len(set(places)) == len(places)
    if rival.making in (Making.HAZARD, Making.DIRECT):
        assert places == sorted(places)
        assert set(TIMING_INPUTS) <= set(rival.inputs)
    else:
        # A straight line has its own steps for the dates of the contract.
        assert not set(TIMING_INPUTS) & set(rival.inputs)


def test_the_blind_arm_differs_from_the_full_one_by_the_phase_and_nothing_else() -> None:
    full, blind = RIVALS["full"], RIVALS["phase_blind"]
    hidden = set(full.inputs) - set(blind.inputs)
    assert {feature_named(name).subcategory for name in hidden} == {Subcategory.CAMPAIGN}
    assert blind.making is full.making
    assert (blind.blind, blind.knows_phase) == (True, False)
    assert (full.blind, full.knows_phase) == (False, True)


def test_only_arms_that_see_campaign_features_may_know_phases() -> None:
    campaign = {name for name in MODEL_FEATURES if feature_named(name).subcategory is Subcategory.CAMPAIGN}
    for rival in RIVALS.values():
        if rival.making in (Making.HAZARD, Making.DIRECT):
            assert rival.knows_phase is bool(campaign & set(rival.inputs)), rival.name


def test_the_traditional_arm_sees_nothing_of_campaigns_output_money_or_markets() -> None:
    seen = [feature_named(name).subcategory for name in RIVALS["traditional"].inputs if name not in TIMING_INPUTS]
    assert set(seen) == {Subcategory.ENGAGEMENT, Subcategory.SENTIMENT, Subcategory.CONTEXT}


def test_the_small_line_has_fifteen_features_all_with_a_known_direction() -> None:
    inputs = RIVALS["small"].inputs
    assert len(inputs) == 15
    assert all(feature_named(name).direction for name in inputs)
    assert len({feature_named(name).subcategory for name in inputs}) >= 5


def test_arms_come_in_the_order_asked_for() -> None:
    assert [rival.name for rival in rivals_named(["timing", "full"])] == ["timing", "full"]


def test_an_arm_named_twice_is_the_same_arm_with_other_seeds() -> None:
    one, again, third = rivals_named(["full", "full", "full"])
    assert [rival.name for rival in (one, again, third)] == ["full", "full_2", "full_3"]
    assert (again.inputs, again.making, again.about) == (one.inputs, one.making, one.about)
    assert [rival.repeat for rival in (one, again, third)] == [0, 1, 2]
    assert again.title == "phase-aware hazard, seed 2"


@pytest.mark.parametrize(
    ("names", "said"), [(["full", "magic"], "magic"), (["full"], "full"), ([], "none"), (["a", "b"], "a, b")]
)
def test_what_cannot_be_compared_is_refused_by_name(names: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        rivals_named(names)
    assert refused.value.found == said
    assert "phase_blind" in refused.value.expected
