"""Which ways to rank accounts are tried against each other, and what may each of them know?

Every arm gets the same rows, folds and horizon. What differs is what it may see, and how it is made; each arm says so.
Source: domain reference 4.5 (challengers) and 6.8 (traditional, phase-blind and phase-aware arms).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import UsageError
from features.vocabulary import Subcategory
from training.periods import MODEL_INPUTS, TIMING_INPUTS

_SMALL = (
    *("active_seat_ratio_w4", "usage_par_w13", "active_seats_par_w26", "collab_par_w26", "feature_breadth_w13"),
    *("on_time_delivery_rate_w26", "first_pass_approval_rate_w26", "days_late_w52", "invoices_late_share_w52"),
    *("annual_value_change_w52", "nps_mean_w52", "csat_bad_share_w26", "post_drop_flag", "champion_inactive_days"),
    "tenure_weeks",
)
"""Fifteen features, a few of each subcategory, chosen by the meaning of the catalogue before any outcome was seen."""

_TRADITIONAL = (
    *("active_seat_ratio_w4", "active_seat_ratio_change_13w", "core_events_per_active_seat_w4"),
    *("days_since_last_core", "active_minutes_per_seat_w4", "sessions_per_active_seat_w4", "feature_breadth_w13"),
    *("stickiness_w4", "tickets_per_100_seats_w13", "urgent_ticket_share_w26", "ticket_reopen_rate_w26"),
    *("ticket_resolution_hours_w13", "open_ticket_age_days", "seats_contracted_log", "tenure_weeks", "term_months"),
)


class Making(StrEnum):
    """How an arm comes to its risk."""

    HAZARD = "hazard"
    DIRECT = "direct"
    LINE = "line"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Rival:
    """One arm. ``inputs`` are the columns it may see; ``repeat`` counts the same arm with other seeds, from 0.

    ``blind``: its features were built as if nobody knew of campaigns. ``knows_phase``: its calibration may differ by
    campaign phase.
    """

    name: str
    title: str
    about: str
    making: Making
    inputs: tuple[str, ...]
    blind: bool = False
    knows_phase: bool = False
    repeat: int = 0


def _without_campaigns(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        name for name in names if name in TIMING_INPUTS or feature_named(name).subcategory is not Subcategory.CAMPAIGN
    )


_ONE_SIDED = tuple(name for name in MODEL_FEATURES if feature_named(name).monotone)

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival(
            "full",
            "phase-aware hazard",
            "The hazard model with every feature: what `pulse train` makes.",
            Making.HAZARD,
            MODEL_INPUTS,
            knows_phase=True,
        ),
        Rival(
            "phase_blind",
            "phase-blind hazard",
            "The same model, sources and formulas with the phase removed: features were built again with an empty "
            "campaign calendar, so no baseline, multiplier or level knows a phase; campaign features are left out.",
            Making.HAZARD,
            _without_campaigns(MODEL_INPUTS),
            blind=True,
        ),
        Rival(
            "traditional",
            "traditional hazard",
            "The same model with what a usual score looks at: logins, usage, seats, tickets, tenure, and timing.",
            Making.HAZARD,
            (*(name for name in MODEL_FEATURES if name in _TRADITIONAL), *TIMING_INPUTS),
        ),
        Rival(
            "timing",
            "timing alone",
            "The same model with the contract's dates and nothing about the customer.",
            Making.HAZARD,
            ("term_months", *TIMING_INPUTS),
        ),
        Rival(
            "direct",
            "direct model of the horizon",
            "LightGBM on the one question whether the account leaves within the horizon: one interval as long as it, "
            "so rows whose label is not final teach nothing.",
            Making.DIRECT,
            MODEL_INPUTS,
            knows_phase=True,
        ),
        Rival(
            "logistic",
            "logistic regression",
            "Elastic-net logistic regression on the features whose direction is known, timing as steps.",
            Making.LINE,
            _ONE_SIDED,
        ),
        Rival(
            "small",
            "logistic regression on 15 features",
            "The same with fifteen features chosen beforehand: the usual advice where few accounts left.",
            Making.LINE,
            _SMALL,
        ),
        Rival(
            "trigger",
            "renewal-date trigger",
            "Everyone whose contract ends within 90 days, as a calendar reminder does it; nothing else is known.",
            Making.TRIGGER,
            (),
        ),
    )
}


def rivals_named(names: Sequence[str]) -> tuple[Rival, ...]:
    """The arms of these names, the first one being the arm that the others are compared with.

    A name that stands there again is the same arm with other seeds (an A/A check).

    Raises:
        UsageError: fewer than two names, or an unknown one.
    """
    unknown = [name for name in names if name not in RIVALS]
    if unknown or len(names) < 2:  # noqa: PLR2004 - a comparison needs two
        raise UsageError(
            "these arms cannot be compared",
            expected=f"two or more of: {', '.join(RIVALS)}",
            found=", ".join(unknown or names) or "none",
            todo="name them with --arms, separated by commas; a name twice asks what chance alone does (A/A)",
        )
    seen: Counter[str] = Counter()
    chosen = []
    for name in names:
        chosen.append(_again(RIVALS[name], seen[name]))
        seen[name] += 1
    return tuple(chosen)


def _again(rival: Rival, repeat: int) -> Rival:
    if not repeat:
        return rival
    number = repeat + 1
    return replace(rival, name=f"{rival.name}_{number}", title=f"{rival.title}, seed {number}", repeat=repeat)
