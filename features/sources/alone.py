"""How does one ingest or replay at a time write to a home, after the traces of a killed one are gone?"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from features.errors import UsageError
from features.events import TABLES
from features.settings import Home
from features.warehouse import Warehouse

SCRATCH = "ingest-"
"""How the scratch folders in a home begin."""


class Busy(UsageError):
    """Somebody else writes to the home; it ends by itself."""


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Write alone to the canonical tables and the quarantine of a home.

    Raises:
        Busy: somebody else does.
    """
    with (home.root / "ingest.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                "another ingest is running on this home", expected="one at a time", found="a lock", todo="wait for it"
            ) from None
        _sweep(home)
        yield


def _sweep(home: Home) -> None:
    # What a killed ingest left: safe to delete as nobody else holds the lock.
    for folder in home.root.glob(f"{SCRATCH}*/"):
        shutil.rmtree(folder)
    for table in TABLES:
        Warehouse(home).dataset(table).sweep()
