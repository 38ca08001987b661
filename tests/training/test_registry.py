"""The registry: one version per training, native files only, no verdict before it was judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from features.errors import UsageError
from features.settings import Home
from training.registry import ModelRegistry, RegisteredVersion, Trial

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
INPUTS = ("usage", "lateness")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(root=tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def registry(home: Home) -> ModelRegistry:
    return ModelRegistry(home)


@pytest.fixture(scope="module")
def booster() -> lgb.Booster:
    rows = np.random.default_rng(1).normal(size=(200, 2))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    return lgb.train(settings, lgb.Dataset(rows, (rows[:, 0] > 0).astype(int)), 3)


def open_one(registry: ModelRegistry, booster: lgb.Booster) -> RegisteredVersion:
    return registry.open_version(booster, inputs=INPUTS, params={"num_leaves": 7})


def close(registry: ModelRegistry, opened: RegisteredVersion, folder: Path, *, passed: object) -> RegisteredVersion:
    (folder / "bundle").mkdir()
    (folder / "bundle" / "model.txt").write_text("tree")
    (folder / "report.html").write_text("<p>report</p>")
    return registry.close_version(
        opened,
        bundle=folder / "bundle",
        documents={"report": folder / "report.html"},
        metrics={"auc_within_window": 0.66},
        verdict={"passed": passed, "gates": []},
        at=NOON,
    )


def test_a_version_has_no_verdict_until_it_is_closed(registry: ModelRegistry, booster: lgb.Booster) -> None:
    opened = open_one(registry, booster)
    assert (opened.judged, opened.verdict, opened.metrics) == ("not judged", None, {})
    assert registry.version(opened.version).params == {"num_leaves": "7"}


@pytest.mark.parametrize(("passed", "judged"), [(True, "passed"), (False, "refused"), (None, "refused")])
def test_closing_keeps_metrics_and_the_verdict(
    registry: ModelRegistry, booster: lgb.Booster, tmp_path: Path, passed: object, judged: str
) -> None:
    closed = close(registry, open_one(registry, booster), tmp_path, passed=passed)
    assert closed.judged == judged
    assert closed.verdict == {"passed": passed, "gates": []}
    assert closed.metrics == {"auc_within_window": 0.66}
    assert registry.version(closed.version) == closed


def test_the_stored_model_is_native_and_nothing_is_pickled(
    registry: ModelRegistry, booster: lgb.Booster, home: Home
) -> None:
    open_one(registry, booster)
    stored = [path for path in home.mlflow_artifacts.rglob("*") if path.is_file()]
    natives = [path for path in stored if path.name == "model.lgb"]
    assert natives
    assert lgb.Booster(model_file=str(natives[0])).num_trees() == 3
    assert [path.name for path in stored if path.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}] == []


def test_every_trial_is_kept_as_a_nested_run(registry: ModelRegistry, booster: lgb.Booster) -> None:
    opened = open_one(registry, booster)
    registry.record_trials(opened, [Trial(0, {"num_leaves": 7}, 0.31), Trial(1, {"num_leaves": 15}, 0.29)], at=NOON)
    nested = registry._client.search_runs(
        [registry._experiment()],
        f"tags.`mlflow.parentRunId` = '{opened.run_id}'",
    )
    kept = sorted((run.data.params["num_leaves"], run.data.metrics["within_window_log_loss"]) for run in nested)
    assert kept == [("15", 0.29), ("7", 0.31)]


def test_versions_come_newest_first(registry: ModelRegistry, booster: lgb.Booster) -> None:
    first, second = open_one(registry, booster), open_one(registry, booster)
    assert int(second.version) == int(first.version) + 1
    assert registry.versions()[0].version == second.version


def test_an_unknown_version_is_refused_with_the_known_ones(registry: ModelRegistry, booster: lgb.Booster) -> None:
    known = open_one(registry, booster).version
    with pytest.raises(UsageError, match=f"registered versions: {known}"):
        registry.version("no such version")


def test_an_outer_mlflow_run_in_the_environment_does_not_mislead(
    registry: ModelRegistry, booster: lgb.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef")
    assert open_one(registry, booster).judged == "not judged"


def test_the_alias_follows_the_live_version(registry: ModelRegistry, booster: lgb.Booster) -> None:
    opened = open_one(registry, booster)
    registry.mirror_champion(opened.version)
    found = registry._client.get_model_version_by_alias("campaign-pulse", "champion")
    assert str(found.version) == opened.version
