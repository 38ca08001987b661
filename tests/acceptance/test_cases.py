"""Are the small decisions inside the cases the ones that the issue asks for?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from training.watch_parts import Cause

from .drift import Look, answered, named
from .product import DONE, DRIFTED, QUARANTINED, REFUSED
from .stable import alarms_in
from .treated import PLANTED, recovered
from .verdicts import Measured, Outcome
from .worlds import WEEKLY, Effort, World, one_command_each

SWITCH = datetime(2024, 1, 29, tzinfo=UTC)


def world(work: Path, *, every: int = 4, regime: str = "dirty") -> World:
    return World("case", regime, 30, 1, Effort(work, 1, lambda _: None, "abc", every=every))


def seen(days: int, *causes: Cause) -> Look:
    return Look(SWITCH + timedelta(days=days), DRIFTED, frozenset(causes), "wait", "so")


def looks(codes: list[int]) -> list[Look]:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        Look(begin + timedelta(weeks=4 * place), code, frozenset({Cause.LEVEL}), "wait", "so")
        for place, code in enumerate(codes)
    ]


@pytest.mark.parametrize(
    ("codes", "alarms"),
    [
        ([], 0),
        ([DONE, DONE], 0),
        ([DRIFTED, DONE], 1),
        # What lasts is told once; two dates that call, one after the other, told of two things.
        ([DONE, DRIFTED, DRIFTED, DONE], 2),
        ([DRIFTED, DONE, DRIFTED], 2),
    ],
)
def test_an_alarm_is_counted_when_it_is_told(codes: list[int], alarms: int) -> None:
    assert alarms_in(looks(codes)) == alarms


@pytest.mark.parametrize(
    ("low", "high", "planted", "outcome"),
    [
        (-0.25, -0.02, PLANTED, Outcome.PASS),
        (-0.12, -0.02, PLANTED, Outcome.FAIL),
        # An interval that holds both what was planted and nothing has not found it.
        (-0.30, 0.10, PLANTED, Outcome.UNDERPOWERED),
        (-0.12, 0.10, PLANTED, Outcome.FAIL),
        (-0.30, 0.10, 0.0, Outcome.PASS),
        (0.01, 0.10, 0.0, Outcome.FAIL),
        (None, None, PLANTED, Outcome.UNDERPOWERED),
    ],
)
def test_an_effect_is_recovered_when_it_is_told_from_nothing(
    low: float | None, high: float | None, planted: float, outcome: Outcome
) -> None:
    assert recovered(Measured(value=-0.1, low=low, high=high), planted) is outcome


@pytest.mark.parametrize(
    ("looks", "outcomes"),
    [
        # 30 days of horizon and 60 of settling before the first label, then 90 days.
        ([seen(90), seen(180, Cause.PRICE, Cause.LEVEL)], (Outcome.PASS, Outcome.PASS)),
        ([seen(90), seen(181, Cause.PRICE)], (Outcome.FAIL, Outcome.PASS)),
        ([seen(90, Cause.LEVEL)], (Outcome.FAIL, Outcome.PASS)),
        # A name that was given before the switch was thrown names something else.
        ([seen(-1, Cause.PRICE)], (Outcome.FAIL, Outcome.PASS)),
        ([seen(60, Cause.CALENDAR), seen(90, Cause.PRICE)], (Outcome.PASS, Outcome.FAIL)),
        ([seen(90, Cause.PRICE), seen(200, Cause.CALENDAR)], (Outcome.PASS, Outcome.PASS)),
    ],
)
def test_a_switch_is_named_in_time_and_alone(
    looks: list[Look], outcomes: tuple[Outcome, Outcome], tmp_path: Path
) -> None:
    assert tuple(line.outcome for line in named(world(tmp_path, regime="drift_price"), looks, SWITCH)) == outcomes


@pytest.mark.parametrize(
    ("train", "every", "asked", "outcome"),
    [
        (DONE, 4, "simulate, ingest, train: one command each", Outcome.PASS),
        (REFUSED, 4, "simulate, ingest, train: one command each", Outcome.PASS),
        # Built by the code of the command is not built by the command.
        (DONE, WEEKLY, "simulate, ingest, build, train: one command each", Outcome.FAIL),
        (5, 4, "simulate, ingest, train: one command each", Outcome.FAIL),
    ],
)
def test_only_what_a_command_did_counts_as_done_by_one(
    train: int, every: int, asked: str, outcome: Outcome, tmp_path: Path
) -> None:
    here = world(tmp_path, every=every)
    (here.place.root / "steps").mkdir(parents=True)
    for name, code in (("simulate", DONE), ("ingest", QUARANTINED), ("train", train)):
        told = {"code": code, "stdout": "", "stderr": "", "document": {}}
        (here.place.root / "steps" / f"{name}.json").write_text(json.dumps({"words": [], "told": told}))
    line = one_command_each(here)
    assert (line.asked, line.outcome) == (asked, outcome)
    assert "4 = rows in quarantine" in line.note


def test_a_clean_company_has_no_row_in_quarantine(tmp_path: Path) -> None:
    here = world(tmp_path, regime="thin")
    (here.place.root / "steps").mkdir(parents=True)
    for name, code in (("simulate", DONE), ("ingest", QUARANTINED), ("train", DONE)):
        told = {"code": code, "stdout": "", "stderr": "", "document": {}}
        (here.place.root / "steps" / f"{name}.json").write_text(json.dumps({"words": [], "told": told}))
    assert one_command_each(here).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("registered", "after", "used", "asked"),
    [({}, SWITCH, "1", 2), ({56: "2"}, SWITCH + timedelta(days=56), "2", 2), ({28: "2", 56: "3"}, None, "2", 1)],
)
def test_a_new_level_is_asked_for_as_often_as_advised_until_one_is_registered(
    tmp_path: Path, registered: dict[int, str], after: datetime | None, used: str, asked: int
) -> None:
    company, seen = world(tmp_path), []
    # Before the switch, and where nothing is to be refitted, nobody asks.
    steps = {-28: "intercept", 0: "wait", 28: "intercept", 56: "platt", 84: "nothing"}
    for days, step in steps.items():
        at = SWITCH + timedelta(days=days)
        seen.append(Look(at, DRIFTED, frozenset(), step, "so"))
        day = at.date().isoformat()
        told = {
            "code": DONE,
            "stdout": f"told on {day}\n",
            "stderr": "",
            "document": {"registered": registered.get(days)},
        }
        words = ["recalibrate", "--as-of", day, "--model", "1"]
        path = company.place.root / "steps" / f"recalibrate-{day}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if step in {"intercept", "platt"} and days > 0:
            path.write_text(json.dumps({"words": words, "told": told}))
    found = answered(company, "1", seen, SWITCH)
    assert found[:2] == (after or SWITCH + timedelta(days=28), used)
    assert found[2].count("told on") == asked
