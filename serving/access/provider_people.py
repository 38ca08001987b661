"""Who is the person that a provider vouches for, here?

Known again by the provider's own name for him, or, the first time, by an e-mail address that the provider has proven to
be his. Role and teams are what his groups say now. Somebody whom we disabled stays out, whatever the provider says.
"""

from __future__ import annotations

from datetime import datetime

from features.errors import UsageError
from serving.access.people import PeopleStore, Person
from serving.access.provider import Vouched

WHO = "provider"
"""Who is written in the audit log where groups decided."""


def person_of(vouched: Vouched, people: PeopleStore, *, at: datetime) -> Person:
    """The person, added or changed where the groups say so.

    Raises:
        UsageError: he is disabled here, or the address is somebody else's.
    """
    newcomer = vouched.newcomer
    person = people.with_subject(newcomer.subject or "")
    if person is None and (person := people.with_email(newcomer.email)) is not None:
        if not vouched.owns_address or person.subject is not None:
            raise _not_let_in("an address that is nobody else's here, or that the provider has proven to be yours")
        person = people.vouch(person, newcomer.subject or "", who=WHO, at=at)
    if person is None:
        return people.add(newcomer, who=WHO, at=at)
    if person.disabled_at is not None:
        raise _not_let_in("leave to come in, which was taken from you here,")
    return people.change(person, newcomer.role, newcomer.teams, who=WHO, at=at)


def _not_let_in(expected: str) -> UsageError:
    words, todo = "you cannot be signed in this way", "ask whoever runs the service"
    return UsageError(words, expected=expected, found="something else", todo=todo)
