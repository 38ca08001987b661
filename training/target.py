"""What is a model asked to foresee?

Each target has its own registered model, so that none can take the place of the champion of churn.
"""

from __future__ import annotations

from enum import StrEnum

CHURN_MODEL = "campaign-pulse"


class Target(StrEnum):
    """``churn``: the account decides to leave. The others stay, and the value of their contracts moves (domain 4.1)."""

    CHURN = "churn"
    CONTRACTION = "contraction"
    UPSELL = "upsell"

    @property
    def model_name(self) -> str:
        """The name under which its models are registered."""
        return CHURN_MODEL if self is Target.CHURN else f"{CHURN_MODEL}-{self}"

    @property
    def recurs(self) -> bool:
        """Can it happen to an account more than once?"""
        return self is not Target.CHURN

    @property
    def happened(self) -> str:
        """What an account did to which it happened, in the past tense."""
        return {Target.CHURN: "left", Target.CONTRACTION: "contracted", Target.UPSELL: "bought more"}[self]

    def folder(self, version: str) -> str:
        """How a version is called where all targets lie side by side: ``3``, ``contraction-3``."""
        return version if self is Target.CHURN else f"{self}-{version}"


def target_of(reference: str) -> tuple[Target, str]:
    """Target and version of a reference as :meth:`Target.folder` writes it; any other word is a version of churn."""
    head, dash, version = reference.partition("-")
    known = {str(target): target for target in Target if target.recurs}
    return (known[head], version) if dash and head in known else (Target.CHURN, reference)
