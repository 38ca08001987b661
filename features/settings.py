"""Where do the warehouse, the stores and the state of one installation lie?

Everything a home holds hangs under one directory (``--home`` or ``PULSE_HOME``, by default ``.pulse``). What we believe
(windows, thresholds) is not here: it stands in the room that reads it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

HOME_VARIABLE = "PULSE_HOME"
DEFAULT_HOME = ".pulse"


class Home(BaseModel):
    """The places of one installation. Making one touches no disk; :meth:`prepare` makes the directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path = Field(description="the directory that holds everything; readable by its owner only")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Home:
        """The home that ``PULSE_HOME`` names, or ``.pulse`` in the working directory."""
        where = (os.environ if environment is None else environment).get(HOME_VARIABLE) or DEFAULT_HOME
        return cls(root=Path(where).resolve())

    def prepare(self) -> Home:
        """Make the home directory (mode 0700) where it is missing, and return self."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as cause:
            raise NotADirectoryError(errno.ENOTDIR, "a file, no directory", str(self.root)) from cause
        return self

    @property
    def warehouse(self) -> Path:
        """Canonical tables, one folder each: ``warehouse/<table>/manifest.json`` and its Parquet files."""
        return self.root / "warehouse"

    @property
    def quarantine(self) -> Path:
        """Refused rows, one folder per table, one JSONL file per load."""
        return self.root / "quarantine"

    @property
    def snapshots(self) -> Path:
        """Feature snapshots, one folder per subcategory and one for the cohort, with a manifest each."""
        return self.root / "snapshots"

    @property
    def feast(self) -> Path:
        """Feast's registry and its SQLite online store."""
        return self.root / "feast"

    @property
    def mlflow_uri(self) -> str:
        """The MLflow tracking and registry store (SQLite)."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow keeps files."""
        return self.root / "mlartifacts"

    @property
    def bundles(self) -> Path:
        """Model bundles, one folder per registered version."""
        return self.root / "bundles"

    @property
    def studies(self) -> Path:
        """Searches for settings, one folder each, so that one that was interrupted can go on."""
        return self.root / "studies"

    @property
    def reports(self) -> Path:
        """Evaluation reports (HTML) and documents (JSON), one folder per registered version."""
        return self.root / "reports"

    @property
    def state(self) -> Path:
        """Our own state (promotion log, score ledger), one SQLite file in WAL mode."""
        return self.root / "state.db"
