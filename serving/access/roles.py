"""What may a person of each role do?

The roles are those that answer for a model (``training.roles``) and one that runs the service. A role is a set of
scopes, the same ones that keys have; so a page and the API are opened by one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from serving.access.rules import AccessScope


class PersonRole(StrEnum):
    """What a person is here for."""

    SUCCESS = "success"
    FINANCE = "finance"
    PRODUCT = "product"
    ADMIN = "admin"


_READING = frozenset({AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ})
SCOPES: Mapping[PersonRole, frozenset[AccessScope]] = {
    # Customer-success managers read who needs them, and why.
    PersonRole.SUCCESS: _READING,
    # The leads answer for which model is live, so they read its verdicts, too.
    PersonRole.FINANCE: _READING | {AccessScope.MODELS_READ},
    PersonRole.PRODUCT: _READING | {AccessScope.MODELS_READ},
    # Sending events is a program's work: no person's session does it.
    PersonRole.ADMIN: _READING | {AccessScope.MODELS_READ, AccessScope.ADMIN},
}
TITLES: Mapping[PersonRole, str] = {
    PersonRole.SUCCESS: "customer success",
    PersonRole.FINANCE: "finance lead",
    PersonRole.PRODUCT: "product lead",
    PersonRole.ADMIN: "administrator",
}
