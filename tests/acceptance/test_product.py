"""Is a step done once, remembered, and stopped at when it goes wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from .product import DONE, Place, StepFailedError

ANSWERS = (2, 5)
"""Codes by which our commands say that something is not there."""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def place(tmp_path: Path, said: list[str]) -> Place:
    return Place(tmp_path / "campaign-3-1", said.append)


def test_a_step_is_done_once_and_told_once(place: Place, said: list[str]) -> None:
    first = place.step("waiting", "quarantine", "list")
    assert (first.code, len(said)) == (DONE, 1)
    assert place.step("waiting", "quarantine", "list") == first == place.said("waiting")
    assert len(said) == 1


def test_other_words_are_another_step(place: Place, said: list[str]) -> None:
    place.step("waiting", "quarantine", "list")
    place.step("waiting", "quarantine", "show", "no-such-load", allowed=ANSWERS)
    assert len(said) == 2


def test_a_step_that_was_never_done_said_nothing(place: Place) -> None:
    assert place.said("waiting") is None


def test_a_command_that_fails_stops_the_case_and_is_not_taken_for_done(place: Place, said: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(StepFailedError, match="campaign-3-1: show ended with code"):
            place.step("show", "quarantine", "show", "no-such-load")
    assert len(said) == 2


def test_a_code_that_answers_the_question_is_allowed(place: Place) -> None:
    told = place.step("show", "quarantine", "show", "no-such-load", allowed=ANSWERS)
    assert told.code in ANSWERS
    assert place.said("show") == told
