"""Where do results go, and which page is made of them?

One JSON line per requirement; measuring a case again replaces its lines. The page is made from the lines alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .verdicts import Line, Outcome

ROOT = Path(__file__).parents[2]
LINES, PAGE = ROOT / "docs" / "acceptance.jsonl", ROOT / "docs" / "acceptance.md"

HEAD = """\
# Acceptance

Made by `make acceptance` (`python -m tests.acceptance`); no number here was typed. Companies are made up with seeds
that were never used while the code was written, and the product's own commands are run on each. Features are built for
every fourth Monday by the code of `pulse build`: training takes no others.

**PASS**: the number meets the bar. **FAIL**: it does not. **UNDERPOWERED**: a number counted from outcomes misses the
bar while its interval reaches it, so that luck cannot be ruled out; the line graded with true chances beside it has
no such excuse. Intervals are 95 %, over redrawn accounts unless they are exact.
"""


def read(path: Path = LINES) -> list[Line]:
    """The lines as they were written."""
    return [Line.model_validate_json(text) for text in path.read_text().splitlines()] if path.exists() else []


def write(lines: Sequence[Line], case: str, path: Path = LINES) -> list[Line]:
    """Replace the lines of one case; all lines, in the order of their cases."""
    kept = [line for line in read(path) if line.case != case]
    whole = sorted([*kept, *lines], key=lambda line: line.case)
    path.write_text("".join(f"{line.model_dump_json()}\n" for line in whole))
    return whole


def page(lines: Sequence[Line]) -> str:
    """The page."""
    counts = Counter(line.outcome for line in lines)
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    parts = [HEAD, f"{len(lines)} requirements: {summary}.\n"]
    for case in sorted({line.case for line in lines}):
        told = [line for line in lines if line.case == case]
        parts += [f"## {case}\n", _table(told), *_notes(told)]
    return "\n".join(parts)


def _table(lines: Sequence[Line]) -> str:
    head = ["| world | asked | measured | | code |", "|---|---|---|---|---|"]
    rows = [f"| {_cells(line)} |" for line in lines]
    return "\n".join([*head, *rows]) + "\n"


def _cells(line: Line) -> str:
    cells = (line.world, line.asked, line.measured, f"**{line.outcome}**", line.code)
    return " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells)


def _notes(lines: Sequence[Line]) -> list[str]:
    told = [f"- {line.world}, {line.asked}: {' '.join(line.note.split())}" for line in lines if line.note]
    return ["\n".join(told) + "\n"] if told else []
