from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from features.errors import ConfigError, ServiceUnavailable, UsageError
from features.settings import Home
from serving.access.people import PeopleStore
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.access.tables import PeopleTables
from serving.clock import judging_clock, real_clock
from serving.launch import _names_for, address_to_bind, serve, set_environment
from serving.settings import LOOPBACK_NAMES, ServiceSettings
from tests.serving.people_case import new_home

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1"), ("127.8.8.8", "127.8.8.8")],
)
def test_this_machine_may_be_bound(tmp_path: Path, host: str, address: str) -> None:
    home = Home(root=tmp_path / "home")
    assert address_to_bind(host, home) == address
    assert not home.root.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1:3000", "2130706433"])  # noqa: S104  the point
def test_what_others_could_reach_is_refused_before_anything_is_written(tmp_path: Path, host: str) -> None:
    home = Home(root=tmp_path / "home")
    with pytest.raises(ConfigError, match="may not be reached from other machines"):
        serve(home, host=host)
    assert not home.root.exists()


def keyed(root: Path, *, revoked: bool = False) -> Home:
    home = Home(root=root)
    store = KeyStore(home)
    key, _ = store.create("bot", [AccessScope.SCORE_READ], who="user ada", at=MONDAY)
    if revoked:
        store.revoke(key.prefix, who="user ada", at=MONDAY)
    return home


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])  # noqa: S104  the point
def test_with_a_key_an_address_that_others_reach_may_be_bound(tmp_path: Path, host: str) -> None:
    assert address_to_bind(host, keyed(tmp_path)) == host


def test_with_a_person_an_address_that_others_reach_may_be_bound_until_he_is_disabled(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    assert address_to_bind("192.168.1.5", home) == "192.168.1.5"
    store = PeopleStore(PeopleTables(home))
    store.disable(store.require("ada@vendor.example"), who="user root", at=MONDAY)
    with pytest.raises(ConfigError, match="may not be reached from other machines"):
        address_to_bind("192.168.1.5", home)


@pytest.mark.parametrize("host", ["example.org", "", "127.0.0.1:3000"])
def test_what_is_no_address_is_refused_whatever_keys_there_are(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="may not be reached from other machines"):
        address_to_bind(host, keyed(tmp_path))


def test_a_revoked_key_opens_no_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="may not be reached from other machines"):
        address_to_bind("192.168.1.5", keyed(tmp_path, revoked=True))


@pytest.mark.parametrize(
    ("address", "named", "names"),
    [
        ("127.0.0.1", None, None),
        ("::1", "pulse.internal", None),
        ("192.168.1.5", None, "127.0.0.1,localhost,::1,192.168.1.5"),
        ("192.168.1.5", "pulse.internal", "pulse.internal"),
        ("0.0.0.0", "pulse.internal", "pulse.internal"),  # noqa: S104  the point
    ],
)
def test_requests_call_the_service_by_the_names_it_was_given(
    address: str, named: str | None, names: str | None
) -> None:
    assert _names_for(address, named) == names


def test_every_address_at_once_needs_a_name_to_be_called_by(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="by which names may requests call the service"):
        serve(keyed(tmp_path), host="0.0.0.0")  # noqa: S104  the point


def test_a_service_that_others_reach_knows_it(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    set_environment(environment, Home(root=tmp_path), None, names="pulse.internal")
    settings = ServiceSettings.from_environment(environment)
    assert (settings.exposed, settings.hosts) == (True, ("pulse.internal",))
    # A name that is not this machine's lets others in by a proxy, whatever address is bound.
    set_environment(environment, Home(root=tmp_path), None)
    assert ServiceSettings.from_environment(environment).exposed is True
    environment.pop("PULSE_HOSTS")
    assert ServiceSettings.from_environment(environment).exposed is False


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
