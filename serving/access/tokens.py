"""What does an API key look like, and how is one known again without being kept?

A key is ``pulse_PREFIX_SECRETCHECK``: a prefix by which it is named everywhere, 256 random bits, and a checksum by
which a mistyped key (or one that was cut when copied) is told without asking the store. Kept are a salt and the scrypt
hash of the whole key; the key itself is shown once, when it is made. The secret is far beyond guessing, so the hash
need not be slow; it only has to be of no use to whoever reads the store.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass

_PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LENGTH = 8
_SECRET_BYTES = 32
_SALT_BYTES = 16
_FORM = re.compile(r"pulse_(?P<prefix>[a-z2-9]{8})_(?P<secret>[A-Za-z0-9_-]{43})(?P<check>[0-9a-f]{8})")
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 32}
"""About 40 ms and 16 MB, once per key and process: what was found right is remembered."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a key."""

    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, token: str, salt: bytes | None = None) -> Fingerprint:
        """The fingerprint of a key, with a new salt unless one is given."""
        chosen = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
        return cls(chosen, hashlib.scrypt(token.encode(), salt=chosen, **_SCRYPT))

    def mark_of(self, token: str) -> str:
        """64 bits by which a wrong key is told at once: without them, made-up keys would take the processor.

        Of the 256 bits of a secret, 192 stay unknown to whoever reads the store.
        """
        return hashlib.sha256(self.salt + token.encode()).hexdigest()[:16]

    def matches(self, token: str) -> bool:
        """Is this the fingerprint of the key? Takes the same time wherever the two differ."""
        return hmac.compare_digest(Fingerprint.of(token, self.salt).hash, self.hash)


def new_token() -> str:
    """A new key."""
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    body = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return f"pulse_{body}{_check(body)}"


def prefix_of(token: str) -> str | None:
    """The prefix by which a key is named; None when the text cannot be one of our keys."""
    form = _FORM.fullmatch(token)
    if form is None or form["check"] != _check(f"{form['prefix']}_{form['secret']}"):
        return None
    return form["prefix"]


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
