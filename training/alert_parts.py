"""Of which parts is the record of alerts made?

Frozen documents. An *alert* begins at the snapshot at which an account comes on a list that it was not on in the 12
weeks before; it is right when the account decides to leave within 26 weeks. A *leaver* is an account that decided to
leave, of its own will, at least 13 weeks after the record began, so that every policy had time to see it coming.
"""

from __future__ import annotations

from pydantic import Field

from training.evaluation_parts import Document, Estimate


class AlertRecord(Document):
    """What one way to choose accounts would have brought up, and how early."""

    alerts: int = Field(description="alerts that began, and that precision is about")
    precision: Estimate = Field(description="share of alerts after which the account decided to leave within 26 weeks")
    recall: Estimate = Field(description="share of leavers with an alert in the 26 weeks before they decided")
    early_before_decision: Estimate = Field(description="share of leavers with such an alert 8 weeks before or earlier")
    early_before_end: Estimate = Field(description="share of leavers with such an alert 13 weeks before their last day")
    early_value: Estimate = Field(description="share of the leavers' annual value alerted 8 weeks before or earlier")
    lead_days: Estimate = Field(description="median days from the last alert to the decision, of leavers with one")


class AlertLead(Document):
    """One policy minus another on the same accounts and redraws; above 0: more, or earlier."""

    precision: Estimate
    recall: Estimate
    early_before_decision: Estimate
    early_before_end: Estimate
    early_value: Estimate
    lead_days: Estimate


class CapacityReplay(Document):
    """The final block lived again snapshot by snapshot, each policy with the same number of new alerts."""

    capacity: int = Field(description="new alerts per four weeks")
    snapshots: int
    leavers: int = Field(description="accounts that decided to leave and could have been seen coming")
    policies: dict[str, AlertRecord]
    leads: dict[str, AlertLead] = Field(description="champion minus each other policy")


class Steadiness(Document):
    """How calm the score is from one snapshot to the next."""

    flips_per_account_year: Estimate = Field(description="changes of band, per account and year; null grade D left out")
    rank_correlation: Estimate = Field(description="Spearman's, between an account's health and its next one")
    reasons_kept: Estimate = Field(
        description="share of the three strongest reasons that are among the three strongest of the next snapshot, "
        "where health moved by less than 3 points"
    )
    spacing_days: float | None = Field(description="mean days between one snapshot and the next")


class PartMoved(Document):
    """A subcategory's points, and how far another fit moves them; both are means of sizes, in points of health."""

    size: Estimate
    moved: Estimate


class RefitSteadiness(Document):
    """Whether the same data tell the same reasons when the model is fitted again.

    Each refit has the found settings, another seed and accounts drawn with replacement; calibration stays. It is shown
    and gates nothing: what counts for a person is that reasons stay from week to week.
    """

    refits: int
    rows: int
    reasons_kept: Estimate = Field(
        description="share of an account's three strongest reasons that are among the three strongest of a refit"
    )
    top_kept: Estimate = Field(description="share of refits in which an account's strongest subcategory is the same")
    parts: dict[str, PartMoved]


class Reading(Document):
    """One policy minus another, in numbers and in fixed words per measure."""

    lead: AlertLead
    words: dict[str, str] = Field(description="per measure: ahead, behind, no difference shown; underpowered beside it")


class PhaseRecord(Document):
    """Alerts raised in one phase, and leavers who were in it 8 weeks before they decided."""

    leavers: int
    policies: dict[str, AlertRecord]
