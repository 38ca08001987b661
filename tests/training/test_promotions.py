"""The promotion log: who put which model live, on which verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import GateRefused, MissingStateError, UsageError
from features.settings import Home
from features.state import open_state
from training import promotions

PASSED = {"passed": True, "gates": []}
REFUSED = {"passed": False, "gates": [{"code": "skill_within_window", "passed": False}]}
NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


def put_live(home: Home, version: str) -> promotions.Promotion:
    return promotions.promote(home, version, who="ada", why="better", verdict=PASSED, at=NOON)


def test_nothing_is_live_before_the_first_promotion_and_asking_writes_nothing(home: Home) -> None:
    assert promotions.current(home) is None
    assert promotions.log(home) == ()
    assert not home.root.exists()
    with pytest.raises(MissingStateError):
        promotions.require_current(home)


def test_a_passed_version_goes_live_and_the_log_says_who_and_why(home: Home) -> None:
    put_live(home, "1")
    assert promotions.require_current(home) == promotions.Champion("1", home.bundles / "1")
    assert promotions.log(home) == (promotions.Promotion(NOON, "ada", "better", "promote", None, "1", PASSED),)


@pytest.mark.parametrize("verdict", [REFUSED, {}, {"passed": None}, {"passed": "true"}, {"passed": 1}])
def test_only_a_verdict_that_says_true_opens_the_way(home: Home, verdict: dict[str, object]) -> None:
    with pytest.raises(GateRefused) as refusal:
        promotions.promote(home, "1", who="ada", why="", verdict=verdict, at=NOON)
    assert "version 1 may not go live" in str(refusal.value)
    assert promotions.current(home) is None


def test_a_refusal_names_the_gates_that_refused(home: Home) -> None:
    with pytest.raises(GateRefused, match="skill_within_window"):
        promotions.promote(home, "1", who="ada", why="", verdict=REFUSED, at=NOON)


def test_the_live_version_cannot_be_promoted_again(home: Home) -> None:
    put_live(home, "1")
    with pytest.raises(UsageError):
        put_live(home, "1")


def test_rollback_puts_the_version_before_live_and_keeps_its_verdict(home: Home) -> None:
    put_live(home, "1")
    put_live(home, "2")
    back = promotions.rollback(home, who="bob", why="worse", at=NOON)
    assert (back.version_from, back.version_to, back.verdict) == ("2", "1", PASSED)
    assert promotions.require_current(home).version == "1"


def test_two_rollbacks_go_back_two_versions_and_a_third_has_nowhere_to_go(home: Home) -> None:
    for version in ("1", "2", "3"):
        put_live(home, version)
    promotions.rollback(home, who="bob", why="", at=NOON)
    promotions.rollback(home, who="bob", why="", at=NOON)
    assert promotions.require_current(home).version == "1"
    with pytest.raises(MissingStateError):
        promotions.rollback(home, who="bob", why="", at=NOON)


@pytest.mark.parametrize("statement", ["UPDATE promotions SET who = 'eve'", "DELETE FROM promotions"])
def test_the_log_cannot_be_changed_afterwards(home: Home, statement: str) -> None:
    put_live(home, "1")
    engine = open_state(home)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert promotions.log(home)[0].who == "ada"


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.sampled_from(["promote", "rollback"]), max_size=8))
def test_the_live_version_is_what_a_stack_of_versions_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    home = Home(root=tmp_path_factory.mktemp("home"))
    stack: list[str] = []
    for number, step in enumerate(steps):
        if step == "promote":
            put_live(home, str(number))
            stack.append(str(number))
        elif len(stack) > 1:
            promotions.rollback(home, who="bob", why="", at=NOON)
            stack.pop()
    champion = promotions.current(home)
    assert (champion.version if champion else None) == (stack[-1] if stack else None)
