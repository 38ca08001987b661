"""How does a person run the acceptance programme?

``python -m tests.acceptance`` measures every case, ``--only seeds thin`` some of them; what was done before is not
done again (``--work`` keeps the companies). ``--page`` makes the page again from the lines that are there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

from . import campaign_effect, dirty, drift, leak_trap, ranges, record, seeds, shock, stable, thin, treated
from .verdicts import Line
from .worlds import FOUR_WEEKLY, WEEKLY, Effort

CASES: Mapping[str, Callable[[Effort], Iterator[Line]]] = {
    "seeds": seeds.measure,
    "no_campaign_effect": campaign_effect.measure,
    "leak_trap": leak_trap.measure,
    "thin": thin.measure,
    "dirty": dirty.measure,
    **{regime: partial(drift.measure, regime) for regime in drift.RIGHT},
    "stable": stable.measure,
    "treated": treated.measure,
    "shock": shock.measure,
    "ranges": ranges.measure,
}
TRIALS = 12


def main(words: list[str] | None = None) -> int:
    """Measure the cases asked for, tell what was found, write lines and page; the exit code is 1 when any failed."""
    asked = _parser().parse_args(words)
    failed = False
    if not asked.page:
        effort = Effort(asked.work.resolve(), asked.trials, _tell, _code(), asked.accounts, tuple(asked.seeds or ()))
        effort = replace(effort, every=WEEKLY if asked.weekly else FOUR_WEEKLY)
        for case in asked.only or CASES:
            failed |= _measured(case, effort)
    record.PAGE.write_text(record.page(record.read()))
    _tell(f"page: {record.PAGE}")
    return int(failed)


def _measured(case: str, effort: Effort) -> bool:
    began, lines = perf_counter(), []
    for line in CASES[case](effort):
        lines.append(line)
        # At once, so that a case that is stopped shows how far it came.
        record.write(lines, case)
        _tell(f"  {line.outcome:<13}{line.world}: {line.asked}: {line.measured}")
    _tell(f"{case}: {perf_counter() - began:.0f} s")
    return any(line.outcome == "FAIL" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CASES), help="some cases; by default all of them")
    parser.add_argument("--accounts", type=int, help="accounts of each company; by default what the case asks for")
    parser.add_argument("--seeds", type=int, nargs="+", help="other companies; by default the seeds of the case")
    parser.add_argument("--trials", type=int, default=TRIALS, help="trials of each search")
    parser.add_argument("--work", type=Path, default=Path(".pulse-acceptance"), help="folder that keeps the companies")
    parser.add_argument("--weekly", action="store_true", help="build every Monday, by the command; four times the work")
    parser.add_argument("--page", action="store_true", help="only make the page from the lines that are there")
    return parser


def _code() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=record.ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
