"""What did the reliability rows find? The page of results, made from the lines that the rows wrote.

``python -m tests.faults.table NEW`` takes the file that ``PULSE_ROWS`` named into the stored lines, and writes the
page. Of several lines of a row and subject the newest counts: a row that was measured again replaces itself. No number
is typed by hand: a test makes the page anew from the stored lines and compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STORED = Path(__file__).parent / "results.txt"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

PROPERTIES: dict[int, str] = {
    1: "Every score under load is the one that the offline table tells",
    2: "A single score with its features from the online store: how long it takes",
    3: "SIGTERM: what is in flight is answered, what is new is turned away, and the service ends by itself",
    4: "Readiness tells the truth at once, whatever is missing, locked or damaged, and the service stays alive",
    5: "Kill -9 of one of two services: one retry is enough for every request",
    6: "Overload is turned away (429 with when to come back), memory stays bounded, and it is over afterwards",
    7: "Bodies, headers and lists beyond the limits are refused, none ends the service",
    8: "Single scores are answered beside batches of 10,000",
    9: "Hot swap: no request fails or is wrong while models are promoted, sabotaged and rolled back",
    10: "A bad model never goes live: mutated, empty or missing files, wrong hash, wrong feature list, NaN",
    11: "Rollback: scores are bit for bit those of before",
    12: "All at once (fitting, features, promotions, rollbacks): no promotion lost, no version mixed",
    13: "Kill -9 in a promotion: one whole current version, no acknowledged promotion lost",
    14: "Columns or feature lists that do not match are refused, none is scored silently",
    15: "The same data and seed give the same bytes",
    16: "Explanations add up to their score, also while models are swapped",
    17: "Nothing in the model store runs as a program",
    25: "An account that nobody knows is told as unknown; no score is invented",
    27: "Poison rows do not sink a batch: good rows are scored, bad ones are told with their reason",
    29: "NaN, infinity and numbers beyond measure are refused at the edge; no score is null",
    30: "Kill -9 of the service: no acknowledged write is lost or counted twice",
    35: "A database behind a bad line (cut, slow, silent): told within seconds, and used again afterwards",
    36: "A clock that is wrong or set back: sessions, links, limits and keys keep their rules, nobody is locked out",
    42: "A call that is sent again under its key counts once",
    45: "A batch answers every input once, in order, whatever became of the others",
    68: "Safe by default: on loopback alone, silent to others, without a key, a person or a well-known password",
    69: "What is installed is locked by hash, above its floor, free to use, and nothing of ours pickles",
}
"""What each row claims, by its number in the list of reliability rows."""

_LINE = re.compile(r"row (?P<row>\d+) (?P<verdict>PASS|FAIL) (?P<failed>\d+)/(?P<of>\d+)(?: (?P<note>.*))?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a row."""

    row: int
    passed: bool
    failed: int
    of: int
    note: str

    @property
    def subject(self) -> tuple[int, str]:
        """What was measured: the row, and its note without its numbers."""
        return self.row, _NUMBER.sub("", self.note)


def read(text: str) -> list[Found]:
    """Every line; raises ValueError for one that is none."""
    return [_found(line) for line in text.splitlines() if line.strip()]


def page(found: Sequence[Found]) -> str:
    """The page as Markdown."""
    newest = {one.subject: one for one in found}
    rows = [newest[subject] for subject in sorted(newest)]
    passed = sum(one.passed for one in rows)
    return "\n".join(
        [
            "# Reliability, as measured",
            "",
            "Made by `make reliability` from what the tests in `tests/faults` printed; no number is written by hand.",
            "Each line says how many of how many went wrong. 0 of N: with 95 % certainty fewer than 3 in N go wrong.",
            "",
            f"{passed} of {len(rows)} measurements hold.",
            "",
            "| Row | Claim | Wrong | Of | Holds | Measured |",
            "|---:|---|---:|---:|---|---|",
            *(_row(one) for one in rows),
            "",
            "`make reliability` measures a quick number of tries, `make reliability PULSE_FULL=1` the full one, on the",
            "service as it really runs, on loopback. Times depend on the machine and on what else it does.",
            "",
        ]
    )


def taken_in(stored: str, new: str) -> str:
    """The stored lines after a new run: one per row and subject, by row; raises ValueError for a line that is none."""
    lines = [line.strip() for line in f"{stored}\n{new}".splitlines() if line.strip()]
    newest = {_found(line).subject: line for line in lines}
    return "".join(f"{newest[subject]}\n" for subject in sorted(newest))


def main(arguments: Sequence[str], *, stored: Path = STORED, target: Path = PAGE) -> int:
    """Take a run in and write the page; exit code 1 when a row failed."""
    before = stored.read_text() if stored.exists() else ""
    lines = taken_in(before, "".join(Path(one).read_text() for one in arguments))
    stored.write_text(lines)
    target.write_text(page(read(lines)))
    return int(not all(one.passed for one in read(lines)))


def _found(line: str) -> Found:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"no line of a row: {line!r}")
    note = match["note"] or ""
    return Found(int(match["row"]), match["verdict"] == "PASS", int(match["failed"]), int(match["of"]), note)


def _row(one: Found) -> str:
    claim = PROPERTIES[one.row]
    return f"| {one.row} | {claim} | {one.failed} | {one.of:,} | {'yes' if one.passed else '**no**'} | {one.note} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
