"""Of which parts is the statement about money made?

Frozen documents. Nobody knows the share of leavers that a contact wins back (gamma) before a holdout has measured it,
so profit is a curve over gamma, never one promise. The other prices are assumptions of the plan, shown beside it.
"""

from __future__ import annotations

from pydantic import Field

from training.evaluation_parts import Document, Estimate


class Prices(Document):
    """What a contact costs and what a saved account is worth, as shares, so that they fit any currency.

    Source of the defaults: Verbraken, Verbeke and Baesens 2013 (value 200, offer 10, contact 1 per customer), with the
    value of an account taken from its contract.
    """

    margin: float = Field(
        default=0.8, gt=0, description="gross margin of an annual value that is kept; usual: 0.7-0.85"
    )
    years: float = Field(default=1.0, gt=0, description="years a saved account stays; one renewal is a cautious guess")
    offer_share: float = Field(
        default=0.05, ge=0, lt=1, description="price of the offer, as share of the account's value; delta of the source"
    )
    contact_share: float = Field(
        default=0.005, ge=0, description="price of a contact, as share of the mean account's value; phi of the source"
    )
    save_alpha: float = Field(default=6.0, gt=0, description="gamma ~ Beta(6, 14) in the source: mean 0.30")
    save_beta: float = Field(default=14.0, gt=0, description="the other parameter of that distribution")


class ProfitPoint(Document):
    """Profit at one gamma; ``lead`` is this policy minus the calendar alone, paired."""

    save_probability: float
    profit: Estimate
    lead: Estimate | None


class ProfitCurve(Document):
    """One way to choose whom to contact."""

    points: tuple[ProfitPoint, ...]
    break_even: float | None = Field(
        description="least gamma of the grid from which on the interval of profit lies above 0; null: none"
    )


class Profit(Document):
    """What contacting accounts would have brought in the judged block.

    ``curves``: at each snapshot the accounts with the highest expected profit above 0 are contacted, as far as capacity
    goes; profit per snapshot, in the currency of annual values, counted with what they really did. ``empmc``: the
    expected maximum profit measure, as share of the mean account's value and per account: the best cut-off for each
    gamma, averaged over its distribution; all accounts worth the same, no capacity.
    """

    prices: Prices
    curves: dict[str, ProfitCurve]
    empmc: dict[str, Estimate]
    empmc_leads: dict[str, Estimate] = Field(description="champion minus each baseline, paired")
