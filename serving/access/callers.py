"""As whom does a request come in?

A program with a key, or a person with a session. Both are a set of scopes and a binding to teams from here on.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.access.people import Person
from serving.access.roles import SCOPES
from serving.access.rules import AccessScope, Rows, Rule
from serving.access.store import Key
from serving.access.teams import Teams
from serving.problems import Problem

CALLER = "pulse.caller"
"""Where in the scope the routes find the caller."""

REALM = 'Bearer realm="campaign-pulse"'
BOUND = "Whoever is bound to teams cannot ask here: this address is about every account."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``prefix`` is how logs name him (a key's prefix, a person's id), ``name`` is for the person himself."""

    prefix: str
    name: str
    scopes: frozenset[AccessScope]
    teams: Teams
    person: bool

    @classmethod
    def of_key(cls, key: Key) -> Caller:
        """A program."""
        return cls(key.prefix, key.name, key.scopes, key.teams, person=False)

    @classmethod
    def of_person(cls, person: Person) -> Caller:
        """A person."""
        return cls(person.id, person.name, SCOPES[person.role], person.teams, person=True)

    @property
    def who(self) -> str:
        """How records name him."""
        return self.prefix if self.person else f"key {self.prefix} ({self.name})"

    def objection(self, rule: Rule) -> Problem | None:
        """Why he may not come in at an address; None where he may."""
        if missing := " ".join(sorted(rule.missing(self.scopes))):
            if self.person:
                return Problem.of(403, f"Your role does not open this: it needs {missing}.")
            words = f"This key does not have the scope that is needed here: {missing}."
            challenge = f'{REALM}, error="insufficient_scope", scope="{missing}"'
            return Problem(403, words, challenge=challenge)
        return Problem.of(403, BOUND) if self.teams.bound and rule.rows is Rows.ALL else None
