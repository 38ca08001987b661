"""What is a gate, and what does it take for a verdict to pass?

A verdict is stored with the model it judges; it is read by the report, the registry and whoever asks why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from features.errors import GateRefused, NoUsableSignal
from training.evaluation_parts import Document

SIGNAL_GATES = ("enough_outcomes", "skill_within_window", "better_than_timing")
"""Gates that ask the data; the others ask the machinery or the calibration."""

GATE_CODES = (
    *SIGNAL_GATES,
    "no_leak",
    "early_detection",
    "calibration_overall",
    "calibration_by_phase",
    "ranges_hold",
    "segments_hold",
    "steady_reasons",
    "additivity",
    "monotone_risk",
    "golden_rows",
    "complete_scores",
    "small_and_quick",
)
"""Every gate that a passing verdict must hold, in the order of asking."""

_MACHINERY_GATES = ("no_leak", "additivity", "monotone_risk", "golden_rows", "complete_scores", "small_and_quick")

Evidence = dict[str, float | int | str | bool | None]


class Cause(StrEnum):
    """Why a gate refused."""

    NONE = ""
    NOT_MEASURED = "not measured"
    TOO_FEW_OUTCOMES = "too few outcomes"
    FAILED = "failed"


class Gate(Document):
    """One question that a model must answer; ``reason`` is for people, ``evidence`` are the numbers behind it."""

    code: str
    title: str
    passed: bool
    cause: Cause
    reason: str
    evidence: Evidence

    @model_validator(mode="after")
    def _cause_fits(self) -> Self:
        if self.passed is not (self.cause is Cause.NONE):
            raise ValueError(f"{self.code}: a gate has a cause exactly when it refuses")
        return self


class Verdict(Document):
    """Every gate in order. It passes when all of :data:`GATE_CODES` passed; a stored one cannot claim more."""

    model_version: str
    passed: bool
    gates: tuple[Gate, ...]

    @model_validator(mode="after")
    def _tells_the_truth(self) -> Self:
        codes = [gate.code for gate in self.gates]
        if self.passed and (codes != list(GATE_CODES) or not all(gate.passed for gate in self.gates)):
            raise ValueError("a verdict passes only when every gate was asked and passed")
        return self

    @property
    def refusals(self) -> tuple[Gate, ...]:
        """The gates that refused."""
        return tuple(gate for gate in self.gates if not gate.passed)

    def raise_if_refused(self) -> None:
        """Do nothing for a passed verdict.

        Raises:
            NoUsableSignal: the machinery is sound and measured, but the data shows no skill or has too few outcomes.
            GateRefused: any other refusal; broken machinery is told first, since it can make skill vanish.
        """
        if self.passed:
            return
        codes = [gate.code for gate in self.refusals]
        found = "; ".join(f"{gate.code}: {gate.reason}" for gate in self.refusals)
        unsound = any(gate.cause is Cause.NOT_MEASURED or gate.code in _MACHINERY_GATES for gate in self.refusals)
        if not unsound and any(code in SIGNAL_GATES for code in codes):
            raise NoUsableSignal(
                f"model {self.model_version} shows no usable signal",
                expected="enough accounts that left, and a ranking within the renewal window that beats timing alone",
                found=found,
                todo="wait for more outcomes or add sources; until then work with renewal dates, not with this score",
            )
        raise GateRefused(
            f"model {self.model_version} may not go live",
            expected=f"all {len(GATE_CODES)} gates passed",
            found=found or "gates are missing from the verdict",
            todo="read the evaluation report, mend the cause and train again",
        )
