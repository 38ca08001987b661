"""Do the notebooks run from top to bottom on a real home, on homes that lack things, and through doors only?"""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jupytext
import nbformat
import pytest

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.events import TABLES
from features.settings import Home
from features.vocabulary import Subcategory
from features.warehouse import Warehouse
from training import promotions

from .notebook_case import (
    FOLDER,
    REVIEW,
    TOUR,
    Run,
    Told,
    executed,
    files_of,
    forget_promotions,
    marks,
    sentences,
    titles,
    unmeasured,
)

if TYPE_CHECKING:
    from tests.walk_case import Walk

pytestmark = pytest.mark.timeout(1800)

NOTEBOOKS = sorted(FOLDER.glob("*.py"))
ROOMS = {"features", "training", "serving", "pulse"}
DOORS = {
    *(f"features.{door}" for door in ("vocabulary", "errors", "settings", "progress", "state", "events", "catalogue")),
    *(f"features.{door}" for door in ("cohort", "identity", "warehouse", "store")),
    *(f"training.{door}" for door in ("model", "promotions")),
}


def named(path: Path) -> str:
    return path.name


# --- The files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_enters_rooms_by_their_doors(path: Path) -> None:
    entered = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            entered |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            in_room = node.module in ROOMS  # `from training import promotions` names the door on the right
            entered |= {f"{node.module}.{alias.name}" for alias in node.names} if in_room else {node.module}
    assert {name for name in entered if name.split(".")[0] in ROOMS} - DOORS == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_a_pair_whose_cells_survive_the_way_there_and_back(path: Path) -> None:
    notebook = jupytext.read(path)
    assert notebook.metadata["jupytext"]["formats"] == "ipynb,py:percent"
    again = jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent")
    assert [(c.cell_type, c.source) for c in again.cells] == [(c.cell_type, c.source) for c in notebook.cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_every_part_of_a_notebook_begins_with_prose(path: Path) -> None:
    cells = jupytext.read(path).cells
    headings = [cell.source.splitlines()[0] for cell in cells if cell.source.startswith("#") and is_prose(cell)]
    assert headings[0].startswith("# ")
    assert len(headings) >= 6
    # Never more than two code cells in a row without a word between them.
    kinds = "".join("p" if is_prose(cell) else "c" for cell in cells)
    assert "ccc" not in kinds


def is_prose(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.cell_type == "markdown")


def test_outputs_stay_out_of_git() -> None:
    assert "notebooks/*.ipynb" in (FOLDER.parent / ".gitignore").read_text().splitlines()


# --- Run as a colleague runs them: in a kernel, on a home with a live model ------------------------------------------


@pytest.fixture(scope="module")
def before(home: Home) -> dict[str, tuple[int, int]]:
    return files_of(home)


@pytest.fixture(scope="module")
def tour(home: Home, scratch: Path, before: object) -> Told:
    return executed(TOUR, home, scratch)


@pytest.fixture(scope="module")
def review(home: Home, scratch: Path, before: object) -> Told:
    return executed(REVIEW, home, scratch)


def test_the_tour_tells_what_is_loaded_and_shows_every_part(tour: Told, home: Home) -> None:
    cohort, snapshots = read_cohort(home), built_as_ofs(home)
    assert f"**{len(snapshots)} weekly snapshots**, {snapshots[0]:%d %b %Y} to {snapshots[-1]:%d %b %Y}" in tour.text
    assert f"{len(cohort):,} account-weeks of {cohort['account_id'].nunique():,} accounts" in tour.text
    for table, rows in Warehouse(home).loaded_tables().items():
        assert table in tour.tables[0]
        assert f"{rows:,}" in tour.tables[0]
    assert marks(tour, "Who could leave", "area mark") == cohort["cohort_status"].nunique()
    assert marks(tour, "How late rows come", "circle") == len(Warehouse(home).loaded_tables())
    phases = marks(tour, "Phases over the year", "area mark")
    assert phases >= 3
    assert marks(tour, "without a value", "rect mark") == phases * len(Subcategory)
    assert marks(tour, "parts move together", "rect mark") >= len(Subcategory)
    assert marks(tour, "Decisions due", "bar") > 0
    assert marks(tour, "Campaigns of the last year", "bar") >= 4
    assert marks(tour, "as known then, and since", "bar") > 2
    assert marks(tour, "Usage around the end", "line mark") == 1
    assert marks(tour, "read in two ways", "line mark") == 2


def test_a_wrap_looks_like_churn_in_the_raw_change_and_not_against_expectation(tour: Told) -> None:
    found = re.search(r"raw change is \*\*(\S+)%\*\*.*the median is \*\*(\S+)%\*\*", tour.text)
    assert found is not None
    raw, against_expectation = (float(number) for number in found.groups())
    # The made-up company triples its usage in a campaign: two thirds fall away after it, in sound accounts as well.
    assert raw < -40
    assert abs(against_expectation) < 20


def test_the_review_tells_which_model_is_live_and_repeats_its_stored_judgement(review: Told, home: Home) -> None:
    live = promotions.require_current(home).version
    assert f"Model version **{live}** is **live**. Its verdict: **passed**." in review.text
    document = json.loads((home.reports / live / "evaluation.json").read_text())
    headline = document["horizons"][str(document["plan"]["headline_days"])]
    auc = headline["auc_window"]
    assert f"{auc['value']:.2f} ({auc['low']:.2f} to {auc['high']:.2f})" in review.tables[1]
    assert marks(review, "Ranking at", "circle") == 2 * len(document["arms"])
    bins = sum(len(horizon["reliability"]) for horizon in document["horizons"].values())
    assert marks(review, "Reliability on the judged weeks", "circle") == bins
    groups = [group for kind in ("phases", "segments", "contracts") for group in document[kind].values()]
    measured = [group for group in groups if group["calibration"]["ratio"]["value"] is not None]
    assert marks(review, "Calibration at", "circle") == len(measured)
    verdict = json.loads((home.reports / live / "verdict.json").read_text())
    for gate in verdict["gates"]:
        assert gate["title"] in review.tables[0]


def test_the_review_adds_up_and_shows_every_part(review: Told) -> None:
    found = re.search(r"over [\d,]+ accounts: (\S+) points of health, (\S+) within a part", review.text)
    assert found is not None
    assert all(float(error) <= 1e-6 for error in found.groups())
    assert "Accounts whose risk falls with the horizon: 0 of " in review.text
    assert marks(review, "Points per part", "circle") % len(Subcategory) == 0
    assert marks(review, "Points per part", "circle") > 0
    assert marks(review, "Mean points per segment", "rect mark") % len(Subcategory) == 0
    assert marks(review, "features that move health most", "bar") == 15
    assert marks(review, "comes to a health of", "bar") >= len(Subcategory) + 2  # and the base, and the sum
    assert marks(review, "by when they decide", "line mark") >= 2
    assert marks(review, "as one feature moves", "line mark") == 4


def test_reading_a_home_writes_nothing_into_it(
    tour: Told, review: Told, home: Home, before: dict[str, tuple[int, int]]
) -> None:
    assert len(before) > len(TABLES) / 2
    assert files_of(home) == before


# --- Run on homes that lack things: same cells, in this process -------------------------------------------------------


def test_with_the_least_of_tables_the_tour_says_what_is_missing_and_goes_on(own_walk: Walk, ran: Run) -> None:
    for table in set(TABLES) - {"accounts_history", "contracts_history"}:
        shutil.rmtree(own_walk.home.warehouse / table, ignore_errors=True)
    shown = ran(TOUR, own_walk.home)
    assert "No account takes part in a campaign here" in sentences(shown)
    assert "then and now are the same here" in sentences(shown)
    assert "read in two ways" not in titles(shown)
    assert "How strongly parts move together" in titles(shown)


def test_with_no_live_model_the_review_takes_the_newest_judged_one_and_says_so(own_walk: Walk, ran: Run) -> None:
    forget_promotions(own_walk.home)
    shown = ran(REVIEW, own_walk.home)
    assert "is **not live**; no model is." in sentences(shown)
    assert "comes to a health of" in titles(shown)
    assert not own_walk.home.state.exists()


def test_a_refused_model_of_which_little_could_be_measured_is_told_in_words(own_walk: Walk, ran: Run) -> None:
    folder = own_walk.home.reports / promotions.require_current(own_walk.home).version
    forget_promotions(own_walk.home)
    document = json.loads((folder / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps(unmeasured(document)))
    verdict = json.loads((folder / "verdict.json").read_text())
    verdict["gates"][0] |= {"passed": False, "cause": "too few outcomes", "reason": "3 accounts left"}
    (folder / "verdict.json").write_text(json.dumps(verdict | {"passed": False}))
    shown = ran(REVIEW, own_walk.home)
    assert "Its verdict: **refused**." in sentences(shown)
    assert f"- **Refused: {verdict['gates'][0]['title']}.** 3 accounts left." in sentences(shown)
    assert "No area under the ROC curve could be measured" in sentences(shown)
    assert "no rows" in sentences(shown)
    assert "Points per part, by band" in titles(shown)


def test_a_home_without_data_says_what_to_run_first(tmp_path: Path, ran: Run) -> None:
    with pytest.raises(MissingStateError, match="run `pulse ingest DIR`"):
        ran(TOUR, Home(root=tmp_path / "nothing"))
    with pytest.raises(MissingStateError, match=r"no model is live.*run `pulse train"):
        ran(REVIEW, Home(root=tmp_path / "nothing"))


def test_a_home_without_features_says_what_to_run_first(own_walk: Walk, ran: Run) -> None:
    shutil.rmtree(own_walk.home.snapshots)
    with pytest.raises(MissingStateError, match="run `pulse build`"):
        ran(TOUR, own_walk.home)


def test_a_model_without_a_stored_evaluation_says_what_to_run_first(own_walk: Walk, ran: Run) -> None:
    shutil.rmtree(own_walk.home.reports)
    with pytest.raises(MissingStateError, match="run `pulse evaluate --model 1`"):
        ran(REVIEW, own_walk.home)
