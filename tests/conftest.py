"""What every test stands on: one thread per process, no telemetry, no screen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

# Set before any library is imported: two test workers with two threads each would slow each other down many times.
for variable in ("PULSE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import pytest  # noqa: E402  after the environment

if TYPE_CHECKING:
    from tests.walk_case import Walk


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file, or a group of files that says so, in one worker: what its tests share is made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A home in which the whole job was done once; takes a minute or two. Read only."""
    from tests.walk_case import walk  # noqa: PLC0415  loads everything, which most tests do not need

    return walk(tmp_path_factory.mktemp("walk"))


@pytest.fixture
def own_walk(walked: Walk, tmp_path: Path) -> Walk:
    """A copy of it to change."""
    return walked.copy(tmp_path / "home")
