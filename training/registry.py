"""What was trained, with which settings, and how was it judged? The talk with MLflow.

Grain: one registered version per training. A version is opened before it is judged and closed with its verdict; one
that was never closed has no verdict and can never be promoted. MLflow's store is SQLite under the home; no server runs.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# MLflow reads these when it is imported; telemetry is off unless the operator says otherwise.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

import mlflow
import mlflow.lightgbm
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema

from features.errors import MissingStateError, UsageError
from features.settings import Home
from training.target import Target, target_of

EXPERIMENT = "campaign-pulse"
_VERDICT_TAG = "pulse.verdict"
_WATCHED_TAG = "pulse.watched"
_REFUSED, _PASSED, _OPEN = "refused", "passed", "not judged"


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of the search, as it is kept: number, parameters and value (lower is better; None when pruned)."""

    number: int
    params: Mapping[str, Any]
    value: float | None


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """One arm of a comparison, as it is kept."""

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A comparison, as it is kept: settings, arms, and documents by file name."""

    params: Mapping[str, Any]
    arms: Sequence[ComparedArm]
    documents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One registered model. ``verdict`` is None until it was judged; ``metrics`` come from the untouched test block."""

    version: str
    run_id: str
    judged: str
    verdict: dict[str, Any] | None
    metrics: dict[str, float]
    params: dict[str, str]


