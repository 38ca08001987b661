"""How does a row of the reliability table say what it measured?

One line per row: ``row 30 PASS 0/5 lost, ...``. It is printed, and added to the file that ``PULSE_ROWS`` names, from
which a table of results can be made. ``PULSE_FULL`` asks for the full number of tries instead of the quick one.
"""

from __future__ import annotations

import os
from pathlib import Path

ROWS_VARIABLE, FULL_VARIABLE = "PULSE_ROWS", "PULSE_FULL"


def tries(quick: int, full: int) -> int:
    """How often something is tried in this run."""
    return full if os.environ.get(FULL_VARIABLE, "") not in {"", "0"} else quick


def report(row: int, failed: int, of: int, note: str = "") -> None:
    """Tell what a row found, then fail unless nothing failed and something was tried."""
    passed = failed == 0 and of > 0
    line = f"row {row:02d} {'PASS' if passed else 'FAIL'} {failed}/{of}{f' {note}' if note else ''}"
    print(line)  # noqa: T201  it is what the reporter is for
    if place := os.environ.get(ROWS_VARIABLE):
        with Path(place).open("a") as rows:
            rows.write(f"{line}\n")
    assert passed, line
