"""May this request come in, and as whom?

On this machine, and while no key was made, nobody added and no provider named, the service is open (except for what
changes the live model). A key, or a session of a person, is needed for the API as soon as there is either; pages need a
session (or a key) as soon as people can sign in. Revoking the last key opens nothing again. Where other machines can
reach the service, nothing is open but the probes and the sign-in page. Nothing but the connection itself and
``scope["path"]`` is believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock
from urllib.parse import quote

from starlette.datastructures import Headers

from features.errors import ServiceUnavailable
from features.settings import Home
from serving.access import cookies
from serving.access.callers import CALLER, REALM, Caller
from serving.access.desk import SignInDesk
from serving.access.limits import Allowance, Limits, a_minute
from serving.access.origin import SECURE
from serving.access.provider import SECRET_VARIABLE, Provider
from serving.access.rules import PROBES, SIGN_IN, STATIC, Rule, at_desk, in_api, is_page, rule_of
from serving.access.secret import signer
from serving.access.settings import AccessSettings
from serving.access.store import NOBODY, AccessLine, Key, KeyStore
from serving.access.tokens import prefix_of
from serving.access.trail import AccessTrail
from serving.clock import Clock
from serving.exchange import Scope
from serving.problems import Problem
from serving.request_log import Tell

__all__ = ["CALLER", "Caller", "Door", "Passage"]

FRESH_SECONDS = 1.0
"""How long the list of keys is believed: a key that is made or revoked counts a second later."""

MOST_CHECKED_AT_ONCE = 8
"""A check of a key that was not seen before costs 40 ms; whoever sends made-up keys must not take the processor."""

MOST_REMEMBERED = 1000
OK = 200

NOT_VALID = "This key is not valid: it is not one of ours, or it was revoked."
SIGN_IN_FIRST = "Sign in at /sign-in first; programs send a key as `Authorization: Bearer KEY`."
PAGES_ARE_HERE = (
    "Pages are shown on the machine that runs the service only, because nobody can sign in yet: whoever runs it adds "
    "people with `pulse users add`. Programs may send a key with the scopes score:read and explain:read."
)


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of a request at the door. ``problem`` refuses it; ``needed`` is False where nobody was asked for.

    ``page`` says the problem to a person, where a browser asked; ``onward`` sends him to the sign-in page instead.
    """

    rule: Rule
    needed: bool
    caller: Caller | None = None
    problem: Problem | None = None
    page: bytes | None = None
    onward: str | None = None
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """Who could come in at all: every key by prefix, and whether people can sign in."""

    keys: dict[str, Key]
    people: bool

    @property
    def anybody(self) -> bool:
        return bool(self.keys) or self.people


