"""Does a provider that this company trusts vouch for the person at the door? OpenID Connect, authorization code flow.

With PKCE, state and nonce, kept signed in a cookie of the browser that began. The ID token's signature, issuer,
audience, time and nonce are checked; role and teams follow from its groups at every sign-in. The one place from which
the service calls out, and only where a provider is named in the settings.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Any

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from features.errors import ServiceUnavailable, UsageError
from serving.access.people import Newcomer, as_email
from serving.access.settings import ProviderSettings
from serving.access.teams import Teams, merged
from serving.clock import Clock

SECRET_VARIABLE = "PULSE_OIDC_SECRET"  # noqa: S105  the name of it
FLOW_LIVES = timedelta(minutes=10)
"""Between the button and the way back: time for a second factor, none for a second day."""

_LEEWAY_SECONDS = 60
_PATIENCE_SECONDS = 5.0
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signed with the provider's private key; never by a shared secret, never by nothing."""

_FAILURES = (httpx.HTTPError, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser is sent, and what it must bring back in a cookie."""

    address: str
    kept: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for. ``onward`` is where he wanted to go; ``owns_address`` whether that is proven."""

    newcomer: Newcomer
    owns_address: bool
    onward: str


class Provider:
    """One provider. Asks for its discovery document when it is needed first."""

    def __init__(
        self,
        settings: ProviderSettings,
        secret: str | None,
        *,
        sign: Callable[[], URLSafeTimedSerializer],
        clock: Clock,
    ) -> None:
        self.settings = settings
        self._secret = secret
        self._sign = sign
        self._clock = clock
        self._known: dict[str, Any] | None = None

    def begin(self, back: str, onward: str) -> Departure:
        """Send a browser to the provider; ``back`` is our address that it shall come back to.

        Raises:
            ServiceUnavailable: the provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address: str = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            self.settings.client_id,
            "code",
            redirect_uri=back,
            scope=" ".join(self.settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Departure(address, str(self._sign().dumps([state, nonce, verifier, onward])))

    def finish(self, answer: Mapping[str, str], kept: str | None, back: str) -> Vouched:
        """Whom the provider vouches for, by what the browser brought back.

        Raises:
            UsageError: he is not to be let in; the words say why, without naming him.
            ServiceUnavailable: the provider does not answer, or not as it should.
        """
        try:
            state, nonce, verifier, onward = self._sign().loads(kept or "", max_age=int(FLOW_LIVES.total_seconds()))
        except (BadSignature, ValueError, TypeError) as cause:
            raise _not_let_in("a sign-in that was begun in this browser in the last minutes", "none") from cause
        if not compare_digest(answer.get("state", ""), state) or answer.get("iss", self._issuer()) != self._issuer():
            raise _not_let_in("the answer to the question of this browser", "another one")
        if "code" not in answer:
            raise _not_let_in("leave of the provider", "a refusal")
        tokens = self._tokens(answer["code"], verifier, back)
        return self._vouched(self._claims(tokens, nonce), onward)

    def _vouched(self, claims: Mapping[str, Any], onward: str) -> Vouched:
        told = claims.get(self.settings.groups_claim)
        groups = {str(one) for one in told} if isinstance(told, list) else {str(told)}
        role = next((role for group, role in self.settings.roles.items() if group in groups), None)
        if role is None:
            raise _not_let_in("a group that has a role here", f"{len(groups)} groups, none of which has one")
        teams = [Teams.of(terms) for group, terms in self.settings.teams.items() if group in groups]
        if self.settings.teams and not teams and role != "admin":
            raise _not_let_in("a group that has accounts here", f"{len(groups)} groups, none of which has any")
        email = as_email(str(claims.get("email", "")))
        name = str(claims.get("name") or email)[:80]
        subject = f"{self._issuer()} {claims['sub']}"
        proven = claims.get("email_verified") is True
        return Vouched(Newcomer(email, name, role, merged(teams), subject), proven, onward)

    def _tokens(self, code: str, verifier: str, back: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        methods = self._document().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = self._secret is not None and "client_secret_basic" in methods
        if not basic:
            form |= {"client_id": self.settings.client_id} | ({"client_secret": self._secret} if self._secret else {})
        auth = httpx.BasicAuth(self.settings.client_id, self._secret or "") if basic else None
        try:
            answer = httpx.post(
                self._endpoint("token_endpoint"),
                data=form,
                auth=auth,
                timeout=_PATIENCE_SECONDS,
                headers={"accept": "application/json"},
            )
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise _not_let_in("a code that the provider takes", "one that it does not")
            answer.raise_for_status()
            return dict(answer.json())
        except _FAILURES as cause:
            raise _silent(cause) from cause

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> CodeIDToken:
        text = str(tokens.get("id_token", ""))
        try:
            try:
                signed = jwt.decode(text, self._keys(), algorithms=_ALGORITHMS)
            except (JoseError, ValueError):
                # The provider may have changed its keys since; asked once more, for each sign-in at most.
                self._known = None
                signed = jwt.decode(text, self._keys(), algorithms=_ALGORITHMS)
            wanted = {"iss": self._issuer(), "aud": self.settings.client_id}
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                {name: {"essential": True, "value": value} for name, value in wanted.items()},
                {"nonce": nonce, "client_id": wanted["aud"], "access_token": tokens.get("access_token")},
            )
            claims.validate(now=int(self._clock().timestamp()), leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError) as cause:
            raise _not_let_in("an ID token of the provider for this service", type(cause).__name__) from cause
        return claims

    def _issuer(self) -> str:
        return str(self._document()["issuer"])

    def _keys(self) -> KeySet:
        return KeySet.import_key_set(self._document()["keys"])

    def _endpoint(self, name: str) -> str:
        return str(self._document()[name])

    def _document(self) -> dict[str, Any]:
        """The discovery document, with the keys it names under ``keys``."""
        if self._known is None:
            try:
                found = _asked(f"{self.settings.issuer}/.well-known/openid-configuration")
                if str(found["issuer"]).rstrip("/") != self.settings.issuer:
                    raise ValueError("another issuer")
                found["keys"] = _asked(found["jwks_uri"])
            except _FAILURES as cause:
                raise _silent(cause) from cause
            self._known = found
        return self._known


def _asked(address: str) -> dict[str, Any]:
    return dict(httpx.get(address, timeout=_PATIENCE_SECONDS).raise_for_status().json())


def _silent(cause: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        "the provider that vouches for people does not answer as it should",
        expected="its discovery document, keys and tokens, as OpenID Connect describes them",
        found=type(cause).__name__,
        todo="check the provider in the file that PULSE_ACCESS names, and that this machine can reach it",
    )


def _not_let_in(expected: str, found: str) -> UsageError:
    return UsageError(
        "you cannot be signed in this way",
        expected=expected,
        found=found,
        todo="begin again, or ask whoever runs the service to look at your groups",
    )
