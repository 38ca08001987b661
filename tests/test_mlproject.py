"""Do MLflow's entry points call commands that exist, with options that they have, and does one run offline?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

import features
from tests.test_command_line import COMMANDS

ROOT = Path(features.__file__).parents[1]
ENTRIES: dict[str, Any] = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
CALL = ["python", "-m", "pulse"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_point_calls_a_command_with_options_that_it_has(entry: str) -> None:
    words = shlex.split(ENTRIES[entry]["command"])
    assert words[:3] == CALL
    command = COMMANDS[words[3]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words[4:] if word.startswith("--")} <= known
    required = {parameter.opts[0] for parameter in command.params if parameter.required}
    positional = [word for before, word in pairwise(words[3:]) if word[0] == "{" and not before.startswith("--")]
    given = sum(word in required for word in words) + len(positional)
    assert given == len(required)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_point_uses_exactly_the_parameters_it_declares(entry: str) -> None:
    used = set(re.findall(r"\{(\w+)\}", ENTRIES[entry]["command"]))
    assert used == set(ENTRIES[entry].get("parameters", {}))


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_an_entry_point_writes_need_not_exist(entry: str) -> None:
    # MLflow refuses a parameter of type path that names nothing yet, so only what is read may be one.
    kinds = {name: kind for name, kind in ENTRIES[entry].get("parameters", {}).items() if name == "out"}
    assert set(kinds.values()) <= {"string"}


def test_a_run_of_the_project_needs_no_internet_and_no_other_environment(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'runs.db'}",
        "PULSE_HOME": str(tmp_path / "home"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    words = [sys.executable, "-m", "mlflow", "run", str(ROOT), "-e", "simulate", "--env-manager", "local"]
    for name, value in {"out": tmp_path / "company", "accounts": 5, "weeks": 30}.items():
        words += ["-P", f"{name}={value}"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "company" / "truth" / "manifest.json").exists()
