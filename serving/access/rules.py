"""Which scope does each address need, and whose accounts does it show?

One table for the guard, the description of the API and the tests. What is not in it is for ``admin`` only, and for
nobody who is bound to teams: a new route that nobody thought of is closed, not open. Scopes do not contain each other
(but ``admin`` reads models, too); a caller may have several.
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


SIGN_IN, SIGN_UP, SIGN_OUT = "/sign-in", "/sign-up", "/sign-out"
PROVIDER, PROVIDER_BACK = "/sign-in/provider", "/sign-in/provider/back"
FORMS = frozenset({SIGN_IN, SIGN_UP, SIGN_OUT})
"""Pages with a form of their own: the only addresses that take one instead of JSON."""

_DESK = frozenset({*FORMS, PROVIDER, PROVIDER_BACK})


class AccessScope(StrEnum):
    """What a caller may do."""

    SCORE_READ = "score:read"
    EXPLAIN_READ = "explain:read"
    EVENTS_WRITE = "events:write"
    MODELS_READ = "models:read"
    ADMIN = "admin"


class Rows(StrEnum):
    """Whose accounts an address shows."""

    NONE = "none"
    """No account's data."""

    OWN = "own"
    """Those of the caller's teams: what is not his is not there."""

    ALL = "all"
    """Every account's, or nobody looked yet: closed to a caller who is bound to teams."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One address: its pattern as the API describes it, and the scopes that a caller needs (all of them).

    ``always``: a key is needed even where the service is open to its own machine. ``exports``: what is taken away here
    in one go is written to the audit log.
    """

    method: str
    path: str
    scopes: frozenset[AccessScope]
    always: bool = False
    rows: Rows = Rows.ALL
    exports: bool = False

    @property
    def name(self) -> str:
        """The rule's address in one line."""
        return f"{self.method} {self.path}"

    def missing(self, scopes: frozenset[AccessScope]) -> frozenset[AccessScope]:
        """Which scopes a caller lacks here."""
        reads = frozenset({AccessScope.MODELS_READ}) if AccessScope.ADMIN in scopes else frozenset()
        return self.scopes - scopes - reads


def _rule(
    method: str, path: str, *scopes: AccessScope, always: bool = False, rows: Rows = Rows.ALL, exports: bool = False
) -> Rule:
    return Rule(method, path, frozenset(scopes), always, rows, exports)


RULES: tuple[Rule, ...] = (
    _rule("POST", "/v1/score", AccessScope.SCORE_READ, rows=Rows.OWN),
    _rule("GET", "/v1/accounts", AccessScope.SCORE_READ, rows=Rows.OWN),
    _rule("GET", "/v1/accounts/{account_id}/history", AccessScope.SCORE_READ, rows=Rows.OWN),
    _rule("GET", "/v1/accounts/{account_id}/explanation", AccessScope.EXPLAIN_READ, rows=Rows.OWN),
    _rule("GET", "/v1/accounts/{account_id}/change", AccessScope.EXPLAIN_READ, rows=Rows.OWN),
    _rule("GET", "/v1/levers", AccessScope.EXPLAIN_READ, rows=Rows.NONE),
    _rule("POST", "/v1/whatif", AccessScope.EXPLAIN_READ, rows=Rows.OWN),
    _rule("GET", "/v1/models", AccessScope.MODELS_READ, rows=Rows.NONE),
    _rule("POST", "/v1/models/promote", AccessScope.ADMIN, always=True, rows=Rows.NONE),
    _rule("POST", "/v1/models/rollback", AccessScope.ADMIN, always=True, rows=Rows.NONE),
    # Closed to callers who are bound to teams: a table's rows may name anybody's account.
    _rule("POST", "/v1/events/{table}", AccessScope.EVENTS_WRITE, always=True),
    _rule("GET", "/v1/sources/status", AccessScope.SCORE_READ, rows=Rows.NONE),
    _rule("GET", "/v1/openapi.json", rows=Rows.NONE),
)
PAGE_RULES: tuple[Rule, ...] = (
    _rule("GET", "/", AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ, rows=Rows.OWN),
    _rule("GET", "/accounts/{account_id}", AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ, rows=Rows.OWN),
    _rule("GET", "/metrics", AccessScope.ADMIN, rows=Rows.NONE),
    _rule("GET", "/docs.json", AccessScope.ADMIN, rows=Rows.NONE),
    _rule("GET", "/schema.json", AccessScope.ADMIN, rows=Rows.NONE),
)
"""Needed only where other machines can reach the service; a page shows scores and their reasons."""

DESK_RULES: tuple[Rule, ...] = (
    _rule("GET", SIGN_IN, rows=Rows.NONE),
    _rule("POST", SIGN_IN, rows=Rows.NONE),
    _rule("GET", SIGN_UP, rows=Rows.NONE),
    _rule("POST", SIGN_UP, rows=Rows.NONE),
    _rule("POST", SIGN_OUT, rows=Rows.NONE),
    _rule("GET", PROVIDER, rows=Rows.NONE),
    _rule("GET", PROVIDER_BACK, rows=Rows.NONE),
)
"""Open to everybody: where a person says who he is."""

_ELSEWHERE = _rule("ANY", "unmatched", AccessScope.ADMIN)


def rule_of(method: str, path: str) -> Rule:
    """The rule for a request; ``path`` is decoded, as the application routes it. HEAD is asked like GET."""
    wanted = "GET" if method == "HEAD" else method
    found = (rule for rule, pattern in _patterns() if rule.method == wanted and pattern.fullmatch(path))
    return next(found, _ELSEWHERE)


def is_page(path: str) -> bool:
    """Is this address one that people open?"""
    return path == "/" or path.startswith("/accounts/")


def at_desk(path: str) -> bool:
    """Does this address belong to signing in and out? It asks for no key: it is where one is given."""
    return path in _DESK


def in_api(path: str) -> bool:
    """Does this address belong to the API?"""
    return path == API or path.startswith(f"{API}/")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    # An account id may hold slashes, so a place holder takes everything that the rest of the pattern leaves.
    return tuple(
        (rule, re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", rule.path)), re.DOTALL))
        for rule in (*RULES, *PAGE_RULES, *DESK_RULES)
    )
