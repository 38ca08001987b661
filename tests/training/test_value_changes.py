"""When did the annual value of an account fall or rise by so much that it counts?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from training.endings import midnight
from training.target import Target
from training.value_changes import ChangeRule, Move, ValueChange, value_changes

RULE = ChangeRule(contraction_share=0.20, upsell_share=0.10, grace=timedelta(days=30))
START = date(2024, 1, 1)


def move(day: int, value: int, contract: str = "c1", *, currency: str = "USD", decided: int | None = None) -> Move:
    """From ``day`` (counted from the start) on a contract is worth ``value``."""
    on = START + timedelta(days=day)
    sign = midnight(on if decided is None else START + timedelta(days=decided))
    return Move(on, contract, value, currency, sign, midnight(on + timedelta(days=1)))


def told(*moves: Move) -> list[tuple[str, int]]:
    """Kind and day of each change."""
    return [(str(change.kind), (change.day - START).days) for change in value_changes(moves, RULE)]


def test_a_change_tells_what_it_was_and_when_it_was_decided() -> None:
    late = midnight(START + timedelta(days=101))
    decided = midnight(START + timedelta(days=90))
    expected = ValueChange(Target.CONTRACTION, START + timedelta(days=100), 1_000, 700, decided, late, voluntary=True)
    assert value_changes([move(0, 1_000), move(100, 700, decided=90)], RULE) == [expected]


@pytest.mark.parametrize(
    ("value", "kinds"),
    [(801, []), (800, ["contraction"]), (999, []), (1_000, []), (1_099, []), (1_100, ["upsell"])],
)
def test_a_fifth_down_and_a_tenth_up_are_where_a_change_begins_to_count(value: int, kinds: list[str]) -> None:
    assert [kind for kind, _ in told(move(0, 1_000), move(100, value))] == kinds


def test_the_first_value_is_no_rise_and_the_last_fall_no_contraction() -> None:
    assert told(move(0, 1_000), move(200, 0)) == []


def test_the_loss_of_one_contract_among_several_is_a_contraction() -> None:
    assert told(move(0, 1_000), move(0, 500, "c2"), move(200, 0, "c2")) == [("contraction", 200)]


def test_a_second_contract_is_an_upsell() -> None:
    assert told(move(0, 1_000), move(50, 500, "c2")) == [("upsell", 50)]


def test_a_renewal_under_another_name_is_neither() -> None:
    assert told(move(0, 1_000), move(365, 0), move(365, 1_050, "c2")) == []


def test_a_renewal_signed_late_within_the_grace_is_neither() -> None:
    # Beside it a contract that goes on, so that the account is never at 0.
    aside = move(0, 1_000, "c9")
    assert told(aside, move(0, 1_000), move(365, 0), move(365 + 30, 1_000)) == []
    assert told(aside, move(0, 1_000), move(365, 0), move(365 + 31, 1_000)) == [("contraction", 365), ("upsell", 396)]


def test_what_is_changed_on_one_day_is_added_up() -> None:
    assert told(move(0, 1_000), move(0, 1_000, "c2"), move(90, 600), move(90, 1_400, "c2")) == []


def test_small_steps_are_judged_one_by_one() -> None:
    assert told(move(0, 1_000), move(100, 900), move(200, 810), move(300, 730)) == []


def test_an_account_may_change_more_than_once() -> None:
    assert told(move(0, 1_000), move(100, 1_200), move(200, 900), move(300, 1_000)) == [
        ("upsell", 100),
        ("contraction", 200),
        ("upsell", 300),
    ]


def test_two_currencies_are_never_added() -> None:
    # 1,000 dollars and 100,000 yen have no sum; a contract that moves to another currency has no share either.
    assert told(move(0, 1_000), move(100, 100_000, "c2", currency="JPY")) == []
    assert told(move(0, 1_000), move(100, 100_000, currency="JPY")) == []
    assert told(move(0, 1_000), move(100, 100_000, currency="JPY"), move(300, 70_000, currency="JPY")) == [
        ("contraction", 300)
    ]


def test_the_order_in_which_moves_come_does_not_matter() -> None:
    moves = [move(0, 1_000), move(50, 500, "c2"), move(100, 700), move(200, 0, "c2"), move(300, 900)]
    assert told(*moves) == told(*reversed(moves))


def test_the_latest_word_about_a_day_counts() -> None:
    early = Move(START + timedelta(days=100), "c1", 500, "USD", midnight(START), midnight(START))
    assert told(move(0, 1_000), early, move(100, 950)) == []


def test_what_the_vendor_ended_is_not_the_customers_will() -> None:
    ended = Move(START + timedelta(days=100), "c2", 0, "USD", midnight(START), midnight(START), voluntary=False)
    (change,) = value_changes([move(0, 1_000), move(0, 500, "c2"), ended], RULE)
    assert (change.kind, change.voluntary) == (Target.CONTRACTION, False)


def test_no_moves_no_changes() -> None:
    assert value_changes([], RULE) == []
