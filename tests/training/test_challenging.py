"""Which version may score along, and which may answer a share? Over a registry with real verdicts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.audit_log import read
from features.errors import GateRefused, IntegrityError, MissingStateError, UsageError
from features.settings import Home
from pulse import app
from tests.serving.service_case import now, stored_home
from tests.serving.test_live import damage
from tests.serving.test_model_routes import registered
from training.challengers import Mode, challenger_changes, running
from training.challenging import promote_running, start_canary, start_shadow
from training.governance import Approval, Governance, record
from training.lifecycle import models
from training.promotions import current
from training.roles import Decision, Role

PASSED = {"passed": True, "gates": []}
REFUSED = {"passed": False, "gates": [{"code": "G4", "passed": False}]}
SAID = ("ada", "to see")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = stored_home(tmp_path_factory.mktemp("challenging"))
    registered(home, PASSED, PASSED, REFUSED)
    shutil.copytree(home.bundles / "2", home.bundles / "3")
    return home.root


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Home(root=tmp_path)


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof in a child process costs seconds; two tests of this file let it happen."""
    for place in ("training.challenging.prove_in_child", "training.lifecycle.prove_in_child"):
        monkeypatch.setattr(place, lambda _folder: None)


def test_a_refused_version_may_score_along_and_may_answer_nobody(home: Home, unproven: None) -> None:
    assert start_shadow(home, "3", who="ada", why="to see", at=now()).mode is Mode.SHADOW
    with pytest.raises(GateRefused, match="version 3 may not go live") as refusal:
        start_canary(home, "3", 0.1, said=SAID, at=now())
    assert refusal.value.found == "refused by G4"
    assert [one.mode for one in challenger_changes(home)] == ["shadow"]


def test_a_canary_needs_the_approvals_of_a_promotion(home: Home, unproven: None) -> None:
    rule = Governance(required_approvals=(Role.FINANCE,))
    with pytest.raises(GateRefused, match="version 2 is not approved yet"):
        start_canary(home, "2", 0.1, said=SAID, at=now(), rule=rule)
    record(home, Approval(now(), "eve", Role.FINANCE, "2", "1", Decision.APPROVE, "fine"), rule)
    assert start_canary(home, "2", 0.1, said=SAID, at=now(), rule=rule).share == 0.1


def test_damaged_files_are_refused_before_anything_is_written(home: Home) -> None:
    damage(home, "2")
    with pytest.raises(IntegrityError):
        start_canary(home, "2", 0.1, said=SAID, at=now())
    assert challenger_changes(home) == ()


def test_both_are_proved_before_anything_is_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[str] = []
    monkeypatch.setattr("training.challenging.prove_in_child", lambda folder: proved.append(folder.name))
    start_shadow(home, "2", who="ada", why="x", at=now())
    start_canary(home, "2", 0.1, said=SAID, at=now())
    assert proved == ["2", "2"]


def test_without_a_live_model_nothing_runs_beside_it(home: Home, unproven: None) -> None:
    for path in home.root.glob("state.db*"):
        path.unlink()
    with pytest.raises(MissingStateError, match="no model is live"):
        start_shadow(home, "1", who="ada", why="x", at=now())


def test_a_canary_that_is_promoted_is_live_and_ended(home: Home, unproven: None) -> None:
    with pytest.raises(UsageError, match="no canary runs"):
        promote_running(home, Mode.CANARY, who="ada", why="x", at=now())
    start_canary(home, "2", 0.1, said=SAID, at=now())
    done = promote_running(home, Mode.CANARY, who="ada", why="good", at=now())
    champion = current(home)
    assert champion is not None
    assert (done.version_to, champion.version, running(home)) == ("2", "2", None)


def test_every_start_and_stop_is_told_by_the_models_and_in_the_audit_log(home: Home, unproven: None) -> None:
    asked = CliRunner()
    for words in (
        ["shadow", "start", "2", "--why", "new features"],
        ["canary", "start", "2", "--share", "0.25", "--why", "agrees well"],
        ["canary", "stop", "--why", "complaints"],
    ):
        told = asked.invoke(app, ["--home", str(home.root), *words])
        assert (told.exit_code, told.stderr) == (0, "")
        assert told.stdout.rstrip().endswith(f"beside 1 ({words[-1]})")
    lines = [line.split(": ", 1)[1] for line in models(home).lines() if " beside 1 " in line]
    assert lines == [
        "shadow start 2 beside 1 (new features)",
        "canary start 2 for 25% of the accounts beside 1 (agrees well)",
        "canary stop 2 beside 1 (complaints)",
    ]
    assert [one["mode"] for one in models(home).document()["challengers"]] == ["shadow", "canary", "canary"]
    deeds = [line.deed for line in read(home, 3)][::-1]
    assert [(deed.what, deed.subject, (deed.after or {})["action"]) for deed in deeds] == [
        ("challenger", "model 2", action) for action in ("start", "start", "stop")
    ]


def test_a_report_without_a_shadow_says_what_to_do(home: Home) -> None:
    told = CliRunner().invoke(app, ["--home", str(home.root), "shadow", "report"])
    assert told.exit_code != 0
    assert "has scored nothing yet" in told.stderr
