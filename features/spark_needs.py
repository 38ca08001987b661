"""What must be there before Spark is asked for anything: Java, and a master that answers?

Spark itself would try for a minute, and then fail with a message about something else. No Spark is spoken to here.
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import closing
from pathlib import Path

from features.errors import ConfigError, ServiceUnavailable

_ANSWER_SECONDS = 5
_MASTER_PORT = 7077


def require_java() -> None:
    """Refuse to go on without Java.

    Raises:
        ConfigError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if not (Path(home, "bin", "java").exists() if home else shutil.which("java")):
        raise no_java(f"none in JAVA_HOME ({home})" if home else "no `java` on the path, and no JAVA_HOME")


def no_java(found: str) -> ConfigError:
    """There is no Java, or none that Spark takes."""
    return ConfigError(
        "Spark could not be started",
        expected="Java 17 or 21",
        found=found,
        todo="install one (on Debian: default-jre-headless), or point JAVA_HOME at it",
    )


def require_answer(master: str) -> None:
    """Refuse to go on when a master of Spark's own kind does not answer.

    Raises:
        ServiceUnavailable: nobody does under any of its addresses.
    """
    if not master.startswith("spark://"):
        return
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":") if ":" in address else (address, ":", str(_MASTER_PORT))
        try:
            with closing(socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS)):
                return
        except (OSError, ValueError):
            continue
    raise no_master(master, "no answer")


def no_master(master: str, found: str) -> ServiceUnavailable:
    """A master that is not there, or that wants nothing of us."""
    return ServiceUnavailable(
        "the Spark master does not take us",
        expected=f"a Spark of our version at {master}",
        found=found,
        todo="check the address, and that the cluster is up",
    )
