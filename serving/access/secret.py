"""With what are cookies signed that the service must know again, but keeps nothing of?

With 256 random bits in a file of the home that only its owner can read, made when they are needed first; or with
``PULSE_COOKIE_SECRET``, where several machines answer for one installation.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from itsdangerous import URLSafeTimedSerializer

from features.errors import ConfigError
from features.settings import Home

SECRET_VARIABLE = "PULSE_COOKIE_SECRET"  # noqa: S105  the name of it
_SHORTEST = 32
_FILE = "cookies.secret"


def signer(home: Home, purpose: str, environment: Mapping[str, str] | None = None) -> URLSafeTimedSerializer:
    """What signs, and knows again, the cookies of one purpose.

    Raises:
        ConfigError: the secret that was given is too short to be one.
    """
    given = (os.environ if environment is None else environment).get(SECRET_VARIABLE)
    if given is not None and len(given) < _SHORTEST:
        raise ConfigError(
            "the secret for cookies can be guessed",
            expected=f"{_SHORTEST} random characters or more in {SECRET_VARIABLE}",
            found=f"{len(given)} characters",
            todo="make one with `openssl rand -base64 32`, the same for every machine of the installation",
        )
    return URLSafeTimedSerializer(given or _kept(home.prepare().root / _FILE), salt=f"campaign-pulse {purpose}")


def _kept(place: Path) -> str:
    if not place.exists():
        # Two processes may need it first at once: whoever links his file wins, and both read that one. Mode 0600.
        with NamedTemporaryFile("w", dir=place.parent, prefix=_FILE) as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                place.hardlink_to(file.name)
    return place.read_text()
