"""Which features of the domain reference does no canonical table carry, and why?

A later table may carry one: then it moves to the part of its subcategory. A test holds this and the features together
to be the reference's list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotCarried:
    """A feature of the reference: its number there, its name there, and what is missing to carry it."""

    code: str
    name: str
    reason: str


NOT_CARRIED = (
    NotCarried("E17", "new_feature_adoption_90d", "no table says when a feature of the product was released"),
    NotCarried("E24", "version_lag_major", "no table says which version of the product is the current release"),
    NotCarried(
        "P22",
        "export_to_competitor_format_share",
        "no table says into which format an export went, nor which formats are a competitor's",
    ),
)
