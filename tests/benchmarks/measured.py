"""What did a piece of work cost: processor time, and memory at its peak?

Processor time, as other work on the machine does not count there; read the ratios of one run. Peak memory is that of
the process since it was last forgotten, where the system can forget it (Linux), else since its start.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

_FORGET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def rows_wanted(variable: str, usual: int) -> int:
    """How many rows the environment asks for."""
    return int(os.environ.get(variable, usual))


def cost_of(work: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of this process and its children, and megabytes at the peak."""
    if _FORGET.exists():
        _FORGET.write_text("5")
    began = _spent()
    work()
    return _spent() - began, _peak()


def best_of(*ways: Callable[[], object], rounds: int) -> list[float]:
    """Processor seconds of each way at its best, their rounds taking turns."""
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            began = time.process_time()
            way()
            best[place] = min(best[place], time.process_time() - began)
    return best


def _spent() -> float:
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def _peak() -> float:
    if _STATUS.exists():
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
