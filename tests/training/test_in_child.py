"""The lifecycle in a process of its own: what comes back, and what is told when nothing does."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features import errors
from features.errors import MissingStateError, PulseError, ServiceUnavailable
from features.settings import Home
from training import in_child

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PulseError)]


def stand_in(folder: Path, script: str) -> str:
    """A program that takes the place of Python: it reads the order and runs a line of shell."""
    program = folder / "stand-in"
    program.write_text(f"#!/bin/sh\ncat > {folder}/order\n{script}\n")
    program.chmod(0o700)
    return str(program)


def ordered(folder: Path) -> dict[str, str]:
    read: dict[str, str] = json.loads((folder / "order").read_text())
    return read


def test_an_order_is_handed_over_whole_and_the_last_line_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(tmp_path, 'echo a library says hello; echo \'{"action": "promote"}\'')
    monkeypatch.setattr(sys, "executable", program)
    home = Home(root=tmp_path)
    assert in_child.promote(home, "2", who="key abc (bot)", why="a 'reason'", at=NOON) == {"action": "promote"}
    told = {"home": str(tmp_path), "who": "key abc (bot)", "why": "a 'reason'", "at": NOON.isoformat()}
    assert ordered(tmp_path) == {"do": "promote", "version": "2", **told}
    in_child.rollback(home, who="key abc (bot)", why="a 'reason'", at=NOON)
    assert ordered(tmp_path) == {"do": "rollback", **told}
    in_child.models(home)
    assert ordered(tmp_path) == {"do": "models", "home": str(tmp_path)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_of_ours_comes_back_as_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[PulseError]
) -> None:
    failure = kind("it went wrong", expected="one thing", found="another", todo="mend it")
    (tmp_path / "answer").write_text(json.dumps({"failure": failure.facts()}))
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path, f"cat {tmp_path}/answer"))
    with pytest.raises(PulseError) as caught:
        in_child.models(Home(root=tmp_path))
    assert (type(caught.value), caught.value.facts()) == (kind, failure.facts())


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$", "true", "echo no json"])
def test_a_process_that_dies_or_says_nothing_is_a_registry_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path, script))
    with pytest.raises(ServiceUnavailable, match="found a process that ended without an answer"):
        in_child.models(Home(root=tmp_path))


def test_a_process_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(in_child, "PATIENCE", timedelta(seconds=1))
    with pytest.raises(ServiceUnavailable, match="found a process that ran over 0:00:01"):
        in_child.models(Home(root=tmp_path))


def test_the_process_does_what_the_lifecycle_does_and_tells_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"do": "rollback", "home": str(tmp_path), "who": "ada", "why": "test", "at": NOON.isoformat()}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order)))
    in_child.main()
    failure = json.loads(capsys.readouterr().out.splitlines()[-1])["failure"]
    assert (failure["error"], failure["title"]) == (
        MissingStateError.__name__,
        "there is no earlier model to go back to",
    )
