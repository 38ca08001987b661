"""How is a notebook run in a test, and what did it show?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import IPython.display
import jupytext
import nbclient

from features.settings import HOME_VARIABLE, Home

FOLDER = Path(__file__).parents[2] / "notebooks"
TOUR, REVIEW = FOLDER / "01_data_tour.py", FOLDER / "02_model_review.py"
LABELS, EXPLANATIONS = FOLDER / "03_label_choice.py", FOLDER / "04_explanation_review.py"
CAMPAIGNS, REPLAY = FOLDER / "05_campaign_effect.py", FOLDER / "06_replay_trial.py"

Run = Callable[[Path, Home], list[Any]]
"""Runs a notebook in this process, on a home, and gives what it showed."""


class Told(NamedTuple):
    """What a notebook showed: its sentences, its charts as pictures, its tables as HTML."""

    text: str
    charts: list[str]
    tables: list[str]


def files_of(home: Home) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file of a home but the state, whose journal any reader may touch."""
    return {
        path.relative_to(home.root).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in home.root.rglob("*")
        if path.is_file() and not path.name.startswith("state.db")
    }


def executed(path: Path, home: Home, scratch: Path) -> Told:
    """The notebook in a kernel of its own; any error in it is raised here."""
    notebook = jupytext.read(path)
    places = {name: str(scratch) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    client = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3")
    client.execute(env={**os.environ, **places, HOME_VARIABLE: str(home.root)})
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    shown = [output.data for output in outputs]
    return Told(
        text="\n".join(data["text/markdown"] for data in shown if "text/markdown" in data),
        charts=[data["image/svg+xml"] for data in shown if "image/svg+xml" in data],
        tables=[data["text/html"] for data in shown if "text/html" in data],
    )


def marks(told: Told, title: str, kind: str) -> int:
    """How many marks of one kind the chart of that title draws for its data; one without a colour cannot be seen."""
    (chart,) = (chart for chart in told.charts if title in chart)
    drawn = re.findall(rf'<[^>]*aria-roledescription="{kind}"[^>]*>', chart)
    return sum(1 for mark in drawn if re.search(r' (fill|stroke)="(#|rgb)', mark))


def sentences(shown: list[Any]) -> str:
    return "\n".join(item.data for item in shown if isinstance(item, IPython.display.Markdown))


def titles(shown: list[Any]) -> str:
    return "\n".join(str(item.to_dict().get("title")) for item in shown if isinstance(item, alt.TopLevelMixin))


def forget_promotions(home: Home) -> None:
    for file in home.root.glob("state.db*"):
        file.unlink()


def unmeasured(document: Any) -> Any:
    """The evaluation with every estimate null, no bins and no expected leavers, as of a block in which nobody left."""
    if isinstance(document, list):
        return []
    if not isinstance(document, dict):
        return document
    blank = {name: unmeasured(value) for name, value in document.items()}
    if {"value", "low", "high"} <= set(document):
        return blank | {"value": None, "low": None, "high": None, "reason": "no rows"}
    absent = ("expected", "base_rate", "floor_median", "floor_p95", "floor_p95_recurring")
    return blank | {name: None for name in absent if name in document}
