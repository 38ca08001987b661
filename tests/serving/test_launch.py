from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from features.errors import ConfigError, ServiceUnavailable, UsageError
from features.settings import Home
from serving.clock import judging_clock, real_clock
from serving.launch import loopback_address, serve, set_environment
from serving.settings import LOOPBACK_NAMES, ServiceSettings

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1"), ("127.8.8.8", "127.8.8.8")],
)
def test_this_machine_may_be_bound(host: str, address: str) -> None:
    assert loopback_address(host) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1:3000", "2130706433"])  # noqa: S104  the point
def test_what_others_could_reach_is_refused_before_anything_is_written(tmp_path: Path, host: str) -> None:
    home = Home(root=tmp_path / "home")
    with pytest.raises(ConfigError, match="may not be reached from other machines"):
        serve(home, host=host)
    assert not home.root.exists()


def test_the_environment_keeps_every_library_inside_the_home_and_silent(tmp_path: Path) -> None:
    environment = {"PULSE_AS_OF": "1999-01-04", "PATH": "/bin"}
    set_environment(environment, Home(root=tmp_path), None)
    assert environment == {
        "PATH": "/bin",
        "PULSE_HOME": str(tmp_path),
        "BENTOML_HOME": str(tmp_path / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "TMPDIR": str(tmp_path / "tmp"),
    }


def test_the_service_reads_back_what_it_was_told(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    set_environment(environment, Home(root=tmp_path), MONDAY)
    settings = ServiceSettings.from_environment(environment)
    assert (settings.home, settings.as_of, settings.hosts) == (Home(root=tmp_path), MONDAY, LOOPBACK_NAMES)


def test_more_names_may_be_ours() -> None:
    settings = ServiceSettings.from_environment({"PULSE_HOSTS": "pulse.internal, localhost,"})
    assert settings.hosts == ("pulse.internal", "localhost")


@pytest.mark.parametrize("wrong", [{"limit": 5}, {"body_limit_bytes": 5}, {"concurrency": 0}, {"hosts": ()}])
def test_a_setting_that_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings.model_validate({"home": Home(root=tmp_path), **wrong})


def test_a_moment_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a moment without a zone"):
        ServiceSettings(home=Home(root=tmp_path), as_of=datetime(2024, 4, 15))  # noqa: DTZ001  the point


def test_a_service_over_the_past_stands_still_and_another_one_does_not() -> None:
    assert judging_clock(MONDAY)() == MONDAY
    assert judging_clock(None) is real_clock
    assert real_clock().tzinfo is UTC


def test_a_port_that_is_taken_is_told_by_its_number() -> None:
    from serving.service import run  # noqa: PLC0415  reads the environment when it is imported

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceUnavailable, match=f"expected port {port} of 127.0.0.1 to be free"):
            run("127.0.0.1", port, announce=str)
