"""What does the one who runs the service say about access? Sessions, limits, proxies, and who vouches for people.

A YAML file that ``PULSE_ACCESS`` names; without one, what stands here. Secrets are not in it: they come from the
environment (``PULSE_OIDC_SECRET``, ``PULSE_LIMITS``, ``PULSE_COOKIE_SECRET``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError

from features.errors import ConfigError, UsageError
from serving.access.roles import PersonRole
from serving.access.teams import Teams

ACCESS_VARIABLE = "PULSE_ACCESS"
_Network = IPv4Network | IPv6Network


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionSettings(_Part):
    """How long people stay signed in."""

    idle: timedelta = Field(default=timedelta(hours=2), ge=timedelta(minutes=1), description="unused; a long meeting")
    longest: timedelta = Field(default=timedelta(hours=12), ge=timedelta(minutes=1), description="in all; a day's work")


class LimitSettings(_Part):
    """How much is taken from whom, by whatever number of workers together."""

    per_key: int = Field(default=600, ge=1, description="requests a minute with one key; ten a second")
    per_person: int = Field(default=300, ge=1, description="requests a minute of one person; nobody reads faster")
    per_address: int = Field(
        default=300, ge=1, description="tries to sign in an hour from one address; an office may share one"
    )


def _safe(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return text.rstrip("/")
    raise ValueError("must begin with https:// (http:// is taken of this machine only)")


def _team(terms: list[str]) -> list[str]:
    try:
        return Teams.of(terms).terms()
    except UsageError as cause:
        raise ValueError("a team is owner:ID or segment:NAME") from cause


class ProviderSettings(_Part):
    """Who vouches for people, by OpenID Connect."""

    issuer: Annotated[str, AfterValidator(_safe)] = Field(description="where its discovery document lies under")
    client_id: str = Field(min_length=1)
    name: str = Field(default="your company", max_length=40, description="what the button on the sign-in page says")
    scopes: tuple[str, ...] = Field(default=("openid", "email", "profile"))
    groups_claim: str = Field(default="groups", description="the claim of the ID token that lists a person's groups")
    roles: dict[str, PersonRole] = Field(min_length=1, description="group to role; who is in none is not let in")
    teams: dict[str, Annotated[list[str], AfterValidator(_team)]] = Field(
        default_factory=dict,
        description="group to the accounts its members see ([]: every one); where any is named, who is in none of them "
        "and no administrator is not let in",
    )


class AccessSettings(_Part):
    """Everything about access that is not in the state. Frozen; unknown keys are refused."""

    sessions: SessionSettings = SessionSettings()
    limits: LimitSettings = LimitSettings()
    passwords: bool = Field(default=True, description="may people sign in with a password of ours?")
    provider: ProviderSettings | None = None
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="addresses whose X-Forwarded-For and X-Forwarded-Proto are believed"
    )

    def trusts(self, address: str) -> bool:
        """Is this the address of a proxy of ours?"""
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.trusted_proxies)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> AccessSettings:
        """What the file that ``PULSE_ACCESS`` names says; the defaults where it names none.

        Raises:
            ConfigError: the file is absent, no YAML, or says what is not known.
        """
        named = (os.environ if environment is None else environment).get(ACCESS_VARIABLE)
        if not named:
            return cls()
        try:
            document = yaml.safe_load(Path(named).read_text())
            return cls.model_validate(document if document is not None else {})
        except OSError as cause:
            raise _unreadable("no file that can be read") from cause
        except yaml.YAMLError as cause:
            raise _unreadable("text that is no YAML") from cause
        except ValidationError as cause:
            found = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in cause.errors())
            raise _unreadable(found) from cause


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _unreadable(found: str) -> ConfigError:
    return ConfigError(
        "the settings of access cannot be read",
        expected="a YAML file with sessions, limits, passwords, provider and trusted_proxies, as in docs/access.md",
        found=found,
        todo=f"repair the file that {ACCESS_VARIABLE} names, or unset it",
    )
