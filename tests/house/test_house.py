"""Does the house keep its own rules: sizes, names, doors, one place per tool?"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from features.errors import _EXIT_CODES

ROOT = Path(__file__).parents[2]
ROOMS = ("features", "training", "serving")
SOURCES = sorted([ROOT / "pulse.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])
BANNED_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
SPOKEN_IN = {
    "duckdb": {"features/warehouse.py"},
    "pyspark": {"features/spark_engine.py"},
    "py4j": {"features/spark_engine.py"},
    "feast": {"features/feast_import.py"},
    "typeguard": {"features/feast_import.py"},
    "mlflow": {"training/registry.py"},
    "optuna": {"training/study.py"},
    "lightgbm": {"training/boosting.py", "training/model.py", "training/dask_engine.py"},
    "dask": {"training/dask_engine.py"},
    "distributed": {"training/dask_engine.py"},
    "bentoml": {"serving/service.py"},
    "numba": {"training/machine_code.py"},
    "icalendar": {"features/calendars/ics_file.py"},
    "shap": {"training/shap_plots.py"},
    "matplotlib": {"training/plots.py", "training/shap_plots.py"},
}
PICKLES = ("pickle", "joblib", "dill", "cloudpickle")
CLOCKS = re.compile(r"datetime\.now|datetime\.utcnow|date\.today|time\.time\(")
MAY_READ_THE_CLOCK = {"pulse.py", "serving/service.py", "serving/live.py", "serving/clock.py"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache  # asked for every tool
def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_holds_one_idea_in_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 40
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [named(path) for path in SOURCES if path.stem in BANNED_NAMES] == []


@pytest.mark.parametrize("tool", sorted(SPOKEN_IN))
def test_a_tool_is_spoken_to_in_its_own_files_only(tool: str) -> None:
    assert {named(path) for path in SOURCES if tool in imports_of(path)} <= SPOKEN_IN[tool]


def test_nothing_of_ours_pickles() -> None:
    assert [named(path) for path in SOURCES if imports_of(path) & set(PICKLES)] == []


def test_only_the_command_line_and_the_service_read_the_clock() -> None:
    readers = {named(path) for path in SOURCES if CLOCKS.search(path.read_text())}
    assert readers <= MAY_READ_THE_CLOCK


def test_the_service_cannot_reach_the_truth_of_a_made_up_company() -> None:
    readers = [named(path) for path in SOURCES if "oracle.parquet" in path.read_text()]
    allowed = ("features/simulator/", "training/truth.py")
    assert [name for name in readers if not name.startswith(allowed)] == []


def test_help_does_not_load_a_heavy_library() -> None:
    code = (
        "import sys, pulse;"
        "heavy = {'pandas', 'numpy', 'duckdb', 'feast', 'mlflow', 'lightgbm', 'numba', 'bentoml', 'sklearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def locked(name: str) -> dict[str, str]:
    """Version per package of a lock."""
    lines = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package.lower().replace("_", "-"): version for package, version in lines}


@pytest.mark.parametrize(("name", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_every_direct_dependency_is_locked_within_its_bounds(name: str, extras: tuple[str, ...]) -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, build = document["project"], document["dependency-groups"]["build"]
    more = [need for extra in extras for need in project["optional-dependencies"][extra]]
    held = locked(name)
    outside = [
        str(need)
        for need in map(Requirement, [*project["dependencies"], *build, *more])
        if not need.specifier.contains(held.get(need.name.lower().replace("_", "-"), ""))
    ]
    assert outside == []


def test_what_runs_is_tested_in_the_version_in_which_it_runs() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_address_and_hashes_everything(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    assert "--index" not in lock
    blocks = re.split(r"\n(?=[a-z0-9])", lock.strip(), flags=re.IGNORECASE)
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_every_exit_code_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [f"{code} {kind.__name__}" for kind, code in _EXIT_CODES.items() if f"| {code} |" not in readme]
    assert missing == []


@pytest.mark.parametrize(("source", "rooms"), [("training", ("features",)), ("serving", ("features", "training"))])
def test_every_module_is_private_to_its_room_unless_the_contract_names_it_a_door(
    source: str, rooms: tuple[str, ...]
) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (
        one
        for one in contracts
        if one["type"] == "forbidden"
        and one["source_modules"] == [source]
        and f"{rooms[0]}.*" in one["forbidden_modules"]
    )
    assert contract["forbidden_modules"] == [f"{room}.*" for room in rooms]
    doors = [line.removeprefix(f"{source}.** -> ") for line in contract["ignore_imports"]]
    assert doors == sorted(doors)
    gone = [door for door in doors if not (ROOT / f"{door.replace('.', '/')}.py").exists()]
    assert gone == []
