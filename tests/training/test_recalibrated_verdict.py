"""The verdict of a recalibrated model: order carried over, calibration and machinery measured, closed in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from training.recalibrated_verdict import Restated, Tried, recalibrated_verdict
from training.recalibration import Recalibration
from training.verdict import GATE_CODES, Cause, Gate, Verdict
from training.watch_parts import Step

BEFORE = Verdict(
    model_version="3",
    passed=True,
    gates=tuple(
        Gate(code=code, title=code, passed=True, cause=Cause.NONE, reason="it was so", evidence={})
        for code in GATE_CODES
    ),
)
FOUND = Recalibration(
    version_from="3",
    step=Step.INTERCEPT,
    slope=1.0,
    shift=0.4,
    rows=9000,
    leavers=40,
    stated=27.0,
    restated=39.8,
    gain=0.001,
    gain_low=0.0,
    gain_high=0.002,
    accepted=True,
    refused="",
    sentence="",
)
PHASES = {"off": Restated(22, 21.0), "post": Restated(12, 11.5), "active": Restated(6, 7.3)}
TRIED = Tried(rows=40, missing=0, falling=0, additivity_error=1e-13, golden_rows=40)


def verdict(**changed: Any) -> Verdict:
    said: dict[str, Any] = {"before": BEFORE, "found": FOUND, "phases": PHASES, "tried": TRIED, **changed}
    return recalibrated_verdict("4", said["before"], said["found"], said["phases"], said["tried"])


def gate(found: Verdict, code: str) -> Gate:
    return next(one for one in found.gates if one.code == code)


def test_a_sound_line_on_a_passed_model_passes_every_gate() -> None:
    found = verdict()
    assert (found.passed, found.model_version) == (True, "4")
    assert [one.code for one in found.gates] == list(GATE_CODES)


def test_what_is_carried_over_says_from_where_and_why() -> None:
    reason = gate(verdict(), "skill_within_window").reason
    assert reason == "as for version 3, whose order of accounts it keeps: it was so"


def test_carrying_over_passes_no_gate_that_was_refused() -> None:
    refused = gate(BEFORE, "no_leak").model_copy(update={"passed": False, "cause": Cause.FAILED})
    gates = tuple(refused if one.code == "no_leak" else one for one in BEFORE.gates)
    found = verdict(before=BEFORE.model_copy(update={"passed": False, "gates": gates}))
    assert [one.code for one in found.refusals] == ["no_leak"]


@pytest.mark.parametrize(
    ("changed", "code", "cause"),
    [
        ({"found": FOUND.model_copy(update={"leavers": 19})}, "calibration_overall", Cause.TOO_FEW_OUTCOMES),
        ({"found": FOUND.model_copy(update={"accepted": False})}, "calibration_overall", Cause.FAILED),
        ({"phases": {"off": Restated(40, 15.0)}}, "calibration_by_phase", Cause.FAILED),
        ({"phases": {"off": Restated(1, 20.0)}}, "calibration_by_phase", Cause.FAILED),
        ({"phases": {"off": Restated(9, 9.0)}}, "calibration_by_phase", Cause.TOO_FEW_OUTCOMES),
        ({"phases": {}}, "calibration_by_phase", Cause.TOO_FEW_OUTCOMES),
        ({"tried": Tried(40, 0, 0, 1e-3, 40)}, "additivity", Cause.FAILED),
        ({"tried": Tried(40, 0, 0, float("nan"), 40)}, "additivity", Cause.FAILED),
        ({"tried": Tried(40, 0, 1, 0.0, 40)}, "monotone_risk", Cause.FAILED),
        ({"tried": Tried(40, 0, 0, 0.0, 0)}, "golden_rows", Cause.FAILED),
        ({"tried": Tried(40, 1, 0, 0.0, 40)}, "complete_scores", Cause.FAILED),
        ({"tried": Tried(0, 0, 0, 0.0, 40)}, "complete_scores", Cause.FAILED),
    ],
)
def test_each_gate_that_is_measured_anew_can_refuse(changed: dict[str, Any], code: str, cause: Cause) -> None:
    found = verdict(**changed)
    assert not found.passed
    assert [(one.code, one.cause) for one in found.refusals] == [(code, cause)]


def test_one_phase_that_is_off_by_luck_alone_does_not_refuse() -> None:
    # 17 where 11.5 were stated is far from 1 and still within what chance gives one of several phases.
    assert verdict(phases={**PHASES, "post": Restated(19, 11.5)}).passed
