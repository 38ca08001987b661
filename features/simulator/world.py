"""Which laws hold in the made-up company, and with which numbers?

A :class:`World` is nothing but numbers: a regime (see `regimes`) is another value of the same class. Loadings and
intercepts follow the design's prototype of this simulator; where it left a number open, the reason stands beside it.
"""

from __future__ import annotations

from pydantic import Field

from features.simulator.special_laws import (
    DirtLaw,
    InstrumentationLaw,
    LateMove,
    Law,
    LoadingLaw,
    PriceLaw,
    RolloutLaw,
    ThinLaw,
    TrapLaw,
    TreatmentLaw,
    later,
)

SEGMENTS = ("studio", "broadcaster", "agency")
PHASES = ("none", "off", "pre", "post", "active")
"""Phases by rising precedence: where windows overlap, the last one wins."""
NONE, OFF, PRE, POST, ACTIVE = range(5)

BySegment = tuple[float, float, float]
ByPhase = tuple[float, float, float, float, float]


class PortfolioLaw(Law):
    """Who the accounts are and what they sign. Tuples run over :data:`SEGMENTS`."""

    segment_share: BySegment = (0.35, 0.25, 0.40)
    seats_log_mean: BySegment = (3.2, 3.6, 2.6)
    seats_log_sd: float = 0.9
    hq_share: tuple[float, float, float, float] = Field(
        default=(0.4, 0.3, 0.2, 0.1), description="NY, LA, London, Tokyo"
    )
    parent_share: float = 0.06
    never_joins_share: float = Field(default=0.18, description="accounts that take part in no campaign")
    susceptible_share: float = Field(default=0.30, description="accounts that a competitor's move reaches")
    consent_share: float = Field(default=0.85, description="accounts that let production data be read")
    term_share: tuple[float, float, float] = Field(default=(0.15, 0.75, 0.10), description="monthly, 12 and 24 months")
    joins_later_share: float = Field(
        default=0.25, description="accounts whose first contract starts in the simulated time"
    )
    prior_years: int = Field(
        default=2, description="first contracts of the others are spread over this many years before"
    )
    notice_days: int = 56
    notice_days_large: int = 91
    large_from_seats: int = 61
    effective_after_days: int = Field(default=28, description="days from a mid-term or monthly notice to its effect")
    price_per_seat: BySegment = Field(
        default=(1200.0, 1500.0, 900.0), description="US dollars a year; a plausible level"
    )
    csm_team: int = Field(default=8, description="customer-success managers")


class LatentLaw(Law):
    """Health ``h`` and finance ``f``: AR(1) around an account's own level; ``w`` is shared by a week's usage."""

    persistence: float = Field(default=0.975, description="a half-life of 27 weeks")
    stationary_sd: float = 0.8
    level_sd: float = 0.6
    workload_sd: float = 0.35
    shock_pull: float = Field(default=0.02, description="taken from h in each week of a shock")


class CampaignLaw(Law):
    """Who joins which campaign, and what a wrap leaves behind."""

    base: dict[str, BySegment] = Field(
        default={
            "march_madness": (0.10, 0.80, 0.45),
            "award_season": (0.65, 0.25, 0.20),
            "fall_launch": (0.25, 0.70, 0.35),
            "holiday": (0.15, 0.30, 0.65),
            "big_game": (0.15, 0.45, 0.45),
        },
        description="share that joins; the prototype fixes four cells, the others are set to the same pattern",
    )
    pre_days: int = 28
    post_days: int = 42
    memory_days: int = Field(default=400, description="off turns to none this long after the last campaign")
    drop_intercept: float = -1.1
    drop_loading: float = -0.15
    drop_usage_weeks: int = 8
    drop_hazard_weeks: int = 26


class UsageLaw(Law):
    """Weekly counts per account. Tuples run over :data:`PHASES`."""

    core_per_seat: float = 9.0
    collab_per_seat: float = 3.0
    gamma_shape: float = 3.0
    phase_lift: ByPhase = Field(
        default=(1.0, 1.0, 1.5, 0.85, 3.48), description="3.48 measures as 3.5 over own off weeks"
    )
    account_lift_sd: float = Field(default=0.25, description="spread of ln(lift) of active weeks between accounts")
    core_loading: float = 0.12
    collab_loading: ByPhase = Field(
        default=(0.10, 0.10, 0.10, 0.70, 0.95), description="collaboration speaks in campaigns"
    )
    account_sd: float = Field(default=0.30, description="u_i; left open by the prototype")
    collab_account_sd: float = Field(default=0.25, description="v_i; left open by the prototype")
    drop_core: float = 0.70
    drop_collab: float = 0.40
    seat_intercept: float = 0.3
    seat_loading: float = 0.22
    seat_phase: ByPhase = (0.0, 0.0, 0.4, -0.1, 1.1)
    seat_workload: float = 0.4
    notice_tail: float = Field(default=0.92, description="usage after notice: only a little less until the end")
    late_share: float = Field(default=0.01, description="usage rows that arrive 2-10 days late")


