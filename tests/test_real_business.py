"""The whole job on a real subscription business: an online school with monthly, quarterly and annual plans.

The data is public and is not part of the repository. It is looked for where PULSE_DATASCIENCE365 says, else beside the
checkout; without it there is nothing to test here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from features.progress import silent
from features.publish import publish_snapshots
from features.settings import Home
from features.sources import ingest
from features.vocabulary import parse_moment
from training.lifecycle import train
from training.recipe import recipe_named
from training.telling import Trained

FOLDER = Path(
    os.environ.get("PULSE_DATASCIENCE365") or Path(__file__).parents[2] / "shared" / "data" / "datascience365"
)
LAST_DAY = "2022-10-20"
CAREFUL_BASELINE = 0.63
"""ROC AUC that a careful baseline reaches on the monthly renewals of this business (interval 0.58 to 0.70)."""

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason=f"the real data is not here: set PULSE_DATASCIENCE365 to its folder (looked in {FOLDER})",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    home = Home(root=tmp_path_factory.mktemp("school"))
    now = parse_moment("2022-11-01")
    report = ingest(home, FOLDER, mapping="datascience365", now=now)
    assert report.quarantined_error() is None
    publish_snapshots(home, parse_moment("2022-01-10"), parse_moment(LAST_DAY))
    config = recipe_named("short_terms", trials=4)
    return train(home, parse_moment(LAST_DAY), config=config, now=now, progress=silent)


def test_about_a_thousand_monthly_decisions_are_found_and_annual_terms_are_censored(trained: Trained) -> None:
    seen = {part.term_months: part for part in trained.census}
    assert 1_000 <= seen[1].decided <= 1_300
    assert 0.25 <= seen[1].left / seen[1].decided <= 0.40
    assert seen[12].decided == 0
    assert any("12-month terms: none of 1534 has come to its end" in line for line in trained.lines())


def test_the_skill_is_told_with_an_interval_that_holds_or_beats_the_careful_baseline(trained: Trained) -> None:
    auc = trained.judgement.evaluation.headline.auc_window
    assert auc.value is not None
    assert auc.high is not None
    assert auc.high >= CAREFUL_BASELINE
    assert 0.5 < auc.value < 0.75


def test_the_pooled_number_is_exposed_as_timing(trained: Trained) -> None:
    arms = trained.judgement.evaluation.arms
    timing, near = arms["timing_only"].auc_pooled.value, arms["timing_only"].auc_window.value
    assert timing is not None
    assert near is not None
    assert timing > 0.9
    assert near < 0.6
    assert any("Pooled AUC flatters: timing alone scores" in line for line in trained.lines())


def test_campaigns_have_no_basis_where_there_are_none(trained: Trained) -> None:
    document: dict[str, Any] = trained.document()
    assert set(document["evaluation"]["phases"]) == {"none"}
