"""A bundle is judged on the untouched last weeks only, beside rivals that never saw them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.progress import silent
from training import lifecycle
from training.judging import Judgement, _baseline_risks, judge, undecided
from training.labels import horizon_labels
from training.material import Material
from training.splits import Fold
from training.verdict import GATE_CODES

from .lifecycle_case import CURRENCY, SMALL, Trained, material_of, trained


@pytest.fixture(scope="module")
def made() -> Trained:
    return trained()


@pytest.fixture(scope="module")
def material(made: Trained) -> Material:
    return material_of(made)


@pytest.fixture(scope="module")
def final(made: Trained) -> Fold:
    return made.split.final


@pytest.fixture(scope="module")
def judgement(made: Trained, material: Material, final: Fold, tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    folder = made.write(tmp_path_factory.mktemp("judging") / "bundle")
    some = np.where(material.cohort["account_id"] < "acc-0100", "USD", CURRENCY)
    mixed = replace(material, cohort=material.cohort.assign(currency=some))
    return judge(made.bundle, folder, mixed, final)


def judged_rows(material: Material, final: Fold) -> Material:
    return material.at(pd.Series(final.test(material.cohort) & undecided(material)))


def with_shuffled_future(material: Material, final: Fold) -> Material:
    """The same past, another future: outcomes after the block began go to other accounts, features become noise."""
    draw, begin = np.random.default_rng(0), pd.Timestamp(final.test_first)
    decided, cohort = material.decided, material.cohort
    later = (decided["decided_at"] > begin).to_numpy()
    went = set(decided.loc[~later, "account_id"])
    stay = sorted(set(cohort["account_id"]) - went)
    others = draw.choice(stay, int(later.sum()), replace=False)
    shuffled = decided.assign(account_id=decided["account_id"].where(~later, np.nan))
    shuffled.loc[later, "account_id"] = others
    features = material.snapshots.copy()
    seen = (features["as_of"] < begin).to_numpy()
    for name in features.select_dtypes("float64"):
        features[name] = np.where(seen, features[name], draw.permutation(features[name].to_numpy()))
    return replace(material, decided=shuffled.sort_values("account_id", ignore_index=True), snapshots=features)


def test_the_baselines_see_nothing_that_was_final_only_after_the_block_began(material: Material, final: Fold) -> None:
    # Law 3. The rows to be predicted stay as they are; only what a rival could have learnt from is changed.
    tested, other = judged_rows(material, final), with_shuffled_future(material, final)
    expected = _baseline_risks(material, tested, final, SMALL)
    told = _baseline_risks(other, tested, final, SMALL)
    assert set(expected) == {"timing_only", "logistic"}
    for name, risk in expected.items():
        np.testing.assert_array_equal(told[name], risk)


def test_what_was_final_before_the_block_does_matter_to_the_baselines(material: Material, final: Fold) -> None:
    # The law above could not fail if the rivals learnt nothing at all.
    tested, decided = judged_rows(material, final), material.decided
    early = (decided["decided_at"] < pd.Timestamp(final.test_first) - SMALL.settling).to_numpy()
    fewer = decided[~(early & (np.arange(len(decided)) % 2 == 0))].reset_index(drop=True)
    expected = _baseline_risks(material, tested, final, SMALL)
    told = _baseline_risks(replace(material, decided=fewer), tested, final, SMALL)
    assert all((told[name] != risk).any() for name, risk in expected.items())


def test_nothing_fitted_has_seen_the_data_that_judges_it(made: Trained, material: Material, final: Fold) -> None:
    # Law 3 for the model: hazard, calibration, shrinkage, reference portfolio and rows.
    learnt = lifecycle._learn(with_shuffled_future(material, final), SMALL, silent)
    assert learnt.fitted.text == made.fitted.text
    assert learnt.calibration == made.calibration
    assert learnt.caution == made.caution
    pd.testing.assert_frame_equal(learnt.portfolio, made.reference_rows)
    pd.testing.assert_frame_equal(learnt.past, made.development)


def test_an_account_that_had_decided_already_is_not_judged(
    judgement: Judgement, material: Material, final: Fold
) -> None:
    inside = material.cohort[material.cohort["as_of"].between(final.test_first, final.test_last)]
    gone = inside.merge(material.decided, on="account_id", how="left")
    open_rows = int((~(gone["decided_at"] <= gone["as_of"])).sum())
    assert judgement.evaluation.block.rows == open_rows < len(inside)


def test_only_the_final_block_is_judged(judgement: Judgement, final: Fold, made: Trained) -> None:
    block = judgement.evaluation.block
    assert (block.first_as_of, block.last_as_of) == (final.test_first, final.test_last)
    assert made.development["closes_at"].max() <= pd.Timestamp(block.first_as_of)
    assert judgement.evaluation.model_version == made.bundle.version


def test_the_outcomes_are_those_of_the_label_rule(judgement: Judgement, material: Material, final: Fold) -> None:
    tested = judged_rows(material, final)
    labels = horizon_labels(tested.cohort, material.decided, data_cut=material.data_cut, config=SMALL)
    for days, found in judgement.evaluation.horizons.items():
        assert found.auc_pooled.positives == labels[f"y_{days}"].sum()
        assert found.auc_pooled.rows == labels[f"y_{days}"].notna().sum()


def test_every_gate_is_asked_and_both_rivals_are_beside(judgement: Judgement) -> None:
    verdict = judgement.verdict
    assert tuple(gate.code for gate in verdict.gates) == GATE_CODES
    held = {gate.code: gate.passed for gate in verdict.gates}
    assert all(held[code] for code in ("additivity", "monotone_risk", "golden_rows", "complete_scores"))
    assert {"champion", "timing_only", "logistic", "health"} == set(judgement.evaluation.arms)
    assert set(judgement.evaluation.deltas) == {"timing_only", "logistic"}


def test_there_is_a_picture_of_what_moves_the_score_and_of_every_finding(judgement: Judgement) -> None:
    names = [picture.name for picture in judgement.pictures]
    assert len(set(names)) == len(names)
    assert {"auc", "gains", "reliability", "phases", "beeswarm"} <= set(names)
    assert any(name.startswith("dependence") for name in names)
    assert all(picture.png.startswith(b"\x89PNG") and picture.alt for picture in judgement.pictures)


def test_several_currencies_are_told_as_mixed(judgement: Judgement) -> None:
    # One currency: tests/training/test_lifecycle.py.
    assert judgement.currency == "mixed currencies"
