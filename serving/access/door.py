"""May this request come in, and as whom?

On this machine and without any key ever made, the API is open (except for what changes the live model). As soon as a
key was made, every call of the API needs one; revoking the last key does not open it again. Where other machines can
reach the service, pages, metrics and documents need a key as well. Nothing but the connection itself and
``scope["path"]`` is believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from threading import Lock

from starlette.datastructures import Headers

from features.errors import ServiceUnavailable
from features.settings import Home
from serving.access.rules import PROBES, STATIC, Rule, in_api, is_page, rule_of
from serving.access.store import NOBODY, AccessLine, Key, KeyStore
from serving.access.tokens import prefix_of
from serving.access.trail import AccessTrail
from serving.clock import Clock
from serving.exchange import Scope
from serving.problems import Problem
from serving.request_log import Tell

CALLER = "pulse.caller"
REALM = 'Bearer realm="campaign-pulse"'
FRESH_SECONDS = 1.0
"""How long the list of keys is believed: a key that is made or revoked counts a second later."""

MOST_CHECKED_AT_ONCE = 8
"""A check of a key that was not seen before costs 40 ms; whoever sends made-up keys must not take the processor."""

MOST_REMEMBERED = 1000

NOT_VALID = "This key is not valid: it is not one of ours, or it was revoked."
PAGES_ARE_HERE = (
    "Pages are shown on the machine that runs the service only, because nobody can sign in yet. Open them there, or "
    "through a tunnel; programs may send a key with the scopes score:read and explain:read."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request came with."""

    prefix: str
    name: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of a request at the door. ``problem`` refuses it; ``needed`` is False where no key was asked for.

    ``page`` says the problem to a person, where a browser asked.
    """

    rule: Rule
    needed: bool
    caller: Caller | None = None
    problem: Problem | None = None
    page: bytes | None = None


class Door:
    """The access of one home. Touches no disk before it is asked."""

    def __init__(self, home: Home, *, exposed: bool, clock: Clock, tell: Tell) -> None:
        self.store = KeyStore(home)
        self.trail = AccessTrail(self.store, tell)
        self._exposed = exposed
        self._clock = clock
        self._tell = tell
        self._lock = Lock()
        self._keys: dict[str, Key] | None = None
        self._read_at = 0.0
        self._right: OrderedDict[bytes, str] = OrderedDict()
        self._checking = 0

    async def passage(self, scope: Scope, headers: Headers) -> Passage:
        """Judge a request by its address, its connection and its key."""
        method, path = str(scope["method"]), str(scope["path"])
        rule = rule_of(method, path)
        if path in PROBES or path.startswith(STATIC):
            return Passage(rule, needed=False)
        keys = await self._known()
        if keys is None:
            return Passage(rule, needed=True, problem=Problem.of(503, "The store of keys does not answer."))
        from_afar = self._exposed or _from_afar(scope)
        if not from_afar and not (in_api(path) and (keys or rule.always)):
            return Passage(rule, needed=False)
        return await self._with_key(rule, headers, keys, page=is_page(path))

    def note(self, passage: Passage, *, status: int, request_id: str) -> None:
        """Write down what was asked where a key was needed."""
        if passage.needed:
            who = passage.caller.prefix if passage.caller else NOBODY
            self.trail.add(AccessLine(self._clock(), who, passage.rule.name, status, request_id))

    def close(self) -> None:
        """Write what waits and give the database back."""
        self.trail.close()
        self.store.close()

    async def _with_key(self, rule: Rule, headers: Headers, keys: dict[str, Key], *, page: bool) -> Passage:
        token = _token(headers)
        if token is None:
            if not page:
                return Passage(rule, needed=True, problem=_refused(401, None, REALM))
            shown = _closed_page() if "text/html" in headers.get("accept", "") else None
            return Passage(rule, needed=True, problem=Problem.of(403, PAGES_ARE_HERE), page=shown)
        # A prefix is no secret, so it may be told by the time an answer takes that there is such a key.
        key = keys.get(prefix_of(token) or "")
        right = await self._is_right(key, token) if key is not None and key.revoked_at is None else False
        if right is None:
            return Passage(rule, needed=True, problem=Problem.of(429))
        if key is None or not right:
            return Passage(rule, needed=True, problem=_refused(401, NOT_VALID, f'{REALM}, error="invalid_token"'))
        caller, problem = Caller(key.prefix, key.name), None
        if missing := " ".join(sorted(rule.scopes - key.scopes)):
            words = f"This key does not have the scope that is needed here: {missing}."
            problem = _refused(403, words, f'{REALM}, error="insufficient_scope", scope="{missing}"')
        return Passage(rule, needed=True, caller=caller, problem=problem)

    async def _is_right(self, key: Key, token: str) -> bool | None:
        """Is the token this key's? None when too many are being checked to look at another."""
        seen = hashlib.sha256(token.encode()).digest()
        if self._right.get(seen) == key.prefix:
            self._right.move_to_end(seen)
            return True
        if self._checking >= MOST_CHECKED_AT_ONCE:
            return None
        self._checking += 1
        try:
            right = await asyncio.to_thread(key.fingerprint.matches, token)
        finally:
            self._checking -= 1
        if right:
            self._right[seen] = key.prefix
            while len(self._right) > MOST_REMEMBERED:
                self._right.popitem(last=False)
        return right

    async def _known(self) -> dict[str, Key] | None:
        """Every key by prefix, at most a second old; None while the store was never read."""
        if self._keys is None or time.monotonic() - self._read_at >= FRESH_SECONDS:
            await asyncio.to_thread(self._read)
        return self._keys

    def _read(self) -> None:
        with self._lock:
            try:
                found = {key.prefix: key for key in self.store.every_key()}
                # No key is ever deleted, so a store that lost them must not open the door.
                self._keys = found or self._keys or found
            except ServiceUnavailable as trouble:
                # What was known goes on to count: neither does a broken disk open the door, nor does it close it.
                self._tell("keys not read", trouble.facts())
            self._read_at = time.monotonic()


@cache
def _closed_page() -> bytes:
    return files("serving.pages").joinpath("static/closed.html").read_bytes()


def _token(headers: Headers) -> str | None:
    given = headers.getlist("authorization")
    if len(given) != 1:
        return None
    kind, _, token = given[0].partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _from_afar(scope: Scope) -> bool:
    """Did the connection come in at an address that other machines can reach?"""
    server = scope.get("server")
    try:
        return not ipaddress.ip_address(server[0]).is_loopback if server else False
    except ValueError:
        return False


def _refused(status: int, words: str | None, challenge: str) -> Problem:
    problem = Problem.of(status, words)
    return Problem(problem.status, problem.detail, challenge=challenge)
