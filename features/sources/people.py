"""With which secret do the ids of people become keys?

A mapping's ``PERSON(id)`` is a salted hash: the same person has the same key in every load of a home, and nobody
without the home's salt can find the person by trying names. The salt is made once and lies beside the tables, readable
by the owner only. Whoever loses it cannot join new rows to old ones; whoever wants to forget everybody removes it.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from features.errors import IntegrityError
from features.manifest import sync_file, sync_folder
from features.settings import Home

_BYTES = 32


def salt_file(home: Home) -> Path:
    """Where the salt of a home lies."""
    return home.root / "people.salt"


def salt_of(home: Home) -> str:
    """The salt of a home, as hexadecimal digits; made when there is none. Call it while no other ingest runs.

    Raises:
        IntegrityError: the file does not hold a salt.
    """
    path = salt_file(home)
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(_BYTES))
        sync_file(fresh)
        fresh.rename(path)
        sync_folder(path.parent)
    salt = path.read_text()
    if len(salt) != 2 * _BYTES or not set(salt) <= set("0123456789abcdef"):
        raise IntegrityError(
            "the salt of people's keys cannot be used",
            expected=f"{2 * _BYTES} hexadecimal digits",
            found=f"{len(salt)} characters",
            todo=f"restore {path.name} of the home from its backup",
        )
    return salt
