"""Which product holds our own state (promotions, scores told, keys, ...), and how is it reached?

``PULSE_STATE`` says it: nothing or ``sqlite`` (``state.db`` of the home, the default), or
``postgresql://user@host:port/database``. The password comes from that address or from ``PULSE_STATE_PASSWORD``; no
message, and no repr, shows user or password.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from features.errors import ConfigError

STATE_VARIABLE = "PULSE_STATE"
PASSWORD_VARIABLE = "PULSE_STATE_PASSWORD"  # noqa: S105 - the name of a variable, no password
_FILE = "sqlite"
_SCHEMES = frozenset({"postgresql", "postgres"})

ANSWER_SECONDS = 2
"""A reader is told within this time that PostgreSQL does not answer."""

BUSY_SECONDS = 5.0
"""A writer waits this long for another one; readers never wait. The same for SQLite and PostgreSQL."""


class StatePlace(BaseModel):
    """The address of a PostgreSQL database; None for the SQLite file of the home. Making one opens no connection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: SecretStr | None = Field(default=None, description="the whole address, password and all")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> StatePlace:
        """The place that the environment names.

        Raises:
            ConfigError: the address is none of ours; its text is not repeated, for it may hold a password.
        """
        known = os.environ if environment is None else environment
        said = known.get(STATE_VARIABLE, "").strip()
        if said in {"", _FILE}:
            return cls()
        try:
            url = make_url(said)
        except (ArgumentError, ValueError):
            raise _unknown_address() from None
        if url.drivername not in _SCHEMES or not url.database:
            raise _unknown_address()
        password = known.get(PASSWORD_VARIABLE)
        if password:
            said = url.set(username=url.username or "", password=password).render_as_string(hide_password=False)
        return cls(address=SecretStr(said))

    def shown(self) -> str:
        """Where that is, without user, password and options: ``postgresql://host:port/database``."""
        if self.address is None:
            return "the state.db of the home"
        url = self._url()
        return URL.create("postgresql", host=url.host, port=url.port, database=url.database).render_as_string()

    def connection_parts(self) -> dict[str, Any]:
        """What the PostgreSQL driver is given, part by part: a whole address would be repeated in its complaints."""
        url = self._url()
        parts = {
            "host": url.host,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "dbname": url.database,
        }
        limits = {"connect_timeout": ANSWER_SECONDS, "tcp_user_timeout": ANSWER_SECONDS * 1000}
        given = {**limits, **url.query, **{name: value for name, value in parts.items() if value}}
        # Whatever the server's own settings say: a commit that returned is on its disk.
        ours = f"-c lock_timeout={BUSY_SECONDS * 1000:.0f}ms -c synchronous_commit=on"
        return {**given, "options": f"{given.get('options', '')} {ours}".strip(), "application_name": "campaign-pulse"}

    def _url(self) -> URL:
        assert self.address is not None, "the SQLite file of the home has no address"  # noqa: S101
        return make_url(self.address.get_secret_value())


def _unknown_address() -> ConfigError:
    return ConfigError(
        f"{STATE_VARIABLE} names no place that our state can be kept in",
        expected="sqlite, or postgresql://USER@HOST:PORT/DATABASE",
        found="another text (not repeated here: it may hold a password)",
        todo=f"correct {STATE_VARIABLE}, or unset it for the SQLite file of the home",
    )
