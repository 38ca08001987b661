"""How is the service started from a program?

The door for the command line. Light to import: the service and its libraries are loaded when it is called, after the
environment that they read is set.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Callable, MutableMapping
from datetime import datetime
from pathlib import Path

from features.errors import ConfigError
from features.settings import HOME_VARIABLE, Home
from serving.settings import AS_OF_VARIABLE, EXPOSED_VARIABLE, HOSTS_VARIABLE, LOOPBACK_NAMES


def _say_nothing(url: str) -> None:
    """The listener for callers that do not ask for the address."""


def serve(
    home: Home,
    *,
    host: str = "127.0.0.1",
    port: int = 3000,
    as_of: datetime | None = None,
    announce: Callable[[str], None] = _say_nothing,
) -> None:
    """Serve scores and pages until the process is told to stop (SIGTERM or SIGINT), then return.

    ``port`` 0 takes a free one; ``announce`` gets the address once it is bound. ``as_of`` is the moment freshness is
    judged at instead of now. Writes nothing outside the home.

    Raises:
        ConfigError: other machines could reach the host, and nobody could come in; or no name for it is known.
        ServiceUnavailable: the port is taken.
    """
    address = address_to_bind(host, home)
    names = _names_for(address, os.environ.get(HOSTS_VARIABLE))
    home.prepare()
    set_environment(os.environ, home, as_of, names=names)
    Path(os.environ["TMPDIR"]).mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = None  # forget the folder that was found before
    from serving.service import run  # noqa: PLC0415  reads the environment when it is imported

    run(address, port, announce=announce)


def address_to_bind(host: str, home: Home) -> str:
    """The address to bind for a host: loopback always, any other one only where keys or people say who is there.

    Raises:
        ConfigError: it is no address, or others could reach it and nobody could come in.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not (address.is_loopback or _lets_anybody_in(home)):
        raise ConfigError(
            "the service may not be reached from other machines",
            expected="a loopback address (127.0.0.1, ::1 or localhost), or one of this machine and a key or person",
            found=repr(host),
            todo="leave --host out, or run `pulse keys create` first and put a proxy that speaks TLS in front",
        )
    return str(address)


def _lets_anybody_in(home: Home) -> bool:
    # Needed only where others can reach the service.
    from serving.access.people import PeopleStore  # noqa: PLC0415
    from serving.access.settings import AccessSettings  # noqa: PLC0415
    from serving.access.store import KeyStore  # noqa: PLC0415
    from serving.access.tables import PeopleTables  # noqa: PLC0415

    if KeyStore(home).usable() or AccessSettings.from_environment().provider is not None:
        return True
    return any(person.disabled_at is None for person in PeopleStore(PeopleTables(home)).everyone())


def _names_for(address: str, named: str | None) -> str | None:
    """By which names requests may call a service at this address; None = this machine's names, and nobody from afar."""
    bound = ipaddress.ip_address(address)
    if bound.is_loopback:
        return None
    if named is None and bound.is_unspecified:
        raise ConfigError(
            "by which names may requests call the service?",
            expected=f"{HOSTS_VARIABLE}: the host names it is reached by, with commas between",
            found="an address that stands for every one of this machine",
            todo=f"set {HOSTS_VARIABLE}, or give the one address to bind",
        )
    return named if named is not None else ",".join((*LOOPBACK_NAMES, address))


def set_environment(
    environment: MutableMapping[str, str], home: Home, as_of: datetime | None, *, names: str | None = None
) -> None:
    """Tell the service, and the libraries it stands on, where they may write; nothing is reported to anybody.

    ``names``: what requests may call it by where other machines can reach it; None where they cannot.
    """
    environment[HOME_VARIABLE] = str(home.root)
    environment.pop(AS_OF_VARIABLE, None)
    if as_of is not None:
        environment[AS_OF_VARIABLE] = as_of.isoformat()
    environment.pop(EXPOSED_VARIABLE, None)
    if names is not None:
        environment.update({EXPOSED_VARIABLE: "yes", HOSTS_VARIABLE: names})
    environment["BENTOML_HOME"] = str(home.root / "bentoml")
    environment["BENTOML_DO_NOT_TRACK"] = "True"
    # BentoML's client of itself and Feast's metrics, neither of which is used, make folders among temporary files.
    environment["TMPDIR"] = str(home.root / "tmp")
