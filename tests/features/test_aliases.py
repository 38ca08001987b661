"""Which account does an id stand for, as known at each moment? Rows of ``account_aliases`` in, stretches out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from features.aliases import Alias, Aliases, Belonging


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def said(
    key: str,
    account: str,
    at: int,
    *,
    rule: str = "merge",
    source: str = "crm",
    known: int | None = None,
    op: str = "upsert",
) -> Alias:
    return Alias(source, key, account, rule, day(at), day(known or at), op, row_hash=at)


def test_an_id_is_its_own_account_until_it_is_known_to_stand_for_another() -> None:
    aliases = Aliases([said("old", "new", 5, known=9)])
    assert aliases.belongings("telemetry", "old") == (
        Belonging("old", None, day(9)),
        Belonging("new", day(9), None, is_merge=True),
    )
    assert aliases.belongings("telemetry", "new") == (Belonging("new"),)


def test_a_state_that_begins_later_than_it_is_known_counts_from_its_beginning() -> None:
    aliases = Aliases([said("old", "new", 9, known=5)])
    assert [each.from_at for each in aliases.belongings(None, "old")] == [None, day(9)]


def test_a_chain_is_followed_to_its_end_link_by_link_as_each_becomes_known() -> None:
    aliases = Aliases([said("a", "b", 3), said("b", "c", 8), said("c", "d", 12, rule="manual")])
    assert [(each.account_id, each.from_at) for each in aliases.belongings("any", "a")] == [
        ("a", None),
        ("b", day(3)),
        ("c", day(8)),
        ("d", day(12)),
    ]
    # The last link is no merger, but a merger lies on the way.
    assert aliases.belongings("any", "a")[-1].is_merge
    assert not aliases.belongings("any", "c")[-1].is_merge
    assert aliases.merged(day(10)) == {"a": "c", "b": "c"}
    assert aliases.circle_of("d") == {"a", "b", "c", "d"}
    assert aliases.circle_of("stranger") == {"stranger"}


def test_the_key_of_a_source_stands_for_an_account_in_the_rows_of_that_source_alone() -> None:
    aliases = Aliases([said("42", "a", 1, rule="explicit", source="zendesk"), said("42", "b", 1, rule="domain")])
    assert aliases.survivor("zendesk", "42", day(2)) == "a"
    assert aliases.survivor("crm", "42", day(2)) == "b"
    assert aliases.survivor("stripe", "42", day(2)) == "42"
    # It is nobody's account id, so nothing is led on by it.
    assert aliases.merged(day(2)) == {}
    assert aliases.bearing() == [("crm", "42"), ("zendesk", "42")]


def test_the_later_state_holds_whoever_said_it() -> None:
    aliases = Aliases([said("42", "a", 1, rule="explicit"), said("42", "b", 6, rule="manual")])
    assert [each.account_id for each in aliases.belongings("crm", "42")] == ["42", "a", "b"]
    assert [each.account_id for each in aliases.belongings("other", "42")] == ["42", "b"]


def test_a_tombstone_and_an_id_that_is_its_own_alias_undo_a_merger() -> None:
    for undoing in (said("old", "new", 2, known=9, op="delete"), said("old", "old", 9, rule="manual")):
        aliases = Aliases([said("old", "new", 2), undoing])
        assert [(each.account_id, each.from_at) for each in aliases.belongings(None, "old")] == [
            ("old", None),
            ("new", day(2)),
            ("old", day(9)),
        ]


def test_ids_that_stand_for_each_other_stay_what_they_are() -> None:
    aliases = Aliases([said("a", "b", 2), said("b", "c", 3), said("c", "a", 7), said("x", "a", 1)])
    for one in ("a", "b", "c"):
        assert aliases.survivor(None, one, day(8)) == one
        assert aliases.is_circular(one, day(8))
        assert not aliases.is_circular(one, day(6))
        assert aliases.ever_circular(one, day(1))
    assert aliases.survivor(None, "a", day(6)) == "c"
    # Whoever leads into the circle is not in it, and stays as well.
    assert not aliases.is_circular("x", day(8))
    assert aliases.survivor(None, "x", day(8)) == "x"


def test_what_is_settled_counts_as_known_ever_since() -> None:
    aliases = Aliases([said("a", "b", 3), said("b", "c", 8)])
    assert aliases.settled(None, "a", day(5)) == (Belonging("b", is_merge=True),)
    assert aliases.settled(None, "a", day(9)) == (Belonging("c", is_merge=True),)
    assert aliases.settled(None, "a", day(1)) == ()
    assert aliases.settled(None, "c", day(9)) == ()


@pytest.mark.parametrize("moment", [1, 2, 3, 8, 20])
def test_what_is_learnt_later_changes_nothing_before_it(moment: int) -> None:
    known = [said("a", "b", 1), said("b", "c", 2), said("a", "d", 8)]
    later = [said("b", "z", 1, known=21), said("c", "q", 22), said("a", "a", 23, rule="manual")]
    for key in "abcdqz":
        assert Aliases([*known, *later]).survivor(None, key, day(moment)) == Aliases(known).survivor(
            None, key, day(moment)
        )


def test_a_row_that_is_taken_back_leaves_no_trace() -> None:
    aliases, row = Aliases([said("a", "b", 1)]), said("b", "c", 2)
    aliases.add(row)
    assert aliases.circle_of("a") == {"a", "b", "c"}
    aliases.remove(row)
    assert aliases.circle_of("a") == {"a", "b"}
    assert aliases.ids() == {"a"}
    assert aliases.standing(day(3)) == [("a", "merge", "b")]
