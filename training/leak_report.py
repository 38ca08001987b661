"""What did the leak check ask, of how many columns, and which know the outcome before it happened?

Output grain: one finding per column that knows too much, with the answer to each question. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.errors import LeakFound

LIMITS = {"near": 0.90, "far": 0.75, "edited": 0.50}
"""Lower bounds from which a column knows too much. near, far: chance that a leaver outranks a stayer. Whoever knew the
true state of every account would reach 0.70-0.80 within the renewal window (domain 6.9), and less further ahead.
edited: how much more often leavers changed than stayers."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answer to one question about one column: the measure, its lower bound, and over how many accounts."""

    question: str
    value: float
    low: float
    leavers: int
    stayers: int

    @property
    def is_leak(self) -> bool:
        """Is the lower bound above what a column can honestly know?"""
        return self.low > LIMITS[self.question]

    def __str__(self) -> str:
        return f"{self.question} {self.value:.2f} (at least {self.low:.2f}, {self.leavers} left)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One column that knows too much; ``origin`` is ``catalogue`` or the name of the candidates' file."""

    column: str
    origin: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What was asked of how many columns, and which know too much, the worst first."""

    columns: int
    questions: tuple[str, ...]
    findings: tuple[Finding, ...]

    def lines(self) -> list[str]:
        """The report for people; the first line is the summary."""
        asked = ", ".join(self.questions)
        told = [f"{self.columns} columns asked ({asked}): {len(self.findings)} know the outcome before it happened"]
        for finding in self.findings:
            leaks = "; ".join(str(evidence) for evidence in finding.evidence if evidence.is_leak)
            told.append(f"  {finding.column:<40}{finding.origin:<28}{leaks}")
        return told

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "columns": self.columns,
            "questions": list(self.questions),
            "leaks": [
                {
                    "column": finding.column,
                    "origin": finding.origin,
                    "evidence": {
                        each.question: {"value": each.value, "low": each.low, "leavers": each.leavers}
                        for each in finding.evidence
                    },
                }
                for finding in self.findings
            ],
        }

    def failure(self) -> LeakFound | None:
        """Why nothing may be trained on these columns; None when no column knows too much."""
        if not self.findings:
            return None
        return LeakFound(
            "columns know the outcome before it happened",
            expected="no column that alone tells who will leave",
            found=", ".join(f"{finding.column} ({finding.origin})" for finding in self.findings),
            todo="leave them out, or replace them by what was known then: a history with available_at",
        )

    def require_none(self) -> None:
        """Refuse to go on with a column that knows too much.

        Raises:
            LeakFound: names the columns.
        """
        failure = self.failure()
        if failure is not None:
            raise failure
