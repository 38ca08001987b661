"""What every test stands on: one thread per process, no telemetry, no screen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Set before any library is imported: two test workers with two threads each would slow each other down many times.
for variable in ("PULSE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import pytest  # noqa: E402  after the environment

if TYPE_CHECKING:
    from tests.walk_case import Walk


WALKS = ("tests/test_walk", "tests/notebooks/")
"""Files whose tests read the walk: they go to one worker, which makes it once."""
FIRST = ("walk", "tests/features/test_spark_engine.py", "tests/features/test_kept_usage.py")
"""What takes longest, though it is few tests: begun last, it would keep one worker alone at the end."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file in one worker, so that what its tests share is made once."""
    # Not by xdist's own groups: under pytest 9.2 its marks are no longer seen.
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  xdist may be switched off

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "walk" if nodeid.startswith(WALKS) else nodeid.split("::", maxsplit=1)[0]

        def _assign_work_unit(self, node: Any) -> None:
            for scope in reversed(FIRST):
                if scope in self.workqueue:
                    self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A home in which the whole job was done once; takes a minute or two. Read only."""
    from tests.walk_case import walk  # noqa: PLC0415  loads everything, which most tests do not need

    return walk(tmp_path_factory.mktemp("walk"))


@pytest.fixture(scope="module")
def everything_kept() -> Iterator[None]:
    """Small homes keep a build's answers for the next one, as large ones do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.kept.KEPT_FROM", 0)
        yield


@pytest.fixture
def own_walk(walked: Walk, tmp_path: Path) -> Walk:
    """A copy of it to change."""
    return walked.copy(tmp_path / "home")
