"""Which way explains a model, does it say so, and are both ways the same?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.trial import FixedTrial

from features.errors import IntegrityError
from features.vocabulary import Subcategory
from training import explainer as explaining
from training.bundle import SCORE_COLUMNS, owners_of
from training.capacity import capacity_for
from training.config import TrainingConfig
from training.explainer import Explainer
from training.group_tables import MOST_ENTRIES, GroupTables, tables_of
from training.leaf_shares import LANES
from training.paths import MOST_FEATURES
from training.periods import MODEL_INPUTS, SNAPSHOT_FEATURES
from training.search_space import suggested_params

from .booster_case import OWNERS, REFUSED, SERVED, booster, grouped, nasty_rows, rows
from .bundle_case import trained

LARGEST = {
    "interactions": "free",
    "free_depth": 6,
    "free_leaves": 31,
    "learning_rate": 0.1,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 1.0,
}
"""The bushiest trees of the search space."""

PROBE = rows(20, seed=5)


def plain(name: str) -> Explainer:
    return Explainer(booster(name), OWNERS, 7)


@pytest.mark.parametrize("name", SERVED)
def test_tables_answer_where_they_can_and_say_so(name: str) -> None:
    quick = plain(name).with_tables(PROBE)
    assert (quick.method, quick.refusal) == ("lookup tables", "")
    assert quick.lookup is not None


@pytest.mark.parametrize(("name", "reason"), [one for one in REFUSED if one[0] != "three classes"])
def test_lightgbm_answers_where_tables_cannot_and_the_reason_is_told(name: str, reason: str) -> None:
    slow = plain(name).with_tables(PROBE)
    assert slow.lookup is None
    assert slow.refusal.endswith(reason)
    assert slow.method == f"pred_contrib ({slow.refusal})"
    slow.warm()
    assert slow.warmed  # there is nothing to wait for
    if name == "linear leaves":
        return  # LightGBM itself has no contributions for them
    told = slow.told(PROBE, threads=1)
    contributions = booster(name).predict(PROBE, pred_contrib=True)
    np.testing.assert_allclose(told.groups, grouped(contributions), rtol=0, atol=1e-12)
    np.testing.assert_allclose(told.margins, contributions.sum(axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SERVED)
def test_both_ways_say_the_same(name: str) -> None:
    quick, slow = plain(name).with_tables(PROBE), plain(name)
    one, other = quick.told(nasty_rows(), threads=1), slow.told(nasty_rows(), threads=1)
    np.testing.assert_allclose(one.margins, other.margins, rtol=0, atol=1e-11)
    np.testing.assert_allclose(one.groups, other.groups, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(quick.margins(nasty_rows(), threads=1), one.margins)
    np.testing.assert_allclose(slow.margins(nasty_rows(), threads=1), one.margins, rtol=0, atol=1e-11)


@pytest.mark.parametrize("part", ["entries", "base"])
def test_tables_that_differ_from_lightgbm_are_never_used(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    # A defect of ours, or a LightGBM whose trees mean something else: slower, never wrong.
    def altered(trees: object, owners: object) -> GroupTables | str:
        made = tables_of(trees, owners)  # type: ignore[arg-type]
        assert not isinstance(made, str)
        step = round(2.0**made.scale * 1e-8)
        return made._replace(base=made.base + step) if part == "base" else made._replace(entries=made.entries + step)

    monkeypatch.setattr(explaining, "tables_of", altered)
    found = plain("pairs").with_tables(PROBE)
    assert found.lookup is None
    assert found.refusal.startswith("tables were ")
    assert found.refusal.endswith(" off on the probe rows")


def test_a_model_is_probed_beyond_the_rows_given() -> None:
    # Portfolio rows may all know a feature; a row that knows nothing takes turns that they never take.
    quick = plain("depth six").with_tables(np.zeros((1, PROBE.shape[1])))
    told = quick.told(np.full((1, PROBE.shape[1]), np.nan), threads=1)
    np.testing.assert_allclose(told.groups, plain("depth six").told(np.full((1, 14), np.nan), threads=1).groups)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("wrong", [PROBE[:, :-1], np.hstack([PROBE, PROBE]), PROBE[0]])
def test_rows_of_another_width_are_refused_before_anything_reads_beside_them(quick: bool, wrong: np.ndarray) -> None:
    one = plain("pairs").with_tables(PROBE) if quick else plain("pairs")
    for ask in (one.told, one.margins):
        with pytest.raises(IntegrityError, match="rows do not fit the model: expected 14 inputs a row"):
            ask(wrong, threads=1)


@pytest.mark.parametrize("quick", [True, False])
def test_several_ways_to_go_on_are_told_as_one_way_at_a_time(quick: bool) -> None:
    one = plain("depth six").with_tables(PROBE) if quick else plain("depth six")
    endings = np.stack([PROBE[:, 10:], PROBE[::-1, 10:]])
    told = one.continued(PROBE[:, :10], endings, threads=1)
    apart = [one.margins(np.hstack([PROBE[:, :10], ending]), threads=1) for ending in endings]
    np.testing.assert_array_equal(told, np.stack(apart), strict=True)
    assert one.continued(PROBE[:0, :10], endings[:, :0], threads=1).shape == (2, 0)
    for begun, ended in ((PROBE, endings), (PROBE[:, :9], endings), (PROBE[:3, :10], endings)):
        with pytest.raises(IntegrityError, match="rows do not fit the model"):
            one.continued(begun, ended, threads=1)


@pytest.mark.parametrize("quick", [True, False])
def test_no_rows_have_no_values(quick: bool) -> None:
    one = plain("pairs").with_tables(PROBE) if quick else plain("pairs")
    told = one.told(PROBE[:0], threads=1)
    assert (told.margins.shape, told.groups.shape) == ((0,), (0, 7))
    assert one.margins(PROBE[:0], threads=1).shape == (0,)
    assert one.contributions(PROBE[:0], threads=1).shape == (0, 15)


def test_the_served_model_is_explained_by_tables_and_its_facts_say_so() -> None:
    bundle = trained().bundle
    assert bundle.group_values == bundle.facts["group_values"] == "lookup tables"
    assert len(bundle.explainer.owners) == len(MODEL_INPUTS)


def test_every_input_is_owned_by_the_subcategory_of_the_feature_it_speaks_for() -> None:
    owners = owners_of(SNAPSHOT_FEATURES, [str(Subcategory.MARKET)] * len(SNAPSHOT_FEATURES))
    assert set(owners) == {list(Subcategory).index(Subcategory.MARKET)}
    bundle = trained().bundle
    parts = dict(zip(MODEL_INPUTS, bundle.explainer.owners, strict=True))
    assert list(Subcategory)[parts["nps_last"]] is Subcategory.SENTIMENT
    timing = {list(Subcategory)[parts[name]] for name in MODEL_INPUTS[-5:]}
    assert timing == {Subcategory.CONTEXT}


def test_tables_serve_whatever_the_search_may_choose() -> None:
    # The search space is not cut for their sake: it ends well inside what they hold.
    largest = capacity_for(10**6, TrainingConfig())
    assert largest.most_depth <= MOST_FEATURES
    trees = TrainingConfig().max_rounds * TrainingConfig().ensemble_size
    assert largest.most_leaves * 2**largest.most_depth * trees <= MOST_ENTRIES
    space = suggested_params(FixedTrial(LARGEST), largest)
    assert (space["max_depth"], space["num_leaves"]) == (largest.most_depth, largest.most_leaves)
    assert len(Subcategory) <= LANES


def test_a_score_is_the_same_by_tables_and_by_lightgbm() -> None:
    # The fallback is a slower way to the same score, not to another one.
    made = trained()
    snapshots = made.world.snapshots.sample(200, random_state=3).reset_index(drop=True)
    slow = replace(made.bundle, explainer=replace(made.bundle.explainer, lookup=None))
    by_tables, by_lightgbm = made.bundle.score(snapshots), slow.score(snapshots)
    numbers = [name for name in SCORE_COLUMNS if pd.api.types.is_float_dtype(by_tables[name].dtype)]
    np.testing.assert_allclose(by_tables[numbers], by_lightgbm[numbers], rtol=0, atol=1e-9)
    words = [name for name in SCORE_COLUMNS if name not in numbers]
    pd.testing.assert_frame_equal(by_tables[words], by_lightgbm[words])
    pd.testing.assert_frame_equal(
        made.bundle.feature_points(snapshots), slow.feature_points(snapshots), check_exact=True
    )


def test_a_warmed_model_gives_the_bits_of_a_cold_one() -> None:
    # A command answers cold, the service warm: batch must equal endpoint.
    made = trained()
    snapshots = made.world.snapshots.sample(150, random_state=4).reset_index(drop=True)
    probe = np.zeros((1, len(MODEL_INPUTS)))
    cold, warm = (replace(made.bundle, explainer=made.bundle.explainer.with_tables(probe)) for _ in range(2))
    warm.warm()
    assert (cold.explainer.warmed, warm.explainer.warmed) == (False, True)
    pd.testing.assert_frame_equal(warm.score(snapshots), cold.score(snapshots), check_exact=True)
    one = snapshots.iloc[[7]]
    pd.testing.assert_frame_equal(warm.score(one), cold.score(one), check_exact=True)
