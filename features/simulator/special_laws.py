"""Which laws hold in some regimes only, and with which numbers?

A world has none of them unless its regime says so. Moments are shares of the simulated time (0 = its first Monday,
1 = its end), so that a short company has them too; :func:`week_at` gives the week.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Share = float


class Law(BaseModel):
    """A group of numbers that hold together; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def later(default: Any, description: str) -> Any:
    """A field that an earlier version lacked: written down only where it differs, so manifests keep their bytes."""
    return Field(default=default, description=description, exclude_if=lambda value: value == default)


def week_at(share: Share, weeks: int) -> int:
    """The simulated week in which a share of the simulated time is over."""
    return round(share * weeks)


def some_of(share: Share, count: int) -> int:
    """A share of a count, rounded; at least one where there is a share, so that a small company has it, too."""
    return max(1, round(share * count)) if share > 0 and count > 0 else 0


class PriceLaw(Law):
    """A price rise: from then on finances decide twice as much, and everybody leaves more easily.

    The design says "base +.4 for tail"; the tail is read as the rest of the time. For small accounts alone it would
    move observed over expected by a sixth, and there would be nothing to restore.
    """

    at: Share = Field(default=160 / 208, description="week 160 of 208")
    finance_factor: float = Field(default=2.0, description="every loading on f, times this")
    base_logit: float = Field(default=0.4, description="added to every logit of leaving")


class InstrumentationLaw(Law):
    """A release that counts fewer core actions, while people work as before."""

    at: Share = Field(default=132 / 208, description="a year and a half before the end: its effect matures")
    core_factor: float = 0.6


class LoadingLaw(Law):
    """Health shows itself after campaigns instead of in them."""

    at: Share = Field(default=104 / 208, description="half of the time is left to learn it")
    collab_loading: tuple[float, float, float, float, float] = Field(
        default=(0.10, 0.10, 0.10, 0.95, 0.10), description="over the phases, as usage.collab_loading"
    )


class LateMove(Law):
    """The last run of a campaign in the simulated time is moved, and that is known only days before it."""

    campaign: str = "march_madness"
    by_days: int = 21
    known_days_before: int = Field(default=10, description="days before the start that everybody planned by")


class RolloutLaw(Law):
    """A competitor's feature takes the susceptible accounts of one segment; they go on paying on time."""

    segment: int = Field(default=2, description="position in the segments: agencies, of which there are most")
    at: Share = 0.5
    weeks: int = Field(default=78, description="long enough for every annual contract to come up for renewal")
    pull: float = Field(default=0.10, description="taken from h in each week: h falls by about 2 in half a year")


class ThinLaw(Law):
    """Accounts of which little can be known: small, young, and in no campaign by habit."""

    share: float = 0.5
    seats: tuple[int, int] = Field(default=(3, 9), description="fewest and most")
    history_weeks: tuple[int, int] = Field(default=(4, 39), description="since the first contract, at the end")
    join_chance: float = Field(default=0.2, description="of any run of any campaign, whatever the segment")


class Playbook(Law):
    """One thing to do, and by how much it lowers the chance to leave."""

    name: str
    kind: str = Field(description="as interventions.kind")
    gamma: float


class TreatmentLaw(Law):
    """Alerts at random accounts in two arms; only those of the treated arm are worked on.

    An alert is raised where the true 90-day risk, blurred by ``blur_sd`` on the logit scale, reaches ``from_risk``. In
    the treated arm the chance to leave is multiplied by 1 - gamma of its playbook for ``lasts_weeks`` weeks. The
    numbers are solved for 13 % fewer leavers in the treated arm over the treated time (3,000 accounts, 5 seeds:
    12.9-13.2 %).
    """

    at: Share = Field(default=78 / 208, description="a year and a half of history comes before the first alert")
    from_risk: float = 0.06
    blur_sd: float = 0.7
    lasts_weeks: int = 26
    playbooks: tuple[Playbook, ...] = (
        Playbook(name="training-refresh", kind="training", gamma=0.14),
        Playbook(name="payment-plan", kind="payment_plan", gamma=0.19),
        Playbook(name="executive-review", kind="exec_review", gamma=0.24),
    )


class TrapLaw(Law):
    """How loudly the columns of a current-state export tell who has left."""

    earlier_export_weeks: int = Field(default=26, description="the first of two exports lies this long before the end")
    told: float = Field(default=0.95, description="share of leavers whose record is edited afterwards")
    voided: float = Field(default=0.85, description="share of leavers whose last invoice is voided")
    false_alarm: float = Field(default=0.01, description="share of stayers whose record says the same")


class DirtLaw(Law):
    """What is wrong with the files of the sources. Shares of rows unless they say accounts."""

    exact_repeats: float = 0.03
    near_repeats: float = Field(default=0.01, description="the same record with another content, in the same export")
    status_words: float = Field(default=0.01, description="status words that nobody mapped")
    bad_cells: float = Field(default=0.002, description="of each other way to break a table's contract")
    skewed: float = Field(default=0.02, description="review events timed by a client's clock that is up to 2 h wrong")
    skew_hours: float = 2.0
    production_late_hours: float = Field(default=24.0, description="production rows arrive up to this much later")
    survey_late_days: float = 14.0
    corrected_invoices: float = Field(default=0.02, description="invoice states that are corrected later")
    correction_days: float = 30.0
    naive_accounts: float = Field(default=0.20, description="accounts whose desk writes local times without a zone")
    no_production_accounts: float = 0.40
    no_survey_accounts: float = 0.30
    blackouts: tuple[tuple[Share, int], ...] = Field(
        default=((0.35, 10), (0.80, 14)), description="begin, and days without usage rows of anybody"
    )
    merged_accounts: float = Field(default=0.02, description="accounts that were two before: one went by an old id")
    test_accounts: float = Field(default=0.01, description="test accounts, on top of the real ones")
    bot_accounts: float = Field(default=0.01, description="accounts in which a script uses a seat")
    foreign_accounts: float = Field(default=0.15, description="accounts that pay in another currency")
