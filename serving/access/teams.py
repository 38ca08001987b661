"""Whose accounts may a caller see?

A caller may be bound to terms: ``owner:csm-ada`` (accounts of this customer-success manager) and ``segment:studio``
(accounts of this segment). An account is his where any term fits it; a caller without terms sees every account. What
is not his is not there: it is answered as an account that nobody has heard of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from features.errors import UsageError

_KINDS = ("owner", "segment")
LONGEST_TERM = 200


@dataclass(frozen=True, slots=True)
class Teams:
    """The owners and segments a caller is bound to; without any of them he is not bound."""

    owners: frozenset[str] = field(default_factory=frozenset)
    segments: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, terms: Iterable[str]) -> Teams:
        """The teams that terms name.

        Raises:
            UsageError: a term is none.
        """
        named: dict[str, set[str]] = {kind: set() for kind in _KINDS}
        for term in terms:
            kind, colon, name = term.partition(":")
            if kind not in named or not colon or not name.strip() or len(term) > LONGEST_TERM:
                raise UsageError(
                    "this is no team",
                    expected="owner:ID (accounts of one customer-success manager) or segment:NAME",
                    found="another text",
                    todo="name each owner or segment with its own --team",
                )
            named[kind].add(name.strip())
        return cls(frozenset(named["owner"]), frozenset(named["segment"]))

    @classmethod
    def read(cls, text: str) -> Teams:
        """The teams that :meth:`text` wrote."""
        return cls.of(json.loads(text))

    @property
    def bound(self) -> bool:
        """False where every account may be seen."""
        return bool(self.owners or self.segments)

    def terms(self) -> list[str]:
        """The terms, in order."""
        return [*(f"owner:{one}" for one in sorted(self.owners)), *(f"segment:{one}" for one in sorted(self.segments))]

    def text(self) -> str:
        """The teams as they are kept."""
        return json.dumps(self.terms())

    def includes(self, owner: str | None, segment: str | None) -> bool:
        """Is an account with this owner and segment one of theirs? What is not known fits no term."""
        return not self.bound or owner in self.owners or segment in self.segments

    def words(self) -> str:
        """The teams for a person to read."""
        return ", ".join(self.terms()) or "every account"


EVERYBODY = Teams()
"""Every account."""


def merged(found: Sequence[Teams]) -> Teams:
    """All that several bindings open together: everything, where one of them does."""
    if not all(one.bound for one in found):
        return EVERYBODY
    return Teams(frozenset().union(*(one.owners for one in found)), frozenset().union(*(one.segments for one in found)))
