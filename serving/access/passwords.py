"""How is a password kept, and known again?

As an Argon2id hash with a salt of its own. Where there is no password to compare with (an unknown name, a person who
signs in elsewhere) a hash of nobody's is worked on, so that the time an answer takes says nothing about who is known.
"""

from __future__ import annotations

from functools import cache
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from features.errors import UsageError

SHORTEST, LONGEST = 12, 200
"""Length is what counts; the upper end keeps a megabyte from being hashed."""

_LEAST_LETTERS = 5
"""Different letters: "aaaaaaaaaaaa" and "121212121212" are guessed at once."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""The least that OWASP asks for (19 MiB, two passes); about 25 ms, so that a hundred at once do not fill the memory."""


def require_good(password: str, *, email: str) -> str:
    """The password, where it may be one.

    Raises:
        UsageError: it is too short, too long, too plain, or the person's own address.
    """
    plain, own = password.casefold(), email.casefold()
    if (
        SHORTEST <= len(password) <= LONGEST
        and len(set(plain)) >= _LEAST_LETTERS
        and plain not in own
        and own not in plain
    ):
        return password
    raise UsageError(
        "this password cannot be taken",
        expected=f"{SHORTEST} to {LONGEST} characters, not the same few again and again, and not the e-mail address",
        found=f"{len(password)} characters",
        todo="take a sentence of some words that only you would put together",
    )


def hashed(password: str) -> str:
    """What is kept of a password."""
    return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Is it this password? Takes the same time where none is kept."""
    try:
        return _HASHER.verify(kept or _nobodys(), password[: LONGEST + 1]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(kept: str) -> bool:
    """Was it hashed more weakly than is done now?"""
    return _HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return _HASHER.hash(token_urlsafe())
