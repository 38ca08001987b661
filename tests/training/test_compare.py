"""Which way of scoring is better on these accounts, and is the difference more than luck?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import DataContractError, UsageError
from features.settings import Home
from training.compare import Asked, compare, judged, kept
from training.dataset import training_rows
from training.experiment import Comparison
from training.experiment_words import NO_CAMPAIGN_EFFECT, lines
from training.labels import horizon_labels
from training.metrics import Ranking, roc_auc
from training.registry import ModelRegistry
from training.rival_fits import same_rows, stated_by
from training.rivals import RIVALS, rivals_named
from training.target import Target

from .experiment_case import ARMS, PLAN, QUICK, comparison, ground, risks_of, stated, truth

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def auc_where_due(name: str) -> float:
    part = comparison().slices["window"].arms[name].auc
    assert part.value is not None
    return part.value


def test_every_arm_states_one_risk_for_each_judged_row_and_repeat() -> None:
    rows = int(ground().tested.sum())
    for one in stated():
        assert one.risks.shape == (PLAN.repeats, rows)
        assert ((one.risks > 0) & (one.risks < 1)).all(), one.rival.name


def test_nothing_that_is_judged_was_learnt_from() -> None:
    # The last label that an arm may learn from is final before the first snapshot that is judged.
    final = ground().blocks.final
    assert ground().material.cohort["as_of"][ground().tested].min() >= pd.Timestamp(final.test_first)
    changed = ground().material.snapshots.copy()
    later = (changed["as_of"] >= pd.Timestamp(final.test_first)).to_numpy() & ~ground().tested
    changed.loc[later, "tenure_weeks"] = 1e6
    other = replace(ground(), material=replace(ground().material, snapshots=changed))
    np.testing.assert_array_equal(stated_by(RIVALS["timing"], other).risks, risks_of("timing"))


def test_the_hazard_that_sees_the_customer_beats_the_calendar_where_decisions_are_due() -> None:
    assert auc_where_due("full") > 0.6 > auc_where_due("timing")
    assert auc_where_due("trigger") < 0.6


def test_the_timing_arm_knows_nothing_about_the_customer() -> None:
    snapshots = ground().material.snapshots
    shuffled = snapshots["nps_last"].sample(frac=1, random_state=1).to_numpy()
    other = snapshots.assign(nps_last=shuffled, segment="studio", phase="off")
    changed = replace(ground(), material=replace(ground().material, snapshots=other))
    np.testing.assert_array_equal(stated_by(RIVALS["timing"], changed).risks, risks_of("timing"))


def test_the_blind_arm_does_not_learn_the_phase_from_anywhere() -> None:
    # Neither from features nor from the calibration, which may have an offset per phase.
    other = ground().material.snapshots.assign(phase="active", campaigns_live_active=9.0)
    changed = replace(ground(), material=replace(ground().material, snapshots=other))
    np.testing.assert_array_equal(stated_by(RIVALS["phase_blind"], changed).risks, risks_of("phase_blind"))


def test_the_trigger_states_two_risks_that_differ_by_the_end_of_the_contract_alone() -> None:
    ends = ground().material.snapshots["days_to_end"].to_numpy()[ground().tested]
    soon, told = (ends >= 0) & (ends <= 90), risks_of("trigger")[0]
    assert len(np.unique(told)) == 2
    assert told[soon].min() > told[~soon].max()


def test_the_direct_model_answers_its_one_question_and_is_compared_like_any_other() -> None:
    (direct,) = [stated_by(rival, ground()) for rival in rivals_named(("full", "direct")) if rival.name == "direct"]
    due, label = due_and_label()
    rows = int(ground().tested.sum())
    assert direct.risks.shape == (PLAN.repeats, rows)
    assert ((direct.risks > 0) & (direct.risks < 1)).all()
    risk = direct.risks.mean(axis=0)
    # An outside oracle for the ranking, and as many leavers as it states, within a factor that so few allow.
    assert roc_auc_score(label[due], risk[due]) > 0.6
    assert 0.5 < label.sum() / risk[~np.isnan(label)].sum() < 2
    told = judged((stated()[0], direct), ground(), PLAN)
    assert told.arms["direct"].title == "direct model of the horizon"
    assert told.slices["window"].arms["direct"].auc.value == pytest.approx(
        np.mean([roc_auc_score(label[due], one[due]) for one in direct.risks]), abs=0.05
    )
    assert told.slices["window"].contrasts["direct"]["ap"].words


def test_the_direct_model_learns_nothing_from_rows_whose_label_is_not_final() -> None:
    # One interval as long as the horizon: a period that closes after the block began is no period to learn from.
    config = ground().config.model_copy(update={"interval_bounds_days": (0, ground().config.headline_days)})
    material = ground().material
    rows = training_rows(
        material.cohort, material.snapshots, material.decided, data_cut=material.data_cut, config=config
    )
    past = rows[ground().blocks.final.train(rows)]
    assert (past["closes_at"] <= pd.Timestamp(ground().blocks.final.test_first)).all()
    assert past.groupby(["account_id", "as_of"]).size().max() == 1


def due_and_label() -> tuple[np.ndarray, np.ndarray]:
    """Of the judged rows: whether a decision is due within 90 days, and whether the account left in them (or null)."""
    material, days = ground().material, ground().config.headline_days
    labels = horizon_labels(material.cohort, material.decided, data_cut=material.data_cut, config=ground().config)
    label = labels[f"y_{days}"].to_numpy(np.float64, na_value=np.nan)[ground().tested]
    ahead = material.snapshots["days_to_decision"].to_numpy(np.float64, na_value=np.nan)[ground().tested]
    return (ahead >= 0) & (ahead <= days) & ~np.isnan(label), label


def test_repeats_differ_where_there_is_luck_in_the_making_and_nowhere_else() -> None:
    for name, lucky in (("full", True), ("phase_blind", True), ("trigger", False)):
        one, *others = risks_of(name)
        assert [not np.array_equal(one, other) for other in others] == [lucky, lucky], name


def test_the_same_arm_twice_with_other_seeds_shows_no_difference() -> None:
    gains = comparison().slices["window"].contrasts["full_2"]
    assert {metric: contrast.words[0] for metric, contrast in gains.items()} == dict.fromkeys(
        gains, "no difference shown"
    )
    assert comparison().findings[0].startswith("A/A check, the same arm twice")


def test_where_phases_change_nothing_no_campaign_effect_is_found() -> None:
    # In the made-up portfolio campaign features are as good as any other, and phases tell nothing.
    sentences = [told for told in comparison().findings if "campaign" in told]
    gain = comparison().slices["window"].contrasts["phase_blind"]["ap"].gain
    assert gain.low is not None
    assert gain.high is not None
    assert (NO_CAMPAIGN_EFFECT in sentences[0]) == (gain.low <= 0 <= gain.high)


def test_the_grade_with_true_chances_agrees_with_the_ranking_kernel() -> None:
    known = truth()[ground().tested]
    due = ground().material.snapshots["days_to_decision"][ground().tested].between(0, 90).to_numpy()
    chance = known["p_90"].to_numpy()[due]
    expected = [
        float(roc_auc(Ranking(risk[due]).levels(chance[np.newaxis], 1 - chance[np.newaxis]))[0])
        for risk in risks_of("timing")
    ]
    graded = comparison().truth
    assert graded is not None
    assert graded["window"].arms["timing"].auc.value == pytest.approx(np.mean(expected))


def test_the_document_is_told_whole_and_read_back_as_it_was() -> None:
    text = comparison().model_dump_json()
    assert Comparison.model_validate_json(text) == comparison()
    assert "NaN" not in text
    assert list(comparison().arms) == ["full", "full_2", "phase_blind", "timing", "trigger"]


def test_the_lines_tell_power_and_every_arm() -> None:
    told = "\n".join(lines(comparison()))
    for arm in comparison().arms.values():
        assert arm.title in told
    assert "a trial that splits them in two halves could" in told
    assert "graded with true chances" in told


def test_a_comparison_is_kept_as_a_run_with_a_nested_run_per_arm(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    done = kept(home, comparison(), QUICK, at=NOW)
    registry = ModelRegistry(home)
    runs = registry._client.search_runs([registry._experiment()])
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == done.run_id]
    assert sorted(run.info.run_name for run in nested) == sorted(f"arm {name}" for name in comparison().arms)
    (timing,) = [run for run in nested if run.info.run_name == "arm timing"]
    assert timing.data.metrics == pytest.approx(comparison().metrics("timing"))
    assert timing.data.metrics["window.auc"] == auc_where_due("timing")
    assert timing.data.params["trials"] == "1"
    files = sorted(file.path for file in registry._client.list_artifacts(done.run_id))
    assert files == ["comparison.html", "comparison.json"]
    assert Comparison.model_validate_json((done.report.parent / "comparison.json").read_text()) == comparison()
    assert registry.versions() == ()
    _require_self_contained(done.report.read_text())


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.images = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.references += [value for key, value in attrs if key in ("src", "href") and value]
        if tag == "img":
            self.images += 1
            assert (named["alt"] or "").startswith("Forest plot")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _require_self_contained(page: str) -> None:
    read = _Page()
    read.feed(page)
    assert all(reference.startswith("data:image/png") for reference in read.references)
    assert read.images == 2
    text = " ".join(" ".join(read.text).split())
    for finding in comparison().findings:
        assert finding in text
    assert "Underpowered: the interval is wider than the effect asked for." in text


@pytest.mark.parametrize("target", [target for target in Target if target.recurs])
def test_only_who_leaves_is_compared(target: Target, tmp_path: Path) -> None:
    config = QUICK.model_copy(update={"target": target})
    with pytest.raises(UsageError, match="arms are compared by who leaves"):
        compare(Home(root=tmp_path), NOW, config=config, asked=Asked(ARMS, PLAN), now=NOW)


def test_a_truth_of_another_company_is_refused() -> None:
    with pytest.raises(DataContractError) as refused:
        judged(stated(), ground(), PLAN, truth=truth().head(10))
    assert "rows without" in refused.value.found


def test_arms_are_never_judged_on_other_rows() -> None:
    with pytest.raises(DataContractError, match="identical rows"):
        same_rows(pd.DataFrame(index=range(3)), ground().material)
    with pytest.raises(UsageError, match="needs features without a calendar"):
        stated_by(RIVALS["phase_blind"], replace(ground(), blind=None))
