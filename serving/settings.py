"""Which limits does the service keep, and which moment does it judge by?

Places come from the environment (``PULSE_HOME``, ``PULSE_AS_OF``, ``PULSE_HOSTS``, ``PULSE_EXPOSED``, and
``PULSE_ACCESS``, the file about access); limits stand here with their reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.settings import Home
from features.vocabulary import parse_moment, require_utc
from serving.access.settings import AccessSettings

AS_OF_VARIABLE = "PULSE_AS_OF"
HOSTS_VARIABLE = "PULSE_HOSTS"
EXPOSED_VARIABLE = "PULSE_EXPOSED"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

STALE_AFTER = timedelta(days=8)
"""Snapshots are weekly; one day is granted to a run that is late. The same span is the time to live of the features."""


class ServiceSettings(BaseModel):
    """What one running service is told. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Home
    as_of: datetime | None = Field(
        default=None, description="judge freshness at this moment (UTC) instead of now; for historic data"
    )
    hosts: tuple[str, ...] = Field(
        default=LOOPBACK_NAMES,
        min_length=1,
        description="names a request may call us by; refuses pages of other sites that point their name at us",
    )
    exposed: bool = Field(
        default=False, description="other machines can reach the service: nothing but the probes is open without a key"
    )
    access: AccessSettings = AccessSettings()
    body_limit_bytes: int = Field(
        default=1 << 20, ge=1024, description="largest request body; 10,000 ids of 100 characters just fit"
    )
    body_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        description="a head or body that is not here by then is a slow attack, not a slow line",
    )
    answer_timeout: timedelta = Field(
        default=timedelta(seconds=30), description="longest wait for an answer; 10,000 accounts take a few seconds"
    )
    concurrency: int = Field(
        default=32, ge=1, description="requests worked on at once; more only wait for the same two cores"
    )
    poll_interval: timedelta = Field(
        default=timedelta(seconds=1), description="how often the promotion log is read; a promotion is live soon after"
    )

    @field_validator("as_of")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        return None if moment is None else require_utc(moment)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ServiceSettings:
        """The settings that the environment names.

        Raises:
            UsageError: ``PULSE_AS_OF`` is no date.
            ConfigError: the file that ``PULSE_ACCESS`` names cannot be read.
        """
        source = os.environ if environment is None else environment
        as_of, hosts = source.get(AS_OF_VARIABLE), source.get(HOSTS_VARIABLE)
        names = tuple(name.strip() for name in hosts.split(",") if name.strip()) if hosts else LOOPBACK_NAMES
        access = AccessSettings.from_environment(source)
        # Who gives the service another name, or names a proxy, lets others in by it, whatever address is bound.
        reached = bool(set(names) - set(LOOPBACK_NAMES) or access.trusted_proxies)
        return cls(
            home=Home.from_environment(source),
            as_of=parse_moment(as_of) if as_of else None,
            exposed=bool(source.get(EXPOSED_VARIABLE)) or reached,
            hosts=names,
            access=access,
        )
