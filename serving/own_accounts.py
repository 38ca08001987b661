"""Which accounts may this reader see?

A reader who is bound to teams sees an account while it is one of theirs: by the facts it is scored with now, or, where
it cannot be scored now, by those of its newest kept score. What he may not see is answered as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.access.teams import Teams
from serving.assessment import Facts
from serving.ledger import Ledger
from serving.scorer import ScoredAccount, Status


def own_answers(answers: Sequence[ScoredAccount], teams: Teams, ledger: Ledger) -> list[ScoredAccount]:
    """The same answers, in order; an account that is not the reader's is one that nobody has heard of."""
    if not teams.bound:
        return list(answers)
    return [
        answer
        if answer.status is Status.NOT_FOUND or _fits(teams, answer, ledger)
        else ScoredAccount(answer.account_id, Status.NOT_FOUND)
        for answer in answers
    ]


def is_own(account_id: str, teams: Teams, ledger: Ledger) -> bool:
    """May the reader see the scores that were kept of an account? True of an unknown one: there is nothing to see."""
    if not teams.bound:
        return True
    newest = ledger.entry(account_id)
    return newest is None or _theirs(teams, newest.facts)


def _fits(teams: Teams, answer: ScoredAccount, ledger: Ledger) -> bool:
    if answer.assessment is not None:
        return _theirs(teams, answer.assessment.facts)
    newest = ledger.entry(answer.account_id)
    return newest is not None and _theirs(teams, newest.facts)


def _theirs(teams: Teams, facts: Facts) -> bool:
    return teams.includes(facts.csm_owner_id, facts.segment)