class SeatLaw(Law):
    """Who sits on the seats, and how their number moves."""

    freelancer_share: float = 0.15
    champions: tuple[int, int] = (1, 3)
    champion_leaves_per_year: float = Field(
        default=0.20, description="own leave hazard of key users; not the account's"
    )
    user_leaves_per_year: float = 0.15
    freelance_weeks: tuple[int, int] = (8, 26)
    late_assigned_share: float = Field(default=0.05, description="seats that wait 8-60 weeks for a user")
    upsell_intercept: float = -4.2
    upsell_loading: float = 0.5
    upsell_peak: float = Field(
        default=0.6, description="added when a campaign was active in the quarter: seats run short"
    )
    renewal_drift: float = 0.02
    renewal_loading: float = Field(default=0.06, description="ln(seats) at renewal per unit of h: mildly related")
    renewal_sd: float = 0.10


class ProductionLaw(Law):
    """Projects, milestones and reviews."""

    projects_per_month: BySegment = (0.25, 0.5, 0.8)
    project_weeks: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((8, 40), (4, 20), (2, 8))
    assets_per_project: float = Field(
        default=10.0, description="tracked in review; keeps the review tables at 1-2 M rows"
    )
    cycle_hours: float = 72.0
    cycle_active_ratio: float = 0.60
    cycle_loading: float = -0.10
    cycle_sd: float = 0.25
    cycle_account_sd: float = Field(default=0.20, description="u_i of review; left open by the prototype")
    approve_intercept: float = 0.9
    approve_loading: float = 0.3
    approve_active: float = -0.3
    approve_concentration: float = Field(
        default=12.0, description="a + b of the Beta law of a project's first-pass rate"
    )
    on_time_intercept: float = 1.3
    on_time_loading: float = 0.35
    on_time_active: float = -0.4
    on_time_sd: float = 0.6


class VoiceLaw(Law):
    """Tickets and surveys."""

    tickets_per_seat: float = 0.02
    tickets_loading: float = -0.3
    tickets_active: float = 0.5
    urgency_quiet: tuple[float, float, float, float] = later(
        (0.25, 0.50, 0.18, 0.07), "shares of low, normal, high and urgent tickets; made up"
    )
    urgency_active: tuple[float, float, float, float] = later(
        (0.15, 0.42, 0.28, 0.15), "the same while a campaign is active, which makes more things urgent; made up"
    )
    bad_csat_intercept: float = -1.6
    bad_csat_loading: float = -0.6
    csat_response: float = 0.25
    nps_level: float = 7.3
    nps_loading: float = 1.3
    nps_sd: float = 1.6
    nps_response_intercept: float = Field(default=-0.7, description="about a third answer; left open by the prototype")
    nps_response_loading: float = Field(default=0.5, description="the unhappy answer less: not missing at random")
    nps_respondents: int = Field(default=5, description="at most, per account and quarter")


class MoneyLaw(Law):
    """Invoices and how late they are paid."""

    quarterly_share: float = Field(default=0.6, description="of term contracts; the others are billed once a year")
    payment_terms_days: int = 30
    late_mean: float = -3.0
    late_loading: float = -5.0
    late_sd: float = 6.0
    failed_auto: tuple[float, float] = Field(
        default=(-3.0, -0.8), description="intercept and loading on f, first attempt"
    )
    failed_sent: tuple[float, float] = (-4.5, -0.6)
    dispute_share: float = 0.004
    quality_credit_share: float = 0.006


class MarketLaw(Law):
    """Shocks from competitors and published indices."""

    shocks_per_year: float = Field(default=2.0, description="per segment")
    shock_weeks: int = 26
    index_persistence: float = 0.85
    index_sd: float = 0.02
    index_trend_per_month: BySegment = (0.002, -0.003, 0.001)
    wins_per_week: float = 0.15
    mention_share: float = Field(
        default=0.15, description="of susceptible accounts that name the competitor in a shock"
    )


class HazardLaw(Law):
    """True hazard of the decision to leave: logits per decision window or per week."""

    window_intercept: float = -2.40
    window_h: float = -1.0
    window_f: float = -0.45
    shock: float = 0.55
    drop: float = Field(default=0.30, description="measures as a 90-day risk ratio of 1.30 over five seeds")
    agency: float = 0.15
    other_intercept: float = -8.2
    other_h: float = -0.8
    other_f: float = -0.4
    monthly_intercept: float = -5.75
    monthly_h: float = -0.9
    monthly_f: float = -0.45
    notice_lag_median_days: float = 5.0
    notice_lag_p95_days: float = 30.0


class World(Law):
    """All laws of one made-up company. The default is the regime ``campaign``; the last group holds elsewhere only."""

    portfolio: PortfolioLaw = PortfolioLaw()
    latent: LatentLaw = LatentLaw()
    campaigns: CampaignLaw = CampaignLaw()
    usage: UsageLaw = UsageLaw()
    seats: SeatLaw = SeatLaw()
    production: ProductionLaw = ProductionLaw()
    voice: VoiceLaw = VoiceLaw()
    money: MoneyLaw = MoneyLaw()
    market: MarketLaw = MarketLaw()
    hazard: HazardLaw = HazardLaw()

    price: PriceLaw | None = later(None, "prices rise")
    instrumentation: InstrumentationLaw | None = later(None, "core actions are counted differently")
    loading: LoadingLaw | None = later(None, "health shows itself in another phase")
    late_move: LateMove | None = later(None, "a campaign is moved at short notice")
    rollout: RolloutLaw | None = later(None, "a competitor's feature takes part of a segment")
    thin: ThinLaw | None = later(None, "little is known of many accounts")
    treatment: TreatmentLaw | None = later(None, "alerts are worked on in one arm of two")
    traps: TrapLaw | None = later(None, "a current-state export lies beside the tables")
    dirt: DirtLaw | None = later(None, "the files are dirty")