class ModelRegistry:
    """The registered models of one home and one target.

    A version is called as :meth:`training.target.Target.folder` says: ``3``, or ``contraction-3``.
    """

    def __init__(self, home: Home, target: Target = Target.CHURN) -> None:
        self.home = home.prepare()
        self.target = target
        home.mlflow_artifacts.mkdir(exist_ok=True)
        # MLflow 3.17 still asks SQLAlchemy 2.1 for a loader that will go; who types a command can do nothing about it.
        # Asked each time, because libraries that are imported in between put their own filters in front.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
        self._client = MlflowClient(tracking_uri=home.mlflow_uri, registry_uri=home.mlflow_uri)

    def open_version(self, booster: Any, *, inputs: Sequence[str], params: Mapping[str, Any]) -> RegisteredVersion:
        """Start a run, store the native booster with an explicit schema, register it as a version not yet judged."""
        run = self._client.create_run(self._experiment(), run_name="train")
        run_id = run.info.run_id
        self._client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
        with _fluent(self.home, run_id):
            logged = mlflow.lightgbm.log_model(
                booster,
                name="model",
                signature=ModelSignature(
                    inputs=Schema([ColSpec("double", name, required=True) for name in inputs]),
                    outputs=Schema([ColSpec("double")]),
                ),
                pip_requirements=["lightgbm"],
            )
        self._register_name()
        registered = self._client.create_model_version(
            self.target.model_name,
            logged.model_uri,
            run_id=run_id,
            model_id=logged.model_id,
            tags={_VERDICT_TAG: _OPEN},
        )
        return self._read(registered)

    def record_trials(self, opened: RegisteredVersion, trials: Sequence[Trial], *, at: datetime) -> None:
        """Keep every trial of the search as a nested run under the version's run."""
        now = _milliseconds(at)
        for trial in trials:
            run = self._client.create_run(
                self._experiment(), run_name=f"trial {trial.number}", tags={"mlflow.parentRunId": opened.run_id}
            )
            self._client.log_batch(
                run.info.run_id,
                metrics=[] if trial.value is None else [Metric("within_window_log_loss", trial.value, now, 0)],
                params=[Param(key, str(value)) for key, value in trial.params.items()],
            )
            self._client.set_terminated(run.info.run_id, status="KILLED" if trial.value is None else "FINISHED")

    def close_version(
        self,
        opened: RegisteredVersion,
        *,
        bundle: Path,
        documents: Mapping[str, Path],
        metrics: Mapping[str, float],
        verdict: Mapping[str, Any],
        at: datetime,
    ) -> RegisteredVersion:
        """Store the bundle, the reports and the metrics of a version and give it its verdict; the run ends."""
        now = _milliseconds(at)
        self._client.log_artifacts(opened.run_id, str(bundle), "bundle")
        for folder, path in documents.items():
            self._client.log_artifact(opened.run_id, str(path), folder)
        self._client.log_dict(opened.run_id, dict(verdict), "verdict.json")
        self._client.log_batch(
            opened.run_id,
            metrics=[Metric(key, float(value), now, 0) for key, value in metrics.items()],
            tags=[RunTag(_VERDICT_TAG, _PASSED if verdict.get("passed") is True else _REFUSED)],
        )
        judged = _PASSED if verdict.get("passed") is True else _REFUSED
        number = target_of(opened.version)[1]
        self._client.set_model_version_tag(self.target.model_name, number, _VERDICT_TAG, judged)
        self._client.set_registered_model_alias(self.target.model_name, "challenger", number)
        self._client.set_terminated(opened.run_id)
        return self.version(opened.version)

    def record_comparison(self, told: ComparedRun, *, at: datetime) -> str:
        """Keep a comparison as a run with a nested run per arm, and its documents; the id of the run."""
        now = _milliseconds(at)
        run_id = str(self._client.create_run(self._experiment(), run_name="compare", start_time=now).info.run_id)
        self._client.log_batch(run_id, params=[Param(key, str(value)) for key, value in told.params.items()])
        for arm in told.arms:
            tags = {"mlflow.parentRunId": run_id}
            nested = self._client.create_run(self._experiment(), run_name=f"arm {arm.name}", start_time=now, tags=tags)
            self._client.log_batch(
                nested.info.run_id,
                metrics=[Metric(key, value, now, 0) for key, value in arm.metrics.items()],
                params=[Param(key, str(value)) for key, value in arm.params.items()],
            )
            self._client.set_terminated(nested.info.run_id)
        for name, text in told.documents.items():
            self._client.log_text(run_id, text, name)
        self._client.set_terminated(run_id)
        return run_id

    def record_watch(self, version: str, page: Path, metrics: Mapping[str, float], *, at: datetime) -> None:
        """Keep what a watch over a version found as a run of its own, so that there is a history."""
        run = self._client.create_run(self._experiment(), run_name=f"watch {version}", tags={_WATCHED_TAG: version})
        now = _milliseconds(at)
        self._client.log_artifact(run.info.run_id, str(page))
        self._client.log_batch(
            run.info.run_id, metrics=[Metric(key, float(value), now, 0) for key, value in metrics.items()]
        )
        self._client.set_terminated(run.info.run_id)

    def versions(self) -> tuple[RegisteredVersion, ...]:
        """Every registered version, newest first; empty when nothing was trained."""
        found = self._client.search_model_versions(f"name='{self.target.model_name}'")
        return tuple(self._read(entry) for entry in sorted(found, key=lambda entry: -int(entry.version)))

    def version(self, reference: str) -> RegisteredVersion:
        """One version by its number.

        Raises:
            MissingStateError: nothing was trained yet.
            UsageError: no such version.
        """
        versions = self.versions()
        if not versions:
            raise MissingStateError(
                f"there is no model version {reference}",
                expected="a registered model",
                found="none",
                todo="run `pulse train --as-of DATE`",
            )
        for entry in versions:
            if entry.version == reference:
                return entry
        known = ", ".join(entry.version for entry in versions)
        raise UsageError(
            f"there is no model version {reference}",
            expected=f"one of the registered versions: {known}",
            found=reference,
            todo="run `pulse models` to see them, or `pulse train --as-of DATE` to make one",
        )

    def mirror_champion(self, version: str) -> None:
        """Point MLflow's alias ``champion`` at the live version; the promotion log stays the truth."""
        self._client.set_registered_model_alias(self.target.model_name, "champion", version)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=self.home.mlflow_artifacts.as_uri()))

    def _register_name(self) -> None:
        try:
            self._client.get_registered_model(self.target.model_name)
        except MlflowException as absent:
            if absent.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self._client.create_registered_model(self.target.model_name)

    def _read(self, entry: Any) -> RegisteredVersion:
        run = self._client.get_run(entry.run_id)
        judged = entry.tags.get(_VERDICT_TAG, _OPEN)
        return RegisteredVersion(
            version=self.target.folder(str(entry.version)),
            run_id=entry.run_id,
            judged=judged,
            verdict=None if judged == _OPEN else self._verdict(entry.run_id),
            metrics=dict(run.data.metrics),
            params=dict(run.data.params),
        )

    def _verdict(self, run_id: str) -> dict[str, Any]:
        path = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path="verdict.json", tracking_uri=self.home.mlflow_uri
        )
        verdict: dict[str, Any] = json.loads(Path(path).read_text())
        return verdict


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@contextmanager
def _fluent(home: Home, run_id: str) -> Iterator[None]:
    # log_model knows only the ambient run. An outer `mlflow run` leaves the id of a run of another store in the
    # environment; naming ours wins over it.
    mlflow.set_tracking_uri(home.mlflow_uri)
    mlflow.set_registry_uri(home.mlflow_uri)
    with mlflow.start_run(run_id=run_id):
        yield
