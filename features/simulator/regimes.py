"""Which made-up worlds are there, what does each change and why, and what must the service do in it?

A regime is the world ``campaign`` with a few declared changes; nothing else differs. Source: the design's list of
regimes. ``drift`` has all its switches; each is also there alone, so that a monitor can be asked to name the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from features.errors import UsageError
from features.simulator.special_laws import (
    DirtLaw,
    InstrumentationLaw,
    LateMove,
    LoadingLaw,
    PriceLaw,
    RolloutLaw,
    ThinLaw,
    TrapLaw,
    TreatmentLaw,
)
from features.simulator.world import World

_NEVER = -40.0
"""A logit whose chance is below any draw."""
_FLAT_USAGE = (1.0, 1.0, 1.0, 1.0, 1.0)
_FLAT_LOADING = (0.10, 0.10, 0.10, 0.10, 0.10)
_FLAT_SEATS = (0.0, 0.0, 0.0, 0.0, 0.0)
_QUIET_URGENCY = (0.25, 0.50, 0.18, 0.07)


@dataclass(frozen=True, slots=True)
class Change:
    """One law that a regime sets: its path in the world, the value, and why."""

    law: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Regime:
    """One made-up world: what it is, what the service must do in it, and all that differs from ``campaign``."""

    name: str
    meaning: str
    service_must: str
    changes: tuple[Change, ...] = ()

    @property
    def world(self) -> World:
        """The laws of the regime."""
        return reduce(_changed, self.changes, World())


def _changed(world: World, change: Change) -> World:
    group, _, name = change.law.partition(".")
    if not name:
        return World.model_validate(dict(world) | {group: change.value})
    law = getattr(world, group)
    return World.model_validate(dict(world) | {group: type(law).model_validate(dict(law) | {name: change.value})})


_NO_CAMPAIGN_EFFECT = (
    Change("usage.phase_lift", _FLAT_USAGE, "usage is the same in every phase"),
    Change("usage.account_lift_sd", 0.0, "no account works more in active weeks"),
    Change("usage.collab_loading", _FLAT_LOADING, "collaboration tells as little in campaigns as outside"),
    Change("usage.seat_phase", _FLAT_SEATS, "as many people work"),
    Change("seats.upsell_peak", 0.0, "campaigns do not make seats short"),
    Change("production.cycle_active_ratio", 1.0, "revisions take as long"),
    Change("production.approve_active", 0.0, "as much is approved"),
    Change("production.on_time_active", 0.0, "milestones are met as often"),
    Change("voice.tickets_active", 0.0, "as many tickets are opened"),
    Change("voice.urgency_active", _QUIET_URGENCY, "they are as urgent"),
    Change("campaigns.drop_intercept", _NEVER, "no wrap leaves a drop behind"),
    Change("hazard.drop", 0.0, "and a drop would not matter"),
)

_PRICE = Change("price", PriceLaw(), "hazards change: calibration breaks while inputs stay")
_INSTRUMENTATION = Change("instrumentation", InstrumentationLaw(), "an input changes while hazards stay")
_CALENDAR = Change("late_move", LateMove(), "phases that were believed turn out wrong")
_LOADING = Change("loading", LoadingLaw(), "a relation between health and an input changes phase")
_ALONE = "detect it, name this switch and no other, and recalibrate if risks moved"

_ALL = (
    Regime(
        "campaign",
        "campaigns move usage and reviews, and their wraps move risk",
        "recover the planted facts; the campaign subcategory earns points",
    ),
    Regime(
        "no_campaign_effect",
        "the calendar and who takes part are there, but campaigns change nothing",
        "find no gain of phase-aware scoring: the interval covers 0, and the report says so",
        _NO_CAMPAIGN_EFFECT,
    ),
    Regime(
        "drift",
        "four switches are thrown one after the other: loading, instrumentation, price, calendar",
        "detect, name the right switch, recalibrate, and bring observed over expected back into 0.8-1.25",
        (_LOADING, _INSTRUMENTATION, _PRICE, _CALENDAR),
    ),
    Regime("drift_price", "drift with the price rise alone", _ALONE, (_PRICE,)),
    Regime("drift_instrumentation", "drift with the change of instrumentation alone", _ALONE, (_INSTRUMENTATION,)),
    Regime("drift_calendar", "drift with the moved campaign alone", _ALONE, (_CALENDAR,)),
    Regime("drift_loading", "drift with the moved loading alone", _ALONE, (_LOADING,)),
    Regime(
        "dirty",
        "the company of campaign, its files dirty: late, doubled, broken, missing and foreign rows",
        "take the good rows, refuse exactly the planted ones, lose at most 15 % of average precision",
        (Change("dirt", DirtLaw(), "sources are never clean; the company behind them is the same"),),
    ),
    Regime(
        "leak_trap",
        "the company of campaign, with a current-state export beside it that tells the outcome",
        "block training and name all six columns",
        (Change("traps", TrapLaw(), "careless builders join such an export; the canonical tables stay clean"),),
    ),
    Regime(
        "thin",
        "half of the accounts are small, young and in no campaign by habit",
        "grade them C or D, with intervals that cover",
        (Change("thin", ThinLaw(), "little can be known of them"),),
    ),
    Regime(
        "treated",
        "alerts in two random arms; those of the treated arm are worked on and lower the risk",
        "recover the planted effects within their intervals",
        (Change("treatment", TreatmentLaw(), "the effect of acting is known"),),
    ),
    Regime(
        "treated_null",
        "the same arms, alerts and work, without any effect (A/A)",
        "find no effect",
        (
            Change(
                "treatment",
                TreatmentLaw(
                    playbooks=tuple(each.model_copy(update={"gamma": 0.0}) for each in TreatmentLaw().playbooks)
                ),
                "an effect that is found here is an artefact",
            ),
        ),
    ),
    Regime(
        "shock",
        "a competitor's feature takes 30 % of a segment, while their invoices stay punctual",
        "see them from usage and voices; a finance-only model cannot",
        (Change("rollout", RolloutLaw(), "health falls while finance stays"),),
    ),
)

REGIMES: Mapping[str, Regime] = {regime.name: regime for regime in _ALL}
"""Known regimes by name, in the order of the design."""


def regime_named(name: str) -> Regime:
    """The regime of that name.

    Raises:
        UsageError: no regime has this name.
    """
    if name not in REGIMES:
        raise UsageError(
            "no regime has this name",
            expected=f"one of {', '.join(REGIMES)}",
            found=repr(name),
            todo="choose a known regime",
        )
    return REGIMES[name]
