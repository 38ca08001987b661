"""Which product holds what is online, and how is it reached?

``PULSE_ONLINE`` says it: nothing or ``sqlite`` (a file of the home, the default), ``redis://host:port/db``,
``rediss://...`` (TLS) or ``postgresql://user@host:port/database``. Secrets come from the environment only: a password
in that address, or in ``PULSE_ONLINE_PASSWORD``. No message, and no repr, shows user or password.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from features.errors import ConfigError

ONLINE_VARIABLE = "PULSE_ONLINE"
PASSWORD_VARIABLE = "PULSE_ONLINE_PASSWORD"  # noqa: S105 - the name of a variable, no password


class Product(StrEnum):
    """The products that can hold what is online."""

    SQLITE = "sqlite"
    REDIS = "redis"
    POSTGRESQL = "postgresql"


_SCHEMES = {
    "redis": Product.REDIS,
    "rediss": Product.REDIS,
    "postgresql": Product.POSTGRESQL,
    "postgres": Product.POSTGRESQL,
}


class OnlinePlace(BaseModel):
    """The product and its address; none for SQLite. Making one opens no connection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: Product = Product.SQLITE
    address: SecretStr | None = Field(default=None, description="the whole address, password and all")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> OnlinePlace:
        """The place that the environment names.

        Raises:
            ConfigError: the address is none of ours; its text is not repeated, for it may hold a password.
        """
        known = os.environ if environment is None else environment
        said = known.get(ONLINE_VARIABLE, "").strip()
        if said in {"", Product.SQLITE}:
            return cls()
        try:
            url = make_url(said)
            product = _SCHEMES.get(url.drivername)
        except (ArgumentError, ValueError):
            raise _unknown_address() from None
        if product is None or not _is_whole(url, product):
            raise _unknown_address()
        password = known.get(PASSWORD_VARIABLE)
        if password:
            # Without any user, not even an empty one, the password would not be written.
            said = url.set(username=url.username or "", password=password).render_as_string(hide_password=False)
        return cls(product=product, address=SecretStr(said))

    def shown(self) -> str:
        """Where that is, without user, password and options: ``redis://host:port/db``."""
        return shown_address(self.address) if self.address else "SQLite"


def shown_address(address: SecretStr) -> str:
    """An address as people may see it: product, host, port and database only."""
    url = make_url(address.get_secret_value())
    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def _is_whole(url: URL, product: Product) -> bool:
    if product is Product.REDIS:
        return bool(url.host) and (not url.database or url.database.isdigit())
    return bool(url.database)


def _unknown_address() -> ConfigError:
    return ConfigError(
        f"{ONLINE_VARIABLE} names no place that features can be kept in",
        expected="sqlite, redis://HOST:PORT/NUMBER, rediss://..., or postgresql://USER@HOST:PORT/DATABASE",
        found="another text (not repeated here: it may hold a password)",
        todo=f"correct {ONLINE_VARIABLE}, or unset it for the SQLite file of the home",
    )
