"""Is a model that several machines fitted as good as one that this machine fits? On a real cluster on loopback."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
import yaml
from distributed import Client
from sklearn.metrics import log_loss, roc_auc_score
from typer.testing import CliRunner

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import ServiceUnavailable, UsageError
from pulse import app
from training import dask_engine
from training.boosting import inputs_of, margins
from training.dask_engine import DaskCluster
from training.fit import Fitted, fit_hazard
from training.model import load_bundle
from training.periods import MODEL_INPUTS
from training.registry import ModelRegistry
from training.study import Study

from .bundle_case import SMALL, trained
from .dask_case import cluster
from .lifecycle_case import stored_portfolio
from .search_case import wait_until

PARAMS = {
    "max_depth": 3,
    "num_leaves": 6,
    "learning_rate": 0.08,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
}
ROUNDS = 80
SEEDS = 5


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


@pytest.fixture(scope="module")
def far(scheduler: str) -> Fitted:
    return fit_hazard(trained().development, PARAMS, ROUNDS, SMALL, cluster=DaskCluster.at(scheduler))


def on_later_time(fitted: Fitted) -> tuple[float, float]:
    """AUC and log-loss on periods that nothing was fitted on."""
    made = trained()
    later = made.rows[made.split.final.test(made.rows)]
    chance = 1 / (1 + np.exp(-margins(fitted.booster, inputs_of(later), threads=1)))
    left, weight = later["y"].to_numpy(), later["weight"].to_numpy()
    return roc_auc_score(left, chance, sample_weight=weight), log_loss(left, chance, sample_weight=weight)


def test_the_cluster_fits_as_well_as_this_machine_does_with_some_seed(far: Fitted) -> None:
    seeds = [SMALL.model_copy(update={"seed": SMALL.seed + step}) for step in range(SEEDS)]
    here = np.array(
        [on_later_time(fit_hazard(trained().development, PARAMS, ROUNDS, seed, threads=1)) for seed in seeds]
    )
    # Seeds are the yardstick: bins and sums differ between one machine and two, as draws differ between seeds.
    middle, spread = here.mean(axis=0), np.ptp(here, axis=0)
    told = np.array(on_later_time(far))
    assert (spread < [0.04, 0.01]).all(), "the yardstick is too coarse to prove anything"
    assert (np.abs(told - middle) <= 2 * spread).all(), (told, middle, spread)
    # And it learnt at all: a base rate has an AUC of one half.
    assert told[0] > 0.7


def test_every_row_counts_once_on_the_cluster(scheduler: str) -> None:
    rows = trained().development
    whole = {**PARAMS, "bagging_fraction": 1.0}
    fitted = fit_hazard(rows, whole, 1, SMALL, cluster=DaskCluster.at(scheduler))
    # What was grown on the cluster comes first; the start, from this machine, after it.
    trees = fitted.booster.dump_model()["tree_info"][: SMALL.ensemble_size]
    assert [tree["tree_structure"]["internal_count"] for tree in trees] == [len(rows)] * SMALL.ensemble_size
    here = fit_hazard(rows, whole, 1, SMALL, threads=1)
    told, told_here = (margins(one.booster, inputs_of(rows), threads=1) for one in (fitted, here))
    # One round of steps this small moves little: a cluster that did not start from the start would be far off.
    assert np.abs(told - told_here).max() < 0.5
    assert np.ptp(told) > 1.5


def test_the_text_is_a_whole_model_and_does_not_say_where_it_was_made(far: Fitted, scheduler: str) -> None:
    again = lgb.Booster(model_str=far.text)
    assert again.num_trees() == far.booster.num_trees() > ROUNDS * SMALL.ensemble_size
    assert again.feature_name() == list(MODEL_INPUTS)
    assert not re.search(r"127\.0\.0\.1|local_listen_port|machines", far.text)
    assert re.search(r"^\[seed: 20240415\]$", far.text, re.MULTILINE)
    assert far.notes[-1] == "the final fit was made on a Dask cluster of 2 workers"
    assert far.params == PARAMS


@pytest.mark.parametrize("direction", [1, -1])
def test_constraints_hold_on_the_cluster_too(far: Fitted, direction: int) -> None:
    base, steps = inputs_of(trained().development.iloc[:20]), np.linspace(-6, 6, 9)
    for name in [name for name in MODEL_FEATURES if feature_named(name).monotone == direction]:
        moved = np.repeat(base, len(steps), axis=0)
        moved[:, MODEL_INPUTS.index(name)] = np.tile(steps, len(base))
        curves = margins(far.booster, moved, threads=1).reshape(len(base), len(steps))
        assert (direction * np.diff(curves, axis=1) >= 0).all(), name


def test_a_model_is_trained_judged_and_registered_with_the_cluster(scheduler: str, tmp_path: Path) -> None:
    home = stored_portfolio(tmp_path / "home", trained().world)
    recipe = tmp_path / "recipe.yaml"
    small = SMALL.model_copy(update={"max_rounds": 30, "trials": 1})
    recipe.write_text(yaml.safe_dump(small.model_dump(mode="json", exclude_defaults=True)))
    words = ["train", "--home", str(home.root), "--as-of", str(trained().world.data_cut.date())]
    words += ["--recipe", str(recipe), "--engine", "dask", "--scheduler", scheduler]
    done = CliRunner().invoke(app, words)
    (version,) = ModelRegistry(home).versions()
    # The portfolio is too small for the gates: refused, but judged.
    assert (done.exit_code, version.judged) in {(8, "refused"), (9, "refused"), (0, "passed")}
    assert "note: the final fit was made on a Dask cluster of 2 workers" in done.stdout
    bundle = load_bundle(home.bundles / version.version)
    assert bundle.facts["notes"][-1] == "the final fit was made on a Dask cluster of 2 workers"
    # Its search is kept in the home.
    (kept,) = home.studies.glob("*/trials.journal")
    assert Study.joined(kept).finished == 1


def test_workers_that_are_killed_end_the_fit_with_a_word_and_begin_none(tmp_path: Path) -> None:
    rows = trained().development
    with cluster(tmp_path) as address, Client(address, set_as_default=False) as client:
        killed = client.run(os.getpid)

        def kill_one() -> None:
            wait_until(lambda: any("_train_part" in str(key) for keys in client.processing().values() for key in keys))
            os.kill(next(iter(killed.values())), signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        with pytest.raises(ServiceUnavailable, match=r"a fit that failed on a worker.*--resume"):
            fit_hazard(rows, PARAMS, 20_000, SMALL, cluster=DaskCluster.at(address))
        killer.join()
        # With the other one gone, too, nothing is begun.
        (left,) = client.run(os.getpid).values()
        os.kill(left, signal.SIGKILL)
        wait_until(lambda: not client.scheduler_info(n_workers=-1)["workers"])
        with pytest.raises(ServiceUnavailable, match="without workers"):
            DaskCluster.at(address)


def test_a_scheduler_that_does_not_answer_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_engine, "PATIENCE", timedelta(seconds=1))
    words = ["train", "--home", str(tmp_path), "--as-of", "2024-01-01", "--engine", "dask"]
    done = CliRunner().invoke(app, [*words, "--scheduler", "tcp://127.0.0.1:9"])
    assert (done.exit_code, done.stdout) == (10, "")
    assert "found: no answer" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", [None, "", "127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://somewhere"])
def test_an_address_that_is_none_is_refused(address: str | None) -> None:
    with pytest.raises(UsageError, match="no Dask scheduler"):
        DaskCluster.at(address)


def test_a_scheduler_is_for_dask_only(tmp_path: Path) -> None:
    words = ["train", "--home", str(tmp_path), "--as-of", "2024-01-01", "--scheduler", "tcp://127.0.0.1:9"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "only Dask has a scheduler" in done.stderr) == (2, True)
