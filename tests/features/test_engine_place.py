"""Which engine is chosen, and what is said when it cannot be had? No Spark is started here."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.engine_place import DUCKDB, OFFLINE_VARIABLE, EngineKind, EnginePlace, open_at
from features.errors import ConfigError, ServiceUnavailable
from features.settings import Home
from features.store import FeatureStore
from pulse import app

SPARK = EnginePlace(kind=EngineKind.SPARK)


def test_without_a_word_it_is_duckdb_on_this_machine() -> None:
    for environment in ({}, {"PULSE_ENGINE": ""}, {"PULSE_ENGINE": "duckdb", "PULSE_SPARK_MASTER": "spark://h:1"}):
        assert EnginePlace.from_environment(environment) == DUCKDB


@pytest.mark.parametrize(
    "master",
    [
        "local",
        "local[3]",
        "local[*]",
        "local-cluster[2,1,1024]",
        "spark://a:7077,b:7077",
        "yarn",
        "k8s://https://h:6443",
    ],
)
def test_masters_of_every_kind_are_taken(master: str) -> None:
    chosen = EnginePlace(kind=EngineKind.SPARK, master=master)
    assert EnginePlace.from_environment({"PULSE_ENGINE": "spark", "PULSE_SPARK_MASTER": master}) == chosen
    assert EnginePlace.from_environment({}, engine="spark", master=master) == chosen


def test_options_come_before_the_environment() -> None:
    said = {"PULSE_ENGINE": "spark", "PULSE_SPARK_MASTER": "yarn"}
    assert EnginePlace.from_environment(said, engine="duckdb") == DUCKDB
    assert EnginePlace.from_environment(said, master="local").master == "local"


def test_builds_and_reads_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = {"PULSE_OFFLINE": "spark"}
    assert EnginePlace.from_environment(said) == DUCKDB
    assert EnginePlace.from_environment(said, variable=OFFLINE_VARIABLE) == SPARK
    monkeypatch.setenv("PULSE_OFFLINE", "spark")
    monkeypatch.delenv("PULSE_SPARK_MASTER", raising=False)
    assert FeatureStore(Home(root=tmp_path)).offline == SPARK


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--engine", "flink"), "flink"),
        (("--engine", "spark", "--master", "http://host"), "http://host"),
        (("--master", "yarn"), "duckdb"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULSE_ENGINE", raising=False)
    done = CliRunner().invoke(app, ["build", "--from", "2024-01-01", "--to", "2024-02-01", *words])
    assert done.exit_code == 2
    assert f"found: {found}" in done.stderr


def opened(place: EnginePlace, scratch: Path) -> None:
    with open_at(place, scratch):
        pytest.fail("a session was opened")


def test_spark_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ConfigError, match=r"campaign-pulse\[spark\]"):
        opened(SPARK, tmp_path)


def test_java_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match="expected Java 17 or 21; found no `java` on the path"):
        opened(SPARK, tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="none in JAVA_HOME"):
        opened(SPARK, tmp_path)


def test_a_master_that_does_not_answer_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"127.0.0.1:{port},127.0.0.1:{port}", "127.0.0.1:x"):
        with pytest.raises(ServiceUnavailable, match="found no answer"):
            opened(EnginePlace(kind=EngineKind.SPARK, master=f"spark://{address}"), tmp_path)
