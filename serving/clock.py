"""What time is it for the service?

The one place besides the command line that reads the clock. A service over historic data is given a fixed moment to
judge freshness by; what it writes is always stamped with the real time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def real_clock() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def judging_clock(as_of: datetime | None, clock: Clock = real_clock) -> Clock:
    """The clock that freshness is judged by: ``as_of`` for ever when it is given, else the real one."""
    return clock if as_of is None else lambda: as_of
