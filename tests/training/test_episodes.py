"""Alerts begin by a rule that knows nothing later, once per story, and as many as there is room for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from training.episodes import Walk, begun_by_list, begun_by_rank

START = datetime(2024, 1, 1, tzinfo=UTC)
Flags = np.ndarray


def lived(*weeks: str, spacing: int = 7) -> pd.DataFrame:
    """Rows of accounts named by letters, one word of letters per snapshot."""
    return pd.DataFrame(
        [
            {"account_id": letter, "as_of": START + timedelta(days=spacing * number)}
            for number, letters in enumerate(weeks)
            for letter in letters
        ]
    )


def told(rows: pd.DataFrame, begun: Flags) -> list[str]:
    """The accounts alerted at each snapshot, as words."""
    return ["".join(sorted(part["account_id"][begun[part.index]])) for _, part in rows.groupby("as_of")]


def listed(rows: pd.DataFrame, *weeks: str) -> Flags:
    place = {moment: number for number, moment in enumerate(sorted(rows["as_of"].unique()))}
    pairs = zip(rows["account_id"], rows["as_of"], strict=True)
    return np.array([account in weeks[place[as_of]] for account, as_of in pairs])


def test_an_account_that_stays_on_the_list_is_one_alert() -> None:
    rows = lived(*["ab"] * 4)
    assert told(rows, begun_by_list(Walk.of(rows), listed(rows, "a", "ab", "ab", "b"))) == ["a", "b", "", ""]


@pytest.mark.parametrize(("away", "again"), [(11, ""), (12, "a")])
def test_only_twelve_weeks_off_the_list_end_a_story(away: int, again: str) -> None:
    rows = lived(*["ab"] * (away + 2))
    weeks = ["a", *[""] * away, "a"]
    assert told(rows, begun_by_list(Walk.of(rows), listed(rows, *weeks))) == ["a", *[""] * away, again]


def test_time_in_which_an_account_was_not_seen_counts_as_off_the_list() -> None:
    rows = lived("ab", *["b"] * 12, "ab")
    assert told(rows, begun_by_list(Walk.of(rows), listed(rows, "a", *[""] * 12, "a")))[-1] == "a"


def test_the_list_goes_down_until_there_are_enough_new_accounts() -> None:
    rows = lived("abcd", "abcd", "abcd")
    score = np.array([4.0, 3, 2, 1] * 3)
    assert told(rows, begun_by_rank(Walk.of(rows), score, (1, 2, 1))) == ["a", "bc", "d"]


def test_with_no_room_the_list_still_holds_whoever_stands_above_the_next_new_one() -> None:
    # a stays listed through weeks without room, so coming back to the top is no new alert.
    rows = lived(*["ab"] * 16)
    score = np.array([2.0, 1.0] * 16)
    assert told(rows, begun_by_rank(Walk.of(rows), score, (1, *[0] * 14, 1))) == ["a", *[""] * 14, "b"]


def test_where_nobody_is_new_no_alert_can_be_raised() -> None:
    rows = lived("ab", "ab")
    assert told(rows, begun_by_rank(Walk.of(rows), np.array([2.0, 1, 2, 1]), (2, 2))) == ["ab", ""]


def test_every_ranking_raises_exactly_as_many_alerts_as_there_is_room_for() -> None:
    rows = lived(*["".join(map(chr, range(97, 97 + 26)))] * 5)
    walk, draw, room = Walk.of(rows), np.random.default_rng(1), (3, 0, 5, 2, 4)
    for _ in range(5):
        begun = begun_by_rank(walk, draw.normal(size=len(rows)), room)
        assert [len(week) for week in told(rows, begun)] == list(room)


def test_what_is_alerted_depends_on_nothing_later() -> None:
    rows = lived(*["abcdefgh"] * 8)
    walk, draw, room = Walk.of(rows), np.random.default_rng(2), (2, 1, 1, 1, 1, 1, 1, 0)
    score = draw.normal(size=len(rows))
    expected = begun_by_rank(walk, score, room)
    changed = np.where(np.arange(len(rows)) < 40, score, draw.normal(size=len(rows)))
    other = begun_by_rank(walk, changed, room)
    np.testing.assert_array_equal(other[:40], expected[:40])
    assert (other[40:] != expected[40:]).any()


def test_equal_scores_are_drawn_by_lot_and_not_by_name() -> None:
    rows = lived("abcdefghijklmnopqrstuvwxyz")
    (first,) = told(rows, begun_by_rank(Walk.of(rows), np.zeros(26), (5,)))
    assert len(first) == 5
    assert first != "abcde"
    (again,) = told(rows, begun_by_rank(Walk.of(rows), np.zeros(26), (5,)))
    assert again == first


@pytest.mark.parametrize(("spacing", "expected"), [(7, (5, 5, 5, 5)), (28, (20, 20, 20, 20)), (14, (10, 10, 10, 10))])
def test_capacity_is_spread_over_snapshots_of_any_spacing(spacing: int, expected: tuple[int, ...]) -> None:
    assert Walk.of(lived(*["a"] * 4, spacing=spacing)).paced(20) == expected


def test_capacity_that_does_not_divide_loses_nothing() -> None:
    assert sum(Walk.of(lived(*["a"] * 12)).paced(7)) == 21


def test_a_single_snapshot_counts_as_four_weeks() -> None:
    assert Walk.of(lived("ab")).paced(20) == (20,)


def test_alerts_equal_those_of_a_plain_walk_through_time() -> None:
    # Outside oracle: the rule in plain words, account by account.
    rows = lived(*["abcdefghijkl"] * 30)
    draw = np.random.default_rng(3)
    on_list = draw.random(len(rows)) < 0.15
    begun, last = [], {}
    for position, row in enumerate(rows.itertuples()):
        if on_list[position]:
            before = last.get(row.account_id)
            begun.append(before is None or (row.as_of - before).days > 84)
            last[row.account_id] = row.as_of
        else:
            begun.append(False)
    assert begun_by_list(Walk.of(rows), on_list).tolist() == begun
    assert sum(begun) > 12
