"""Who has a say in which model is live?"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Who answers for what: revenue, the work with customers, the product."""

    FINANCE = "finance"
    SUCCESS = "success"
    PRODUCT = "product"


class Decision(StrEnum):
    """What a person of a role decided."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"
