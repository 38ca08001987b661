"""How does the programme use the product, and go on where it was stopped?

Every step is one command of ours, run as a person would. What it said is kept in the case's folder, under a name; a
step that was done with the same words is not done again. Delete the folder of a case to measure it anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from features.settings import Home
from tests.walk_case import Told, pulse

from .mondays import build_mondays

Tell = Callable[[str], None]

DONE, QUARANTINED, REFUSED, NO_SIGNAL, LEAKED, DRIFTED = 0, 4, 8, 9, 11, 12
"""Exit codes (README) that answer a question; any other one stops the case."""


class StepFailedError(Exception):
    """A command did not do what it is for."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one made-up company: its files, its home, and what each step said."""

    root: Path
    tell: Tell

    @property
    def company(self) -> Path:
        """The tables, with ``truth/`` below."""
        return self.root / "company"

    @property
    def truth(self) -> Path:
        """What only grading may read."""
        return self.company / "truth"

    @property
    def home(self) -> Home:
        """Where the product lives."""
        return Home(root=(self.root / "home").resolve())

    def step(self, name: str, *words: object, allowed: tuple[int, ...] = (DONE,)) -> Told:
        """Run a command, or recall what it said.

        Raises:
            StepFailedError: it ended with another code than one of ``allowed``.
        """
        asked = [*map(str, words)]
        told = self._recalled(name, asked)
        if told is None or told.code not in allowed:
            told = self._run(name, asked)
        if told.code not in allowed:
            raise StepFailedError(f"{self.root.name}: {name} ended with code {told.code}\n{told.stdout}\n{told.stderr}")
        return told

    def build(self, first: str, last: str, every: int) -> None:
        """Build snapshots: by the command where every Monday is wanted, else by its code, so many weeks apart."""
        if every == 1:
            self.step("build", "build", "--from", first, "--to", last)
            return
        words = ["every", str(every), first, last]
        if self._recalled("mondays", words) is None:
            began = perf_counter()
            count = build_mondays(self.home, first, last, every=every)
            self._keep("mondays", words, Told(DONE, f"{count} snapshots", "", {}), perf_counter() - began)

    def said(self, name: str) -> Told | None:
        """What a step said when it was last done; None when it never was."""
        path = self.root / "steps" / f"{name}.json"
        return Told(**json.loads(path.read_text())["told"]) if path.exists() else None

    def _run(self, name: str, words: list[str]) -> Told:
        began = perf_counter()
        told = pulse(*words, home=self.home.root)
        self._keep(name, words, told, perf_counter() - began)
        return told

    def _keep(self, name: str, words: list[str], told: Told, seconds: float) -> None:
        folder = self.root / "steps"
        folder.mkdir(parents=True, exist_ok=True)
        document = {"words": words, "seconds": round(seconds, 1), "told": asdict(told)}
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))
        self.tell(f"{self.root.name}: {name} (code {told.code}, {seconds:.0f} s)")

    def _recalled(self, name: str, words: list[str]) -> Told | None:
        path = self.root / "steps" / f"{name}.json"
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        return Told(**kept["told"]) if kept["words"] == words else None
