"""What every command says of itself, and what a home in which nothing was done yet is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import click
import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

import features
from features.errors import _EXIT_CODES
from pulse import app
from tests.walk_case import pulse

ROOT = Path(features.__file__).parents[1]
README = (ROOT / "README.md").read_text()


def every_command(group: click.Group, *path: str) -> dict[str, click.Command]:
    """The commands of a program by the words that call them, those of its groups, too."""
    found: dict[str, click.Command] = {}
    for name, one in group.commands.items():
        found |= every_command(one, *path, name) if isinstance(one, TyperGroup) else {" ".join((*path, name)): one}
    return found


COMMANDS = every_command(typer.main.get_group(app))
NAMES = tuple(COMMANDS)


def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_the_commands_are_those_of_the_readme() -> None:
    assert set(re.findall(r"(?:bin/|`)pulse ([a-z-]+)\b", README)) == {name.split()[0] for name in NAMES}
    assert [name for name in NAMES if not re.search(rf"(?:bin/|`)pulse {name}\b", README)] == []
    page = help_of()
    assert all(re.search(rf"\b{name.split()[0]}\b", page) for name in NAMES)
    assert "Health: 0 to 100, 100 = healthy." in page


def test_it_says_its_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"campaign-pulse {version('campaign-pulse')}\n")


@pytest.mark.parametrize("name", NAMES)
def test_help_names_every_option_and_says_what_it_is_for(name: str) -> None:
    page = help_of(*name.split())
    for parameter in COMMANDS[name].params:
        options = [word for word in (*parameter.opts, *parameter.secondary_opts) if word.startswith("--")]
        for word in options or [parameter.name or ""]:
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", page), word
        assert getattr(parameter, "help", None), parameter.name
    assert "--home" in page
    assert "--json" in page


@pytest.mark.parametrize("name", NAMES)
def test_a_command_opens_with_what_it_does(name: str) -> None:
    told = (COMMANDS[name].help or "").strip()
    assert told[0].isupper()
    assert told.endswith(".")
    assert not set(signature(COMMANDS[name].callback or list).parameters) & {"place", "progress", "clock"}


def test_without_a_command_the_help_is_shown() -> None:
    done = CliRunner().invoke(app, [])
    assert "Usage" in done.stdout + done.stderr
    assert done.exit_code in (0, 2)


@pytest.mark.parametrize(
    "words",
    [("sing",), ("score",), ("score", "--as-of", "2024-01-01"), ("train", "--as-of", "2024-01-01", "--trials", "0")],
)
def test_a_command_that_is_not_whole_is_refused_with_code_2_and_a_hint(words: tuple[str, ...], tmp_path: Path) -> None:
    told = pulse(*words, home=tmp_path / "home")
    assert (told.code, told.stdout) == (2, "")
    assert "Try" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (("build", "--from", "2024-01-01", "--to", "2024-02-05"), "pulse ingest"),
        (("train", "--as-of", "2024-01-01"), "pulse build"),
        (("score", "--as-of", "2024-01-01", "--out", "OUT"), "pulse train"),
        (("explain", "a1", "--as-of", "2024-01-01"), "pulse train"),
        (("promote", "1"), "pulse train"),
        (("evaluate",), "pulse train"),
        (("evaluate", "--model", "1"), "pulse train"),
        (("rollback",), "pulse"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_on_an_empty_home_a_command_names_the_missing_step(
    words: tuple[str, ...], next_step: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    told = pulse(*(out if word == "OUT" else word for word in words), home=tmp_path / "home")
    failure = told.document["failure"]
    assert (told.code, failure["error"], told.stdout) == (5, "MissingStateError", "")
    assert next_step in failure["todo"]
    assert failure["todo"] in told.stderr
    assert "Traceback" not in told.stderr
    assert not out.exists()


def test_asking_an_empty_home_writes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told = pulse("status", home=home)
    assert told.code == 0
    assert told.document == {"tables": {}, "snapshots": [], "live": None, "verified": None}
    for hint in ("run `pulse train`, then `pulse promote`", "run `pulse build`", "run `pulse ingest`"):
        assert hint in told.stdout
    assert pulse("status", "--verify", home=home).document["verified"] is not None
    assert not home.exists()


_WAITING = """
import os, pulse
from typer.testing import CliRunner
CliRunner().invoke(pulse.app, ["--home", "HOME", "models"])
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("set_to", "wanted"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_wait_without_taking_a_core_unless_somebody_wants_it_otherwise(
    set_to: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | set_to
    order = [sys.executable, "-c", _WAITING.replace("HOME", str(tmp_path))]
    told = subprocess.run(order, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [wanted]


def test_no_model_yet_is_an_answer_and_no_failure(tmp_path: Path) -> None:
    told = pulse("models", home=tmp_path / "home")
    assert told.code == 0
    assert told.document == {
        "live": None,
        "versions": [],
        "others": [],
        "promotions": [],
        "challengers": [],
        "approvals": [],
    }
    assert "pulse train" in told.stdout


def test_the_state_of_a_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    pulse("models", home=home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_process_of_its_own_tells_the_same_by_its_exit_code(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PULSE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pulse", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    fine = run("status")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith(f"home: {tmp_path / 'home'}\nlive model: none yet")
    refused = run("build", "--from", "2024-01-01", "--to", "2024-01-01")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert [line.split(":")[0].strip() for line in refused.stderr.splitlines()] == [
        "error",
        "expected",
        "found",
        "what to do",
    ]
    assert list(tmp_path.iterdir()) == []


def test_every_failure_has_a_code_of_its_own_kind_that_no_shell_uses() -> None:
    codes = set(_EXIT_CODES.values())
    assert codes == set(range(2, 14))
