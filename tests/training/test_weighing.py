"""Weights of the leads against a live model in a home: tried, put in force, ended, by command."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pulse
from features.errors import MissingStateError, UsageError
from features.settings import Home
from training import promotions
from training.policy_log import policy_changes, weights_in_force
from training.weighing import activate, weigh

from .bundle_case import trained
from .lifecycle_case import stored_portfolio
from .test_promotions import NOON, PASSED

CUT = trained().world.data_cut


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the portfolio's model is live as version 1."""
    made = stored_portfolio(tmp_path_factory.mktemp("weighing") / "home", trained().world)
    trained().write(made.bundles / "1")
    promotions.promote(made, "1", who="ada", why="first", verdict=PASSED, at=NOON)
    return made


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "weights.yaml"
    file.write_text("name: use first\nengagement: 2\nfinancial: 1\n")
    return file


def test_weights_are_tried_on_snapshots_that_the_model_did_not_learn_from(home: Home, weights: Path) -> None:
    before = policy_changes(home)
    found = weigh(home, weights, CUT)
    fold = trained().split.final
    tested = fold.test(trained().snapshots).sum()
    assert (found.model_version, found.name) == ("1", "use first")
    assert 0 < found.rows <= tested
    assert policy_changes(home) == before


def test_what_is_put_in_force_keeps_its_backtest_and_can_be_ended(home: Home, weights: Path) -> None:
    found, change = activate(home, weights, CUT, said=("ada", "we think so"), at=NOON)
    assert weights_in_force(home) == change.weights
    assert policy_changes(home)[-1].backtest == found.model_dump(mode="json")
    run = CliRunner().invoke(pulse.app, ["--home", str(home.root), "weights", "end", "--why", "enough"])
    assert run.exit_code == 0, run.output
    assert weights_in_force(home) is None


def test_the_command_tells_the_backtest_to_people_and_programs(home: Home, weights: Path, tmp_path: Path) -> None:
    document = tmp_path / "told.json"
    asked = ["weights", "try", str(weights), "--as-of", CUT.date().isoformat(), "--json", str(document)]
    run = CliRunner().invoke(pulse.app, ["--home", str(home.root), *asked])
    assert run.exit_code == 0, run.output
    assert "use first: engagement 67%, financial 33%" in run.output
    assert json.loads(document.read_text())["weights"]["engagement"] == pytest.approx(2 / 3)


def test_the_list_says_that_there_is_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    run = CliRunner().invoke(pulse.app, ["--home", str(tmp_path / "none"), "weights", "list"])
    assert (run.exit_code, run.output) == (0, "no weights were ever in force: only the model orders accounts\n")


def test_weights_are_never_tried_on_what_the_model_learnt_from(home: Home, weights: Path) -> None:
    # A week before the model's own cut its untouched block would be counted from elsewhere, over rows it learnt from.
    with pytest.raises(UsageError, match="learnt from"):
        weigh(home, weights, CUT - timedelta(days=7))


def test_without_a_live_model_there_is_nothing_to_compare_with(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="no model is live"):
        weigh(Home(root=tmp_path / "none"), weights, CUT)