class Door:
    """The access of one home. Touches no disk before it is asked."""

    def __init__(
        self, home: Home, *, exposed: bool, clock: Clock, tell: Tell, settings: AccessSettings | None = None
    ) -> None:
        self.settings = settings or AccessSettings()
        self.store = KeyStore(home)
        self.trail = AccessTrail(self.store, tell)
        self.limits = Limits(home, clock=clock, tell=tell)
        self.desk = SignInDesk(home, self.settings, self.limits, clock=clock, tell=tell)
        self.provider: Provider | None = None
        if self.settings.provider is not None:
            self.provider = Provider(
                self.settings.provider,
                os.environ.get(SECRET_VARIABLE),
                sign=lambda: signer(home, "sign-in flow"),
                clock=clock,
            )
        self._exposed = exposed
        self._clock = clock
        self.tell = tell
        self._lock = Lock()
        self._known_now: _Known | None = None
        self._read_at = 0.0
        self._right: OrderedDict[bytes, str] = OrderedDict()
        self._checking = 0

    async def passage(self, scope: Scope, headers: Headers) -> Passage:
        """Judge a request by its address, its connection, and its key or session."""
        method, path = str(scope["method"]), str(scope["path"])
        rule = rule_of(method, path)
        from_afar = self._exposed or _from_afar(scope)
        scope[SECURE] = from_afar
        if path in PROBES or path.startswith(STATIC):
            return Passage(rule, needed=False)
        if at_desk(path):
            return Passage(rule, needed=method == "POST")
        try:
            known = await self._known()
            if known is None:
                return Passage(rule, needed=True, problem=Problem.of(503, "The store of keys does not answer."))
            closed = known.anybody if in_api(path) else known.people and is_page(path)
            if not from_afar and not closed and not rule.always:
                return Passage(rule, needed=False)
            return await self._counted(await self._judged(rule, headers, known, scope))
        except ServiceUnavailable as trouble:
            self.tell("people not read", trouble.facts())
            return Passage(rule, needed=True, problem=Problem.of_error(trouble))

    def note(self, passage: Passage, *, status: int, request_id: str) -> None:
        """Write down what was asked where a key or a session was needed."""
        export = passage.rule.exports and status == OK
        if passage.needed or export:
            who = passage.caller.prefix if passage.caller else NOBODY
            self.trail.add(AccessLine(self._clock(), who, passage.rule.name, status, request_id, export))

    def close(self) -> None:
        """Write what waits and give the databases back."""
        self.trail.close()
        self.store.close()
        self.desk.close()
        self.limits.close()

    async def _judged(self, rule: Rule, headers: Headers, known: _Known, scope: Scope) -> Passage:
        token = _token(headers)
        if token is not None:
            return await self._with_key(rule, token, known.keys)
        session = cookies.read(headers, cookies.SESSION, secure=scope[SECURE])
        if session is not None and (caller := await asyncio.to_thread(self._person, session)) is not None:
            return Passage(rule, needed=True, caller=caller, problem=caller.objection(rule))
        return self._nobody(rule, headers, known, scope, ended=session is not None)

    def _nobody(self, rule: Rule, headers: Headers, known: _Known, scope: Scope, *, ended: bool) -> Passage:
        path = str(scope["path"])
        if not is_page(path):
            return Passage(rule, needed=True, problem=_refused(401, None, REALM))
        by_browser = "text/html" in headers.get("accept", "")
        if not known.people:
            shown = _closed_page() if by_browser else None
            return Passage(rule, needed=True, problem=Problem.of(403, PAGES_ARE_HERE), page=shown)
        passage = Passage(rule, needed=True, problem=_refused(401, SIGN_IN_FIRST, REALM))
        if not by_browser or scope["method"] not in {"GET", "HEAD"}:
            return passage
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = quote(f"{path}?{query}" if query else path, safe="")
        why = "&why=ended" if ended else ""
        return replace(passage, onward=f"{SIGN_IN}?next={wanted}{why}")

    async def _with_key(self, rule: Rule, token: str, keys: dict[str, Key]) -> Passage:
        # A prefix is no secret, so it may be told by the time an answer takes that there is such a key.
        key = keys.get(prefix_of(token) or "")
        right = await self._is_right(key, token) if key is not None and key.revoked_at is None else False
        if right is None:
            return Passage(rule, needed=True, problem=Problem.of(429))
        if key is None or not right:
            return Passage(rule, needed=True, problem=_refused(401, NOT_VALID, f'{REALM}, error="invalid_token"'))
        caller = Caller.of_key(key)
        return Passage(rule, needed=True, caller=caller, problem=caller.objection(rule))

    async def _counted(self, passage: Passage) -> Passage:
        """Let a caller that is known ask as often as he may, and no more."""
        caller, limits = passage.caller, self.settings.limits
        if caller is None:
            return passage
        limit = a_minute(limits.per_person if caller.person else limits.per_key)
        allowance = await asyncio.to_thread(self.limits.take, limit, "request", caller.prefix)
        if allowance.allowed:
            return replace(passage, allowance=allowance)
        words = f"No more than {allowance.limit} requests a minute are taken from one caller. Try again a little later."
        return replace(passage, allowance=allowance, problem=Problem(429, words, wait=max(1, allowance.reset)))

    def _person(self, session: str) -> Caller | None:
        owner = self.desk.sessions.owner(session, at=self._clock())
        person = self.desk.people.with_id(owner) if owner else None
        return Caller.of_person(person) if person and person.disabled_at is None else None

    async def _is_right(self, key: Key, token: str) -> bool | None:
        """Is the token this key's? None when too many are being checked to look at another."""
        seen = hashlib.sha256(token.encode()).digest()
        if self._right.get(seen) == key.prefix:
            self._right.move_to_end(seen)
            return True
        if key.mark is not None and not hmac.compare_digest(key.mark, key.fingerprint.mark_of(token)):
            return False
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

    async def _known(self) -> _Known | None:
        """Who could come in, at most a second old; None while the store was never read."""
        if self._known_now is None or time.monotonic() - self._read_at >= FRESH_SECONDS:
            await asyncio.to_thread(self._read)
        return self._known_now

    def _read(self) -> None:
        with self._lock:
            before = self._known_now or _Known({}, people=False)
            try:
                keys = {key.prefix: key for key in self.store.every_key()}
                people = self.provider is not None or self.desk.people.anybody()
                # No key and no person is ever deleted, so a store that lost them must not open the door.
                self._known_now = _Known(keys or before.keys, people or before.people)
            except ServiceUnavailable as trouble:
                # What was known goes on to count: neither does a broken disk open the door, nor does it close it.
                self.tell("keys not read", trouble.facts())
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
    return _reached_from_afar(str(server[0])) if server else False


@lru_cache(maxsize=64)  # a machine has few addresses
def _reached_from_afar(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _refused(status: int, words: str | None, challenge: str) -> Problem:
    problem = Problem.of(status, words)
    return Problem(problem.status, problem.detail, challenge=challenge)
