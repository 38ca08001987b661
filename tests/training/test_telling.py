"""What is told about models: the same in lines, documents and files, and a refusal as a failure with its kind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from features.errors import GateRefused, NoUsableSignal, exit_code
from features.settings import Home
from tests.training.judged_case import SMALL_PLAN, SOUND, evaluated, portfolio, weekly
from training.evaluate import Beside, evaluate
from training.evaluation import Evaluation
from training.gates import Checks, verdict
from training.judging import Judgement
from training.promotions import Promotion
from training.registry import RegisteredVersion
from training.report import ModelFacts
from training.telling import Judged, Listing, Trained, store_report

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)


@cache
def skilless() -> Evaluation:
    made = portfolio(400, skill=0.0, seed=4)
    rows = made.judged.assign(risk_90_timing_only=made.judged["risk_90"])
    return evaluate(rows, model_version="v8", beside=Beside(watched=weekly(400, skill=0.0, seed=4)), plan=SMALL_PLAN)


def judged(evaluation: Evaluation, checks: Checks = SOUND) -> Judged:
    found = verdict(evaluation, checks)
    return Judged("7", Judgement(evaluation, found, (), "EUR"), Path("reports/7/report.html"))


def as_trained(one: Judged) -> Trained:
    return Trained(one.version, one.judgement, one.report, events=120, notes=("few outcomes",), census=())


def test_a_passed_verdict_is_no_failure() -> None:
    one = judged(evaluated())
    assert one.failure() is None
    assert one.lines()[0] == "model version 7 passed every gate"
    assert one.lines()[-1] == "report: reports/7/report.html"


def test_a_broken_machine_is_a_refused_gate() -> None:
    one = judged(evaluated(), SOUND.model_copy(update={"golden_rows_ok": False}))
    failure = one.failure()
    assert isinstance(failure, GateRefused)
    assert exit_code(failure) == 8
    assert one.lines()[0] == "model version 7 refused by 1 gates"
    assert one.lines()[1].startswith("  refused by golden_rows: ")


def test_no_skill_beyond_timing_is_no_usable_signal() -> None:
    failure = judged(skilless()).failure()
    assert isinstance(failure, NoUsableSignal)
    assert exit_code(failure) == 9
    assert "better_than_timing" in failure.found


def test_every_refusal_is_told_with_its_reason() -> None:
    one = judged(skilless())
    told = [line for line in one.lines() if line.startswith("  refused by ")]
    assert told == [f"  refused by {gate.code}: {gate.reason}" for gate in one.judgement.verdict.refusals]
    assert told


def test_skill_is_told_within_the_window_first_and_beside_its_rivals() -> None:
    lines = judged(evaluated()).lines()
    place = next(number for number, line in enumerate(lines) if line.startswith("AUC where a decision falls within 90"))
    names = [line.split("  ")[1].strip() for line in lines[place + 1 : place + 4]]
    assert names == ["this model", "logistic regression", "timing alone"]
    arm = evaluated().arms["champion"]
    assert f"{arm.auc_window.value:.2f}" in lines[place + 1].split(", ")[0]
    assert f"{arm.auc_pooled.value:.2f}" in lines[place + 1].split(", ")[1]


def test_the_truth_is_told_only_where_it_is_known() -> None:
    with_truth, without = judged(evaluated()), judged(evaluated().model_copy(update={"truth": None}))
    told = set(with_truth.lines()) - set(without.lines())
    assert {"graded with the true chances:"} < told
    assert len(told) == 5
    assert any("share of the oracle's skill" in line for line in told)


def test_the_document_is_the_whole_evaluation_and_json_reads_it_back() -> None:
    document = json.loads(json.dumps(judged(evaluated()).document(), allow_nan=False))
    assert Evaluation.model_validate_json(json.dumps(document["evaluation"])) == evaluated()
    assert document["verdict"]["passed"] is True
    assert (document["version"], document["report"]) == ("7", "reports/7/report.html")


def test_a_training_tells_what_it_learnt_from_before_the_judgement() -> None:
    one = judged(evaluated())
    lines = as_trained(one).lines()
    assert lines[0].startswith("learnt from 120 accounts that left")
    assert "note: few outcomes" in lines
    assert lines[-len(one.lines()) :] == one.lines()
    assert as_trained(judged(skilless())).failure() is not None


VERSION = RegisteredVersion("1", "run", "passed", {"passed": True}, {"arm.champion.auc_window": 0.684}, {})
LIVE = Promotion(NOON, "ada", "better", "promote", None, "1", {"passed": True})


def test_an_empty_registry_says_what_to_do() -> None:
    listing = Listing((), ())
    assert listing.lines() == ["no model is registered yet: run `pulse train --as-of DATE`"]
    assert listing.document() == {
        "live": None,
        "versions": [],
        "others": [],
        "promotions": [],
        "challengers": [],
        "approvals": [],
    }


def test_a_registered_version_is_not_live_by_itself() -> None:
    lines = Listing((VERSION,), ()).lines()
    assert lines[1:] == ["1        passed      0.68", "promotions:", "  none yet"]
    assert Listing((VERSION,), ()).document()["live"] is None


def test_the_live_version_is_marked_and_the_log_says_who_and_why() -> None:
    second = replace(VERSION, version="2", judged="not judged", verdict=None, metrics={})
    back = replace(LIVE, action="rollback", version_from="2", who="bob", why="worse")
    listing = Listing((second, VERSION), (LIVE, replace(LIVE, version_from="1", version_to="2"), back))
    assert listing.lines()[1:] == [
        "2        not judged  not known",
        "1        passed      0.68  <- live",
        "promotions:",
        "  2024-06-03 12:00 ada: promote 1 (better)",
        "  2024-06-03 12:00 ada: promote 2 (better)",
        "  2024-06-03 12:00 bob: rollback 1 (worse)",
    ]
    document = listing.document()
    assert document["live"] == "1"
    assert [one["version"] for one in document["versions"]] == ["2", "1"]
    assert document["promotions"][-1] == {
        "at": NOON,
        "who": "bob",
        "why": "worse",
        "action": "rollback",
        "from": "2",
        "to": "1",
    }


def facts() -> ModelFacts:
    return ModelFacts(
        summary="a hazard",
        data_cut=NOON,
        trained_first_as_of=NOON,
        trained_last_as_of=NOON,
        training_rows=10,
        training_outcomes=3,
        features=5,
        decisions=("12-month terms: 9 decisions",),
        currency="EUR",
        made_at=NOON,
    )


def test_a_report_is_stored_with_the_documents_it_was_made_from(tmp_path: Path) -> None:
    judgement = judged(evaluated()).judgement
    path = store_report(Home(root=tmp_path), judgement, facts())
    assert path == tmp_path / "reports" / evaluated().model_version / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "evaluation.json",
        "facts.json",
        "report.html",
        "verdict.json",
    ]
    assert Evaluation.model_validate_json((path.parent / "evaluation.json").read_text()) == evaluated()
    assert json.loads((path.parent / "verdict.json").read_text()) == judgement.verdict.model_dump(mode="json")


def test_storing_a_report_again_replaces_it(tmp_path: Path) -> None:
    judgement = judged(evaluated()).judgement
    first = store_report(Home(root=tmp_path), judgement, facts()).read_text()
    again = store_report(Home(root=tmp_path), judgement, facts().model_copy(update={"currency": "NZD"})).read_text()
    assert first != again
    assert "NZD" in again


@pytest.mark.parametrize("kind", [Judged, Trained])
def test_what_is_told_names_no_account(kind: type[Judged]) -> None:
    one = judged(evaluated())
    told = as_trained(one) if kind is Trained else one
    assert "a0000" not in "\n".join(told.lines())
    assert "a0000" not in json.dumps(told.document())
