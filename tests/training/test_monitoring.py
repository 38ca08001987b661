"""Watching and recalibrating the model of a home, through the real store, the real labels and the real registry."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import pulse
from features.errors import MissingStateError, UsageError
from features.settings import Home
from training import monitoring, promotions
from training.lifecycle import evaluate, monitor
from training.model import load_bundle
from training.monitoring import Looked, look
from training.recalibrating import Proposal, propose, register
from training.registry import ModelRegistry
from training.verdict import GATE_CODES, Cause, Gate, Verdict
from training.watch_page import failure
from training.watch_parts import ALARM, ALL, Step

from .bundle_case import trained
from .lifecycle_case import stored_portfolio
from .test_promotions import NOON

CUT = trained().world.data_cut
PASSED = Verdict(
    model_version="1",
    passed=True,
    gates=tuple(
        Gate(code=code, title=code, passed=True, cause=Cause.NONE, reason="so", evidence={}) for code in GATE_CODES
    ),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose live model was moved away from what it had learnt."""
    place = stored_portfolio(tmp_path_factory.mktemp("monitoring") / "home", trained().world)
    registry, calibration = ModelRegistry(place), trained().bundle.calibration
    opened = registry.open_version(trained().bundle.booster, inputs=trained().bundle.booster.feature_name(), params={})
    shy = replace(calibration, intercepts=tuple(one - 1.5 for one in calibration.intercepts))
    shy_bundle = replace(trained().bundle, version=opened.version, calibration=shy, half_weight_weeks=0.0)
    replace(trained(), bundle=shy_bundle).write(place.bundles / opened.version)
    document = PASSED.model_dump(mode="json")
    registry.close_version(
        opened, bundle=place.bundles / opened.version, documents={}, metrics={}, verdict=document, at=NOON
    )
    promotions.promote(place, opened.version, who="ada", why="first", verdict=document, at=NOON)
    return place


@pytest.fixture(scope="module")
def looked(home: Home) -> Looked:
    return look(home, CUT)


@pytest.fixture(scope="module")
def proposal(home: Home) -> Proposal:
    return propose(home, CUT, step=Step.INTERCEPT)


def test_only_snapshots_that_the_model_did_not_learn_from_are_watched(looked: Looked) -> None:
    begin = trained().split.final.test_first
    assert looked.seen.judged["as_of"].min() >= pd.Timestamp(begin)
    assert looked.kept.cohort["as_of"].tolist() == looked.seen.judged["as_of"].tolist()
    whole = looked.watch.charts[0]
    final, known = looked.seen.judged["y_30"], looked.seen.judged["left_30"]
    assert whole.group == ALL
    # Every final leaver counts, and of young snapshots none but those on record by now.
    assert 0 < final.sum() <= sum(period.observed for period in whole.periods) <= known.sum()


def test_a_watch_leaves_a_page_a_document_and_a_run(home: Home) -> None:
    found, page = monitor(home, CUT, version=None, at=NOON)
    assert page == home.reports / "1" / f"watch-{CUT:%Y-%m-%d}.html"
    assert json.loads(page.with_suffix(".json").read_text()) == found.model_dump(mode="json")
    registry = ModelRegistry(home)
    runs = registry._client.search_runs([registry._experiment()], "tags.`pulse.watched` = '1'")
    assert runs[0].data.metrics == pytest.approx(found.metrics())


def test_a_level_that_was_off_when_the_model_was_made_is_open_and_no_news_of_the_first_look(
    home: Home, tmp_path: Path
) -> None:
    place = Home(root=tmp_path / "home")
    shutil.copytree(home.root, place.root, ignore=shutil.ignore_patterns("reports"))
    first, _ = monitor(place, CUT + timedelta(days=1), version=None, at=NOON)
    assert first.alarmed
    since = {one.name: one.since for one in first.findings}
    # The alarm is as old as the model. What may lie behind it no evaluation tells: that is news.
    assert since == {f"{ALARM}{ALL}: more": CUT, "suspicion: price": CUT + timedelta(days=1)}
    assert [one.name for one in first.news] == ["suspicion: price"]


