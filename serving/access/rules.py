"""Which scope does each address need?

One table for the guard, the description of the API and the tests. What is not in it is for ``admin`` only: a new route
that nobody thought of is closed, not open. Scopes do not contain each other; a key may have several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

API = "/v1"
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
"""Asked by whatever watches the service; they tell nothing but that it lives."""

STATIC = "/static/"
"""The style sheet and the icon: nothing of a customer's."""


class AccessScope(StrEnum):
    """What a key may do."""

    SCORE_READ = "score:read"
    EXPLAIN_READ = "explain:read"
    EVENTS_WRITE = "events:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Rule:
    """One address: its pattern as the API describes it, and the scopes that a key needs (all of them).

    ``always``: a key is needed even where the service is open to its own machine.
    """

    method: str
    path: str
    scopes: frozenset[AccessScope]
    always: bool = False

    @property
    def name(self) -> str:
        """The rule's address in one line."""
        return f"{self.method} {self.path}"


def _rule(method: str, path: str, *scopes: AccessScope, always: bool = False) -> Rule:
    return Rule(method, path, frozenset(scopes), always)


RULES: tuple[Rule, ...] = (
    _rule("POST", "/v1/score", AccessScope.SCORE_READ),
    _rule("GET", "/v1/accounts", AccessScope.SCORE_READ),
    _rule("GET", "/v1/accounts/{account_id}/history", AccessScope.SCORE_READ),
    _rule("GET", "/v1/accounts/{account_id}/explanation", AccessScope.EXPLAIN_READ),
    _rule("GET", "/v1/accounts/{account_id}/change", AccessScope.EXPLAIN_READ),
    _rule("GET", "/v1/levers", AccessScope.EXPLAIN_READ),
    _rule("POST", "/v1/whatif", AccessScope.EXPLAIN_READ),
    _rule("GET", "/v1/models", AccessScope.ADMIN),
    _rule("POST", "/v1/models/promote", AccessScope.ADMIN, always=True),
    _rule("POST", "/v1/models/rollback", AccessScope.ADMIN, always=True),
    _rule("GET", "/v1/openapi.json"),
)
PAGE_RULES: tuple[Rule, ...] = (
    _rule("GET", "/", AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ),
    _rule("GET", "/accounts/{account_id}", AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ),
    _rule("GET", "/metrics", AccessScope.ADMIN),
    _rule("GET", "/docs.json", AccessScope.ADMIN),
    _rule("GET", "/schema.json", AccessScope.ADMIN),
)
"""Needed only where other machines can reach the service; a page shows scores and their reasons."""

_ELSEWHERE = _rule("ANY", "unmatched", AccessScope.ADMIN)


def rule_of(method: str, path: str) -> Rule:
    """The rule for a request; ``path`` is decoded, as the application routes it. HEAD is asked like GET."""
    wanted = "GET" if method == "HEAD" else method
    found = (rule for rule, pattern in _patterns() if rule.method == wanted and pattern.fullmatch(path))
    return next(found, _ELSEWHERE)


def is_page(path: str) -> bool:
    """Is this address one that people open?"""
    return path == "/" or path.startswith("/accounts/")


def in_api(path: str) -> bool:
    """Does this address belong to the API?"""
    return path == API or path.startswith(f"{API}/")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    # An account id may hold slashes, so a place holder takes everything that the rest of the pattern leaves.
    return tuple(
        (rule, re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", rule.path)), re.DOTALL))
        for rule in (*RULES, *PAGE_RULES)
    )
