"""What a score says when little is known: drawn estimates, offsets, stated ranges and grades of a whole bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import IntegrityError
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.bundle import Bundle
from training.bundle_files import FORM, MANIFEST, json_bytes
from training.calibrate import Calibration
from training.config import GradeRules
from training.inputs import numbers_of
from training.model import load_bundle
from training.periods import Timing, timing_inputs
from training.venn_abers import NO_SPREAD

from .bundle_case import SMALL, trained

RISKS = [f"risk_{days}" for days in HORIZONS_DAYS]
POINTS_PER_LOG_ODD = 12 / np.log(2)


def thin_bundle(weeks: float = 12.0) -> Bundle:
    """The trained bundle, as if thin accounts had been worth drawing far to their segment."""
    return replace(trained().bundle, half_weight_weeks=weeks)


def some(count: int = 200, seed: int = 3) -> pd.DataFrame:
    return trained().world.snapshots.sample(count, random_state=seed).reset_index(drop=True)


def test_each_interval_is_drawn_to_what_is_usual_there_and_not_by_one_shift() -> None:
    # Outside path: own log-odds from the booster, the mean over the portfolio in the open, one interval at a time.
    made, rows = trained(), some()
    weight = (rows["usable_weeks"] * rows["sources_present"] / 6).to_numpy()
    weight = weight / (weight + 12.0)
    staying = np.ones(len(rows))
    for place, (low, high) in enumerate(SMALL.intervals_days[:4]):
        own = own_logits(rows, place, low, high)
        peers = pd.DataFrame(
            {
                "segment": made.reference_rows["segment"],
                "timing": timing_of(made.reference_rows, low, high),
                "logit": own_logits(made.reference_rows, place, low, high),
            }
        )
        usual = peers.groupby(["segment", "timing"])["logit"].mean()
        asked = pd.MultiIndex.from_arrays([rows["segment"], timing_of(rows, low, high)])
        staying = staying * (1 - expit(weight * own + (1 - weight) * usual.reindex(asked).to_numpy()))
    np.testing.assert_allclose(thin_bundle().score(rows)["risk_90"], 1 - staying, atol=1e-12)


def own_logits(rows: pd.DataFrame, place: int, low: int, high: int) -> np.ndarray:
    made, ones = trained(), np.ones(len(rows))
    inputs = np.hstack(
        [rows[list(MODEL_FEATURES)].to_numpy(float), timing_inputs(Timing.of(rows), low * ones, high * ones)]
    )
    raw = made.bundle.booster.predict(inputs, raw_score=True)
    offsets = rows["segment"].map(made.calibration.segments) + rows["phase"].map(made.calibration.phases)
    told: np.ndarray = made.calibration.slope * raw + made.calibration.intercepts[place] + offsets.to_numpy()
    return told


def timing_of(rows: pd.DataFrame, low: int, high: int) -> np.ndarray:
    ones = np.ones(len(rows))
    decisions = timing_inputs(Timing.of(rows), low * ones, high * ones)[:, 3]
    return np.where(rows["is_evergreen"] > 0, "evergreen", np.where(decisions >= 1, "due", "quiet"))


def test_bettering_a_feature_of_a_thin_account_never_raises_a_stated_risk() -> None:
    # It did while one shift, found for a decision today, was added to every interval: health rose and risk_30 with it.
    rows = some(150).assign(usable_weeks=6.0, sources_present=3.0)
    before = thin_bundle().score(rows)
    moved = 0
    for name in MODEL_FEATURES:
        direction = feature_named(name).monotone
        if not direction:
            continue
        after = thin_bundle().score(rows.assign(**{name: rows[name] - 3.0 * direction}))
        assert (after["health"] >= before["health"] - 1e-9).all(), name
        assert (after[RISKS].to_numpy() <= before[RISKS].to_numpy() + 1e-12).all(), name
        moved += int((after["risk_90"] < before["risk_90"]).sum())
    assert moved > 100


def test_a_thin_account_keeps_knowing_when_its_decision_falls() -> None:
    # Drawn to its segment's level in intervals of the same timing, not to a mean over accounts that decide some day.
    rows = some(400).assign(usable_weeks=0.0, is_evergreen=0.0, term_months=12.0)
    due, later = (thin_bundle().score(rows.assign(days_to_decision=days))["risk_30"] for days in (10.0, 300.0))
    assert (due > 5 * later).all()


def test_limited_data_is_a_component_of_its_own_and_zero_where_nothing_is_drawn() -> None:
    rows = some()
    told, plain = thin_bundle().score(rows), thin_bundle(0.0).score(rows)
    parts = ["base_points", *(f"points_{part}" for part in Subcategory)]
    pd.testing.assert_frame_equal(told[parts], plain[parts], check_exact=True)
    assert (plain["shrink_adjust"] == 0).all()
    assert (thin_bundle(0.0).own_weights(rows) == 1).all()
    unclipped = (told["clip_adjust"] == 0) & (plain["clip_adjust"] == 0)
    assert unclipped.sum() > 50
    moved = (told["health"] - plain["health"])[unclipped]
    np.testing.assert_allclose(moved, told["shrink_adjust"][unclipped], atol=1e-9)


def offset_bundle() -> Bundle:
    own = trained().calibration
    calibration = Calibration(own.slope, own.intercepts, own.events, {"agency": 0.3, "studio": -0.1}, {"post": 0.4})
    # Without limited data: what is usual does not move with an account's own estimate.
    return replace(trained().bundle, calibration=calibration, half_weight_weeks=0.0)


def test_an_offset_moves_health_risk_and_the_points_of_its_owner_alike() -> None:
    # Health asks about a decision today of this account in this phase: both offsets count, timing alone is fixed.
    rows = some().assign(segment="agency", phase="off")
    before, after = offset_bundle().score(rows), offset_bundle().score(rows.assign(phase="post"))
    costs = -0.4 * POINTS_PER_LOG_ODD
    np.testing.assert_allclose(after["points_campaign"] - before["points_campaign"], costs, atol=1e-9)
    for part in set(Subcategory) - {Subcategory.CAMPAIGN}:
        pd.testing.assert_series_equal(after[f"points_{part}"], before[f"points_{part}"])
    odds = logit(after["risk_30"]) - logit(before["risk_30"])
    assert odds.between(0.4 - 1e-9, 0.45).all()  # a little more where two intervals make the risk
    segment = offset_bundle().score(rows.assign(segment="studio"))
    np.testing.assert_allclose(
        segment["points_context"] - before["points_context"], 0.4 * POINTS_PER_LOG_ODD, atol=1e-9
    )


def test_offsets_are_told_against_the_portfolio_so_that_they_cancel_over_it() -> None:
    made = trained()
    np.testing.assert_allclose(made.bundle.offset_points(made.reference_rows).mean(), 0.0, atol=1e-9)
    assert made.bundle.offset_points(made.reference_rows).abs().sum().gt(0).all()
    assert list(made.bundle.offset_points(made.reference_rows)) == ["segment", "phase"]


def test_the_stated_range_holds_the_stated_risk_and_is_wider_for_thin_accounts() -> None:
    rows = some(400)
    scored = trained().bundle.score(rows)
    assert (scored["interval_low"] <= scored["risk_90"]).all()
    assert (scored["risk_90"] <= scored["interval_high"]).all()
    assert (scored["interval_p0"] <= scored["interval_p1"]).all()
    thin = trained().bundle.score(rows.assign(usable_weeks=10.0))
    wide, narrow = ((one["interval_high"] - one["interval_low"]).mean() for one in (thin, scored))
    assert wide > 2 * narrow


def test_of_an_unproven_bundle_every_range_is_whole_and_no_grade_the_best() -> None:
    scored = replace(trained().bundle, spread=NO_SPREAD).score(some())
    assert set(scored["interval_low"]) == {0.0}
    assert set(scored["interval_high"]) == {1.0}
    assert "A" not in set(scored["grade"])


def test_grades_and_their_reasons_belong_together() -> None:
    rows = some(300)
    scored = trained().bundle.score(rows)
    reasons = trained().bundle.grade_reasons(rows, scored)
    assert {"A", "B"} <= set(scored["grade"])
    assert [len(one) == 1 for one in reasons] == (scored["grade"] == "A").tolist()
    strict = trained().bundle.config.model_copy(
        update={"grades": GradeRules(campaigns_for_a=99, quiet_weeks_for_a=999)}
    )
    assert "A" not in set(replace(trained().bundle, config=strict).score(rows)["grade"])


def test_a_bundle_abstains_where_no_source_tells() -> None:
    rows = some(4).assign(sources_present=[0.0, 1.0, np.nan, 6.0])
    assert trained().bundle.abstains(rows).tolist() == [True, False, True, False]


def test_a_bundle_of_an_older_form_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = trained().write(tmp_path / "1")
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["form"] == FORM
    for form in (None, 1, FORM + 1):
        altered = {name: value for name, value in manifest.items() if name != "form"} | ({"form": form} if form else {})
        (folder / MANIFEST).write_bytes(json_bytes(altered))
        with pytest.raises(IntegrityError, match="another form than this release reads") as refused:
            load_bundle(folder)
        assert refused.value.found == f"form {form or 1}"
        assert "train again" in refused.value.todo


def test_intervals_and_levels_come_back_from_the_files_as_they_were(tmp_path: Path) -> None:
    made = trained()
    loaded = load_bundle(made.write(tmp_path / "1"))
    assert loaded.spread == made.bundle.spread
    assert loaded.reference == made.bundle.reference
    assert loaded.calibration == made.bundle.calibration
    numbers = numbers_of(some(), made.bundle.model_features)
    offsets = made.bundle.calibration.offsets(some())
    told, again = (one.own_interval_logits(numbers, Timing.of(some()), offsets)[0] for one in (made.bundle, loaded))
    np.testing.assert_array_equal(told, again)
