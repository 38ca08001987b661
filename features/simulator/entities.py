"""Who are the accounts, what do they sign, and what sets each apart for good?

Grain out: one position per account in every array. Nothing here changes with time; what does is in `latent` and later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.special_laws import ThinLaw
from features.simulator.streams import Streams
from features.simulator.timeline import NEVER, Codes, Flags, Floats, Ints, Timeline
from features.simulator.world import SEGMENTS, PortfolioLaw, World

AGENCY = SEGMENTS.index("agency")
HQ_TZ = ("America/New_York", "America/Los_Angeles", "Europe/London", "Asia/Tokyo")
COUNTRIES = ("US", "GB", "JP")
COUNTRY_OF_HQ = np.asarray((0, 0, 1, 2))
_FIRST_NAMES = (
    "Northlight",
    "Bluefern",
    "Cinderpath",
    "Halfmoon",
    "Oakline",
    "Silverkite",
    "Tallgrass",
    "Emberway",
    "Driftwood",
    "Larkspur",
    "Quietwater",
    "Redstep",
    "Sunward",
    "Thornfield",
    "Westerly",
    "Ivoryhill",
    "Maplecross",
    "Nightjar",
    "Openfield",
    "Pinecove",
)
_LAST_NAMES = ("Studio", "Broadcast", "Agency")


@dataclass(frozen=True, slots=True)
class Accounts:
    """What is fixed about each account: ``level_*`` are the levels that h and f return to, ``*_effect`` its habits."""

    ids: list[str]
    names: list[str]
    segment: Codes
    hq: Codes
    parent: Ints
    csm: Codes
    consent: Flags
    never_joins: Flags
    susceptible: Flags
    thin: Flags
    seats: Ints
    term_months: Ints
    notice_days: Ints
    first_start: Ints
    level_h: Floats
    level_f: Floats
    core_effect: Floats
    collab_effect: Floats
    lift_effect: Floats
    review_effect: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of each account if it never leaves.

    ``starts[i, k]`` opens term k; ``deadline[i, k]`` is the last day to give notice in it. Monthly contracts are
    evergreen: one start, and deadlines that never come.
    """

    starts: Ints
    deadline: Ints


def draw_accounts(world: World, streams: Streams, *, count: int, time: Timeline) -> Accounts:
    """Draw the portfolio; every group of traits has its own stream."""
    law = world.portfolio
    kind = streams.named("accounts/kind")
    segment = kind.choice(3, size=count, p=law.segment_share).astype(np.int8)
    hq = kind.choice(4, size=count, p=law.hq_share).astype(np.int8)
    size = np.exp(np.asarray(law.seats_log_mean)[segment] + law.seats_log_sd * kind.standard_normal(count))
    thin, seats = _thin_seats(world.thin, streams, np.maximum(3, np.rint(size)).astype(np.int64))
    term_months, notice_days, first_start = _sign(law, streams.named("accounts/contract"), seats=seats, time=time)
    first_start = _young(world.thin, streams, thin, first_start, time=time)
    traits = streams.named("accounts/traits")
    habits = streams.named("accounts/habits")
    latent, usage = world.latent, world.usage
    return Accounts(
        ids=[f"acc-{number:05d}" for number in range(1, count + 1)],
        names=_names(streams.named("accounts/names"), segment),
        segment=segment,
        hq=hq,
        parent=_parents(streams.named("accounts/parents"), count, law.parent_share),
        csm=traits.integers(0, law.csm_team, count).astype(np.int8),
        consent=traits.random(count) < law.consent_share,
        never_joins=traits.random(count) < law.never_joins_share,
        susceptible=traits.random(count) < law.susceptible_share,
        thin=thin,
        seats=seats,
        term_months=term_months,
        notice_days=notice_days,
        first_start=first_start,
        level_h=latent.level_sd * habits.standard_normal(count),
        level_f=latent.level_sd * habits.standard_normal(count),
        core_effect=usage.account_sd * habits.standard_normal(count),
        collab_effect=usage.collab_account_sd * habits.standard_normal(count),
        lift_effect=usage.account_lift_sd * habits.standard_normal(count),
        review_effect=world.production.cycle_account_sd * habits.standard_normal(count),
    )


