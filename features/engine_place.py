"""Which engine runs the SQL, and where?

``PULSE_ENGINE`` says it for builds, ``PULSE_OFFLINE`` for reading what was built: nothing or ``duckdb`` (this machine,
the default), or ``spark``. ``PULSE_SPARK_MASTER`` names the Spark master: nothing (this machine), ``spark://HOST:PORT``,
``yarn``, ``k8s://ADDRESS``. Everything else about Spark (memory, cores, packages, keys) is said where Spark looks for
it: ``spark-defaults.conf`` in ``SPARK_CONF_DIR``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from features.errors import ConfigError
from features.query_engine import QueryEngine
from features.warehouse import open_engine

ENGINE_VARIABLE = "PULSE_ENGINE"
OFFLINE_VARIABLE = "PULSE_OFFLINE"
MASTER_VARIABLE = "PULSE_SPARK_MASTER"

_MASTER = re.compile(r"local(\[[0-9*, ]+\])?|local-cluster\[[0-9, ]+\]|spark://\S+|k8s://\S+|yarn")


class EngineKind(StrEnum):
    """The engines that the SQL steps run on."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class EnginePlace(BaseModel):
    """An engine and where it runs. Making one starts nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EngineKind = EngineKind.DUCKDB
    master: str | None = Field(default=None, description="the Spark master; none: this machine, the granted cores")

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        variable: str = ENGINE_VARIABLE,
        engine: str | None = None,
        master: str | None = None,
    ) -> EnginePlace:
        """The engine that ``variable`` names, unless ``engine`` (an option of a command) says otherwise.

        Raises:
            ConfigError: there is no such engine or kind of master, or a master was given to an engine without one.
        """
        known = os.environ if environment is None else environment
        said = engine or known.get(variable, "").strip() or EngineKind.DUCKDB
        if said not in set(EngineKind):
            raise ConfigError(
                "there is no such engine",
                expected=f"{' or '.join(EngineKind)}, in {variable} or as an option",
                found=said,
                todo="correct it, or leave it out for DuckDB",
            )
        kind = EngineKind(said)
        if master and kind is not EngineKind.SPARK:
            raise ConfigError(
                "only Spark has a master", expected="--engine spark beside --master", found=kind, todo="add it"
            )
        named = (master or known.get(MASTER_VARIABLE, "")).strip() or None
        return cls(kind=kind, master=_checked(named) if kind is EngineKind.SPARK else None)


DUCKDB = EnginePlace()
"""The default: this machine."""


@contextmanager
def open_at(place: EnginePlace, scratch: Path) -> Iterator[QueryEngine]:
    """A fresh session of that engine; ``scratch`` is a folder for what is in between (on a cluster: a shared one).

    Raises:
        ConfigError: Spark or Java is not installed.
        ServiceUnavailable: the Spark master does not answer, or has no room.
    """
    if place.kind is EngineKind.DUCKDB:
        with open_engine(scratch=scratch) as engine:
            yield engine
        return
    # Imported where it is wanted: nobody else needs Spark installed.
    from features.spark_engine import open_spark_engine  # noqa: PLC0415

    with open_spark_engine(scratch, master=place.master) as spark:
        yield spark


def _checked(master: str | None) -> str | None:
    if master is not None and not _MASTER.fullmatch(master):
        raise ConfigError(
            "this is no Spark master",
            expected="local[N], spark://HOST:PORT, k8s://ADDRESS or yarn",
            found=master,
            todo=f"correct --master or {MASTER_VARIABLE}",
        )
    return master
