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
from serving.settings import AS_OF_VARIABLE


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
        ConfigError: the host is not a loopback address.
        ServiceUnavailable: the port is taken.
    """
    address = loopback_address(host)
    home.prepare()
    set_environment(os.environ, home, as_of)
    Path(os.environ["TMPDIR"]).mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = None  # forget the folder that was found before
    from serving.service import run  # noqa: PLC0415  reads the environment when it is imported

    run(address, port, announce=announce)


def loopback_address(host: str) -> str:
    """The address to bind for a host.

    Raises:
        ConfigError: others could reach it. Nobody is asked who he is yet, so only this machine may.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigError(
            "the service may not be reached from other machines",
            expected="a loopback address: 127.0.0.1, ::1 or localhost",
            found=repr(host),
            todo="leave --host out; a machine that shall be reached needs a proxy in front that asks who is there",
        )
    return str(address)


def set_environment(environment: MutableMapping[str, str], home: Home, as_of: datetime | None) -> None:
    """Tell the service, and the libraries it stands on, where they may write; nothing is reported to anybody."""
    environment[HOME_VARIABLE] = str(home.root)
    environment.pop(AS_OF_VARIABLE, None)
    if as_of is not None:
        environment[AS_OF_VARIABLE] = as_of.isoformat()
    environment["BENTOML_HOME"] = str(home.root / "bentoml")
    environment["BENTOML_DO_NOT_TRACK"] = "True"
    # BentoML's client of itself and Feast's metrics, neither of which is used, make folders among temporary files.
    environment["TMPDIR"] = str(home.root / "tmp")
