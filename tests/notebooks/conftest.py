"""What every test of a notebook stands on: the walk's home, and a way to run cells here."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import IPython.display
import pytest

from features.settings import HOME_VARIABLE, Home

from .notebook_case import Run

if TYPE_CHECKING:
    from tests.walk_case import Walk


@pytest.fixture(scope="module")
def home(walked: Walk) -> Home:
    return walked.home


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a notebook here and returns what it showed."""
    shown: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    theme, renderer, data = alt.theme.active, alt.renderers.active, alt.data_transformers.active

    def run(path: Path, home: Home) -> list[Any]:
        monkeypatch.setenv(HOME_VARIABLE, str(home.root))
        runpy.run_path(str(path), run_name="notebook")
        return shown

    yield run
    alt.theme.enable(theme)
    alt.renderers.enable(renderer)
    alt.data_transformers.enable(data)
