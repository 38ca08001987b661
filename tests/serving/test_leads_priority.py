"""The leads' order: from which scores, kept how, and what it never touches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from features.errors import ServiceUnavailable
from features.settings import Home
from features.state import open_state
from features.vocabulary import WEEK, Band, Subcategory
from serving import leads_priority
from serving.entries import Place
from serving.leads_priority import LeadsPriority, Priorities, policy_of, ranked
from serving.ledger import Channel, Ledger
from serving.priority_ledger import stored_order
from tests.serving.pages_case import MONDAY, assessment, filled, portfolio_ledger
from tests.serving.priority_case import MONEY, SET_AT, TOLD_AT, leads_of, put_in_force, studios
from training import policy_log
from training.policy import PolicyWeights, policy_index
from training.policy_log import InForce, PolicyChange


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


def order_of(leads: LeadsPriority) -> Priorities:
    found = leads.at(MONDAY)
    assert found is not None
    return found


def indices(order: Priorities) -> dict[str, float]:
    return {account: place.index for account, place in order.places.items()}


def test_without_weights_or_without_a_batch_there_is_no_order(home: Home) -> None:
    ledger = filled(home, *studios())
    leads = leads_of(home, ledger)
    assert (leads.policy(), leads.at(MONDAY)) == (None, None)
    put_in_force(home)
    assert leads.at(MONDAY) is not None
    assert leads.at(MONDAY - WEEK) is None
    policy_log.end(home, who="bob", why="enough", at=TOLD_AT)
    assert (leads.policy(), leads.at(MONDAY)) == (None, None)


def test_asking_makes_no_state_where_there_is_none(home: Home) -> None:
    assert InForce(Home(root=home.root / "none")).now() is None
    assert not (home.root / "none").exists()


def test_the_order_is_the_weighted_standing_among_peers_and_adds_up(home: Home) -> None:
    # By hand: of 24 peers, place p from the worst is better than (p + 0.5) / 24 of them in money, and use runs the
    # other way; money weighs three quarters.
    put_in_force(home)
    order = order_of(leads_of(home, filled(home, *studios())))
    assert list(order.places) == [f"a{place:02d}" for place in range(24)]
    for number, (account, place) in enumerate(order.places.items()):
        money, use = 100 * (number + 0.5) / 24, 100 * (23.5 - number) / 24
        assert place.index == pytest.approx(0.75 * money + 0.25 * use), account
        assert (place.place, place.among) == (number + 1, 24)
        assert place.standings[Subcategory.FINANCIAL] == pytest.approx(money)
        shares = order.policy.shares
        assert place.index == pytest.approx(sum(shares[part] * place.standings[part] for part in shares))
    assert "left" not in order.places


def test_it_is_the_index_that_the_backtest_judged(home: Home) -> None:
    ledger = portfolio_ledger(home, accounts=120, weeks=1)
    put_in_force(home)
    entries = [one for one in ledger.latest() if one.score.band is not Band.LOST_PENDING]
    rows = pd.DataFrame(
        {
            "as_of": MONDAY,
            "segment": [one.facts.segment for one in entries],
            "phase": [str(one.score.phase) for one in entries],
            **{f"points_{part}": [one.score.points[part] for one in entries] for part in Subcategory},
        }
    )
    judged = dict(zip([one.account_id for one in entries], policy_index(rows, MONEY), strict=True))
    told = indices(order_of(leads_of(home, ledger)))
    assert told == {account: float(index) for account, index in judged.items()}


def test_an_order_is_written_down_once_and_comes_out_of_weights_and_scores_again_bit_for_bit(home: Home) -> None:
    ledger = portfolio_ledger(home, accounts=90, weeks=1)
    put_in_force(home)
    order = order_of(leads_of(home, ledger))
    assert order.recorded
    stored = stored_order(ledger, order.policy.policy_id, order.batch_mark)
    weights = policy_log.weights_in_force(home)
    assert weights is not None
    assert ranked(ledger.portfolio(Place(MONDAY, order.batch_mark)), weights) == stored
    assert order_of(leads_of(home, Ledger(home))).places == order.places
    assert len(stored) == len(order.places)


def test_what_is_scored_later_changes_no_order_that_was_told_and_a_new_batch_gets_its_own(home: Home) -> None:
    ledger = filled(home, *studios())
    put_in_force(home)
    leads = leads_of(home, ledger)
    before = order_of(leads)
    again = replace(assessment("a00", points={Subcategory.FINANCIAL: 90.0}), as_of=MONDAY)
    again = replace(again, score=replace(again.score, model_version="4"))
    ledger.append([again], channel=Channel.API, scored_at=TOLD_AT)
    assert order_of(leads) == before
    ledger.append(studios(model_version="5"), channel=Channel.BATCH, scored_at=TOLD_AT)
    after = order_of(leads)
    assert after.batch_mark > before.batch_mark
    assert leads.at(MONDAY, batch_mark=before.batch_mark) == before


def test_other_weights_make_another_order_and_leave_the_old_one_as_it_was(home: Home) -> None:
    ledger = filled(home, *studios())
    put_in_force(home)
    leads = leads_of(home, ledger)
    first = order_of(leads)
    put_in_force(home, PolicyWeights(name="use first", engagement=1))
    second = order_of(leads)
    assert list(second.places) == list(first.places)[::-1]
    assert (first.policy.policy_id, second.policy.policy_id) == (1, 2)
    assert [one.account_id for one in stored_order(ledger, 1, first.batch_mark)] == list(first.places)


def test_no_score_knows_of_the_weights(home: Home) -> None:
    ledger = filled(home, *studios())
    before = [(one.score, one.value_at_risk) for one in ledger.latest()]
    put_in_force(home)
    order_of(leads_of(home, ledger))
    assert [(one.score, one.value_at_risk) for one in ledger.latest()] == before


@pytest.mark.parametrize("statement", ["UPDATE {0} SET policy_index = 1", "DELETE FROM {0}"])
def test_an_order_that_was_told_cannot_be_changed(home: Home, statement: str) -> None:
    put_in_force(home)
    order_of(leads_of(home, filled(home, *studios())))
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), open_state(home).begin() as connection:
        connection.execute(sa.text(statement.format("leads_priority_ledger")))


def test_an_order_that_cannot_be_written_down_is_told_all_the_same_and_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ServiceUnavailable("the disk is full", expected="space", found="none", todo="make some")

    put_in_force(home)
    heard: list[str] = []
    ledger = filled(home, *studios())
    leads = LeadsPriority(home, ledger, clock=lambda: TOLD_AT, tell=lambda event, _: heard.append(event))
    with monkeypatch.context() as patched:
        patched.setattr(leads_priority, "keep_order", full)
        order = order_of(leads)
    assert (order.recorded, heard) == (False, ["leads' order not written"])
    later = order_of(leads)
    assert (later.recorded, later.places) == (True, order.places)


def test_a_policy_tells_who_set_it_when_why_and_what_the_past_found(home: Home) -> None:
    put_in_force(home)
    policy = leads_of(home, Ledger(home)).policy()
    assert policy is not None
    assert (policy.policy_id, policy.name, policy.set_by, policy.set_at) == (1, "money first", "ada", SET_AT)
    assert policy.why == "late payers leave first"
    assert policy.shares[Subcategory.FINANCIAL] == 0.75
    assert policy.trial is not None
    assert policy.trial.say_in_words == "the weights earn a say of 0.08 (0.00 to 0.21)"
    assert (policy.trial.say.value, policy.trial.say.low, policy.trial.say.high) == (0.08, 0.0, 0.21)


def test_a_change_that_was_never_written_is_no_policy() -> None:
    with pytest.raises(ValueError, match="put no weights in force"):
        policy_of(PolicyChange(SET_AT, "ada", "why", MONEY, None))


def test_where_everybody_has_given_notice_nobody_is_ranked() -> None:
    assert ranked((), MONEY) == ()