def terms_of(accounts: Accounts, time: Timeline, prior_years: int) -> Terms:
    """Every term that touches the latent world, as if nobody ever left."""
    last = int(np.ceil((366 * prior_years + 7 * time.span) / 360)) + 1
    first = accounts.first_start.astype("datetime64[D]")
    month = first.astype("datetime64[M]")
    # Days of the month are 2-28, so adding months is exact for the start and for the day before it.
    day_of_month = (first - month.astype("datetime64[D]")).astype(np.int64)
    steps = np.arange(last + 1)[None, :] * np.maximum(accounts.term_months, 12)[:, None]
    starts = (month[:, None] + steps).astype("datetime64[D]").astype(np.int64) + day_of_month[:, None]
    deadline = starts[:, 1:] - 1 - accounts.notice_days[:, None]
    monthly = accounts.term_months == 1
    starts[monthly, 1:] = NEVER
    deadline[monthly] = NEVER
    return Terms(starts=starts, deadline=deadline)


def _sign(law: PortfolioLaw, rng: np.random.Generator, *, seats: Ints, time: Timeline) -> tuple[Ints, Ints, Ints]:
    count = len(seats)
    term = np.asarray((1, 12, 24))[rng.choice(3, size=count, p=law.term_share)]
    long_notice = np.where(seats >= law.large_from_seats, law.notice_days_large, law.notice_days)
    notice = np.where(term == 1, 7 * rng.integers(0, 5, count), long_notice)
    before = time.first_day - rng.integers(1, 365 * law.prior_years, count)
    within = time.first_day + (rng.random(count) * 7 * time.weeks).astype(np.int64)
    start = np.where(rng.random(count) < law.joins_later_share, within, before)
    return term.astype(np.int64), notice.astype(np.int64), _in_every_month(start)


def _in_every_month(start: Ints) -> Ints:
    # The nearest day that every month has.
    day = start.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    day_of_month = np.clip((day - month.astype("datetime64[D]")).astype(np.int64), 1, 27)
    return np.asarray(month.astype("datetime64[D]").astype(np.int64) + day_of_month, dtype=np.int64)


def _thin_seats(law: ThinLaw | None, streams: Streams, seats: Ints) -> tuple[Flags, Ints]:
    if law is None:
        return np.zeros(len(seats), dtype=np.bool_), seats
    rng = streams.named("accounts/thin")
    thin = np.asarray(rng.random(len(seats)) < law.share, dtype=np.bool_)
    few = rng.integers(law.seats[0], law.seats[1] + 1, len(seats))
    return thin, np.where(thin, few, seats)


def _young(law: ThinLaw | None, streams: Streams, thin: Flags, first_start: Ints, *, time: Timeline) -> Ints:
    if law is None:
        return first_start
    rng = streams.named("accounts/young")
    weeks = rng.integers(law.history_weeks[0], law.history_weeks[1] + 1, len(thin))
    return np.where(thin, _in_every_month(time.end_day - 7 * weeks), first_start)


def _parents(rng: np.random.Generator, count: int, share: float) -> Ints:
    # A parent is an account without a parent of its own; -1 = none.
    is_child = rng.random(count) < share
    possible = np.flatnonzero(~is_child)
    if not len(possible):
        return np.full(count, -1, dtype=np.int64)
    return np.where(is_child, possible[rng.integers(0, len(possible), count)], -1).astype(np.int64)


def _names(rng: np.random.Generator, segment: Codes) -> list[str]:
    first = rng.integers(0, len(_FIRST_NAMES), len(segment))
    return [
        f"{_FIRST_NAMES[word]} {_LAST_NAMES[kind]} {number:04d}"
        for number, (word, kind) in enumerate(zip(first, segment, strict=True), start=1)
    ]
