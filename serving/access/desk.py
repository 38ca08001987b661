"""May this person sign in?

By a password of ours, or by a provider that vouches for him (``serving.access.provider``). Whoever tries passwords
gets ten tries an hour for one name from browsers that were never signed in to it, and as many from one that was: so
twenty are looked at at most, and an attacker uses up his own tries, not those of the owner's browser. Nobody is locked
out for good. An unknown name, a wrong password and a disabled person are answered with the same words after the same
work.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from itsdangerous import BadSignature, URLSafeTimedSerializer

from features import audit_log
from features.audit_log import Deed, What
from features.settings import Home
from serving.access import passwords
from serving.access.limits import Limits, an_hour
from serving.access.people import PeopleStore, Person
from serving.access.secret import signer
from serving.access.sessions import SessionRules, SessionStore
from serving.access.settings import AccessSettings
from serving.access.tables import PeopleTables
from serving.clock import Clock
from serving.request_log import Tell

TRIES = an_hour(10)
"""For one name from strange browsers, and for one name from one browser that is known."""

_ONCE = an_hour(1)
DEVICE_LIVES = timedelta(days=180)
"""How long a browser is remembered as one that its owner signed in with."""


class Outcome(StrEnum):
    """What became of a try; the words of the metric."""

    SIGNED_IN = "signed_in"
    WRONG = "wrong"
    LIMITED = "limited"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: what was typed, from which address, and what the browser held from before (None where nothing)."""

    email: str
    password: str
    address: str
    device: str | None
    session: str | None


@dataclass(frozen=True, slots=True)
class Admission:
    """What a try leads to. ``session`` and ``device`` are for the browser's cookies; None where nobody came in."""

    outcome: Outcome
    session: str | None = None
    device: str | None = None


class SignInDesk:
    """The desk of one home. Raises ServiceUnavailable where the state does not answer."""

    def __init__(self, home: Home, settings: AccessSettings, limits: Limits, *, clock: Clock, tell: Tell) -> None:
        self.settings = settings
        self.clock = clock
        self.tables = PeopleTables(home)
        self.people = PeopleStore(self.tables)
        rules = SessionRules(settings.sessions.idle, settings.sessions.longest)
        self.sessions = SessionStore(self.tables, rules)
        self.limits = limits
        self.count: Callable[[Outcome], None] = _count_nothing
        self._home = home
        self._tell = tell
        self._devices: URLSafeTimedSerializer | None = None

    def sign_in(self, attempt: Attempt) -> Admission:
        """Let a person in who knows the password."""
        admission = self._judged(attempt)
        self.count(admission.outcome)
        return admission

    def admit(self, person: Person, *, how: str, session: str | None) -> Admission:
        """Let a person in who is known already; ``session`` is what the browser had before, and ends."""
        token = self.sessions.begin(person.id, how=how, at=self.clock(), instead_of=session)
        device = self._signer().dumps([person.id, person.generation, secrets.token_hex(8)])
        return Admission(Outcome.SIGNED_IN, token, str(device))

    def set_password(self, code: str, password: str, *, session: str | None) -> Admission | None:
        """Set the password that the owner of a link chose, and let him in; None where the link opens nothing.

        Raises:
            UsageError: the password is too weak; the link can still be used.
        """
        person = self.people.of_link(code, at=self.clock())
        done = person and self.people.use_link(code, person, password, at=self.clock())
        if not done:
            return None
        self.count(Outcome.SIGNED_IN)
        return self.admit(done, how="sign-up link", session=session)

    def sign_out(self, session: str) -> None:
        """End a session."""
        self.sessions.end(session, at=self.clock())

    def close(self) -> None:
        """Give the database back."""
        self.tables.close()

    def _judged(self, attempt: Attempt) -> Admission:
        per_address = an_hour(self.settings.limits.per_address)
        if not self.limits.take(per_address, "sign-in from", attempt.address).allowed:
            return Admission(Outcome.LIMITED)
        email = attempt.email.strip().casefold()
        person = self.people.with_email(email)
        if not self._may_try(email, person, attempt.device):
            return Admission(Outcome.LIMITED)
        # Always compared, so that an answer takes as long for an unknown name.
        right = passwords.matches(person.password if person else None, attempt.password)
        if person is None or not right or person.disabled_at is not None or not self.settings.passwords:
            return Admission(Outcome.WRONG)
        if passwords.outdated(person.password or ""):
            self.people.rehash(person, attempt.password)
        return self.admit(person, how="password", session=attempt.session)

    def _may_try(self, email: str, person: Person | None, device: str | None) -> bool:
        known = self._known(device, person)
        if self.limits.take(TRIES, "password", f"{email} {known or ''}").allowed:
            return True
        if self.limits.take(_ONCE, "password blocked", email).allowed:
            self._tell("sign-in blocked", {"person": person.id if person else "unknown"})
            if person is not None:
                deed = Deed(self.clock(), "-", What.SIGN_IN_BLOCKED, person.id, None, {"tries": TRIES.amount})
                audit_log.append(self._home, deed)
        return False

    def _known(self, device: str | None, person: Person | None) -> str | None:
        """By which name a browser is known that the person has signed in with; None where it is a strange one."""
        if device is None or person is None:
            return None
        try:
            owner, generation, name = self._signer().loads(device, max_age=int(DEVICE_LIVES.total_seconds()))
        except (BadSignature, ValueError, TypeError):
            return None
        return str(name) if (owner, generation) == (person.id, person.generation) else None

    def _signer(self) -> URLSafeTimedSerializer:
        if self._devices is None:
            self._devices = signer(self._home, "device")
        return self._devices


def _count_nothing(outcome: Outcome) -> None:
    """The listener where nobody counts."""
