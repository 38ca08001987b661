"""What does the service write about a request, or about itself? One JSON object per line, on the error stream.

No account ids, no paths, no queries, no bodies: the route's pattern says what was asked for. A line cannot be broken by
what a client sends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from serving.clock import Clock, real_clock

Tell = Callable[[str, Mapping[str, Any]], None]


def json_lines(write: Callable[[str], object] | None = None, clock: Clock = real_clock) -> Tell:
    """A teller that writes ``{"at": ..., "event": ..., **facts}`` as one ASCII line per event."""

    def tell(event: str, facts: Mapping[str, Any]) -> None:
        line = json.dumps({"at": clock().isoformat(timespec="milliseconds"), "event": event, **facts}, default=str)
        # Looked up late: a test or a supervisor may have put another stream in place.
        (write or sys.stderr.write)(f"{line}\n")

    return tell


def silent_tell(event: str, facts: Mapping[str, Any]) -> None:
    """The teller for callers that listen to nothing."""