def test_a_calendar_that_was_wrong_when_the_model_was_made_is_news_of_the_first_look(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No evaluation tells of it.
    place = Home(root=tmp_path / "home")
    shutil.copytree(home.root, place.root, ignore=shutil.ignore_patterns("reports"))
    late = pd.DataFrame({"campaign_id": "march_madness", "moved_days": [21.0] * 40, "risen_days": float("nan")})
    monkeypatch.setattr(monitoring, "campaign_starts", lambda *_, **__: late)
    first, _ = monitor(place, CUT + timedelta(days=1), version=None, at=NOON)
    assert [one.name for one in first.news] == ["suspicion: calendar"]
    told = failure(first)
    assert told is not None
    assert "calendar" in told.found


def test_what_was_told_is_open_at_the_next_look_and_calls_nobody_again(home: Home) -> None:
    found, _ = monitor(home, CUT, version=None, at=NOON)
    assert found.alarmed
    assert failure(found) is not None
    again, _ = monitor(home, CUT + timedelta(days=1), version=None, at=NOON)
    assert again.findings == found.findings
    assert failure(again) is None


def test_lags_of_records_are_those_of_decisions_that_are_long_final(looked: Looked) -> None:
    decided = looked.kept.decided
    final = decided[decided["decided_at"] + looked.bundle.config.settling <= pd.Timestamp(CUT)]
    # How promptly notices were written down more than three years ago says nothing of today.
    recent = final[final["decided_at"] >= pd.Timestamp(CUT - timedelta(weeks=156))]
    told = recent[recent["voluntary"].astype(bool)]
    days = (told["known_at"] - told["decided_at"]).dt.total_seconds() / 86_400
    assert sorted(looked.seen.lags) == pytest.approx(sorted(days))
    assert len(days) > 0
    assert min(looked.seen.lags) >= 0


def test_a_date_before_the_models_own_data_ended_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="cannot be watched"):
        look(home, CUT - timedelta(days=1))


def test_without_a_live_model_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="no model is live"):
        look(Home(root=tmp_path / "none"), CUT)


def test_a_model_that_states_the_wrong_number_is_put_right_on_accounts_apart(proposal: Proposal) -> None:
    found = proposal.found
    assert found is not None
    assert not 0.8 < found.leavers / found.stated < 1.25
    assert found.restated == pytest.approx(found.leavers, rel=0.1)
    assert (found.shift > 0) == (found.leavers > found.stated)
    assert found.accepted
    assert sum(one.left for one in (proposal.phases or {}).values()) == found.leavers


def test_a_proposal_writes_nothing(home: Home) -> None:
    before = [one.version for one in ModelRegistry(home).versions()], sorted(home.root.rglob("*.json"))
    assert propose(home, CUT, step=Step.PLATT).found is not None
    assert ([one.version for one in ModelRegistry(home).versions()], sorted(home.root.rglob("*.json"))) == before


def test_what_is_registered_has_the_same_trees_other_chances_and_a_verdict(home: Home, proposal: Proposal) -> None:
    version, verdict = register(home, proposal, at=NOON)
    old, new = load_bundle(home.bundles / "1"), load_bundle(home.bundles / version)
    assert proposal.found is not None
    assert new.booster.model_to_string() == old.booster.model_to_string()
    assert new.calibration.intercepts == pytest.approx([i + proposal.found.shift for i in old.calibration.intercepts])
    assert new.facts["recalibrated_from"] == "1"
    registered = ModelRegistry(home).version(version)
    assert registered.verdict == verdict.model_dump(mode="json")
    assert [gate.code for gate in verdict.gates] == list(GATE_CODES)
    assert promotions.require_current(home).version == "1"
    with pytest.raises(UsageError, match="judged when it was made"):
        evaluate(home, version, now=NOON)


def test_the_commands_speak_for_schedulers_too(home: Home, tmp_path: Path) -> None:
    document = tmp_path / "told.json"
    asked = ["recalibrate", "--as-of", CUT.date().isoformat(), "--step", "intercept", "--dry-run"]
    run = CliRunner().invoke(pulse.app, ["--home", str(home.root), *asked, "--json", str(document)])
    assert run.exit_code == 0, run.output
    assert "nothing was registered: a dry run" in run.output
    assert json.loads(document.read_text())["registered"] is None
    run = CliRunner().invoke(pulse.app, ["--home", str(home.root), "monitor", "--as-of", CUT.date().isoformat()])
    assert run.exit_code in (0, 12), run.output
    assert ("needs a look" in run.output) == (run.exit_code == 12)
