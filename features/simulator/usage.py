"""How much is the tool used, by whom, on which day?

Grain out: `usage_daily` rows (account, user, feature family, day). The totals of an account-week follow the laws
exactly: Poisson-Gamma counts of core and collab actions, a Binomial number of active seats. Only a week in which the
Binomial gives nobody is lifted to one active seat: work that was done was done by someone. At most the assigned seats
work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.progress import Progress
from features.simulator.company import Company
from features.simulator.contracts import PRODUCTS
from features.simulator.seats import SeatPlan
from features.simulator.special_laws import InstrumentationLaw, week_at
from features.simulator.switches import collab_loadings
from features.simulator.timeline import Flags, Floats, Ints, sigmoid
from features.simulator.usage_rows import CORE, FAMILIES, Rows, account_rows
from features.simulator.users import Seats, Spells
from features.simulator.world import ACTIVE
from features.simulator.writer import CanonicalWriter, Coded

_BATCH_ROWS = 1_000_000
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Intensity:
    """Per account and simulated week: drawn intensities of core and collab actions, chance of a seat to be active."""

    core: Floats
    collab: Floats
    seat_chance: Floats


def draw_intensity(company: Company, plan: SeatPlan) -> Intensity:
    """Draw the Gamma intensities behind the Poisson counts."""
    law = company.world.usage
    core, collab = mean_actions(company, plan.weekly)
    gamma = company.streams.named("usage/intensity")
    shape = (len(company.accounts), company.time.span)
    noise = [gamma.standard_gamma(law.gamma_shape, shape)[:, : company.time.weeks] / law.gamma_shape for _ in range(2)]
    weeks = slice(0, company.time.weeks)
    phase = company.campaigns.phase[:, weeks]
    logit = (
        law.seat_intercept
        + law.seat_loading * company.latent.h[:, weeks]
        + law.seat_workload * company.latent.w[:, weeks]
    )
    logit = logit + np.asarray(law.seat_phase)[phase] + np.log(law.notice_tail) * under_notice(company)
    return Intensity(core=core * noise[0], collab=collab * noise[1], seat_chance=sigmoid(logit))


def mean_actions(company: Company, seats: Ints) -> tuple[Floats, Floats]:
    """Mean core and collab actions of each account-week, given everything latent."""
    law, accounts = company.world.usage, company.accounts
    weeks = slice(0, company.time.weeks)
    h, phase = company.latent.h[:, weeks], company.campaigns.phase[:, weeks]
    shared = accounts.core_effect[:, None] + company.latent.w[:, weeks]
    shared = (
        shared + accounts.lift_effect[:, None] * (phase == ACTIVE) + np.log(law.notice_tail) * under_notice(company)
    )
    level = seats * np.asarray(law.phase_lift)[phase] * np.exp(shared)
    dropped = company.campaigns.usage_drop[:, weeks]
    core = law.core_per_seat * level * np.exp(law.core_loading * h) * np.where(dropped, law.drop_core, 1.0)
    loading = collab_loadings(company.world, company.time)[np.arange(company.time.weeks)[None, :], phase]
    collab = law.collab_per_seat * level * np.exp(loading * h + accounts.collab_effect[:, None])
    return core, collab * np.where(dropped, law.drop_collab, 1.0)


def under_notice(company: Company) -> Flags:
    """True in the simulated weeks after the decision to leave."""
    weeks = np.arange(company.time.weeks)[None, :]
    return np.asarray(weeks > company.decisions.week[:, None], dtype=np.bool_)


def write_usage(  # noqa: PLR0913 - everything that was drawn before is needed here
    writer: CanonicalWriter,
    company: Company,
    *,
    intensity: Intensity,
    plan: SeatPlan,
    seats: Seats,
    spells: Spells,
    progress: Progress,
) -> None:
    """Write `usage_daily` account by account; memory stays bounded by a batch."""
    batch = _Batch(writer, company, spells)
    seat_bounds = np.searchsorted(seats.account, np.arange(len(company.accounts) + 1))
    for account in range(len(company.accounts)):
        weeks = np.flatnonzero(company.live[account])
        if len(weeks):
            rows = account_rows(
                company.streams.named("usage/rows", account),
                occupant=_occupants(spells, seats, account, weeks=weeks, first_seat=seat_bounds[account]),
                propensity=seats.propensity[seat_bounds[account] : seat_bounds[account + 1]],
                contracted=plan.weekly[account, weeks],
                core=intensity.core[account, weeks],
                collab=intensity.collab[account, weeks],
                seat_chance=intensity.seat_chance[account, weeks],
                late_share=company.world.usage.late_share,
            )
            monday = int(company.time.monday(int(weeks[0])))
            if company.world.instrumentation is not None:
                rows = _counted(company, company.world.instrumentation, rows, account=account, monday=monday)
            batch.add(account, monday, rows)
        if account % 50 == 49 or account + 1 == len(company.accounts):
            progress("simulate usage", account + 1, len(company.accounts))
    batch.flush()


def _counted(company: Company, law: InstrumentationLaw, rows: Rows, *, account: int, monday: int) -> Rows:
    # The work is done as before; from the switch on a share of its core actions is not counted.
    switch = company.time.monday(week_at(law.at, company.time.weeks))
    missed = np.flatnonzero((rows.family == CORE) & (monday + rows.day >= switch))
    events = rows.events.copy()
    rng = company.streams.named("usage/counted", account)
    events[missed] = rng.binomial(events[missed], law.core_factor)
    some = np.flatnonzero(events)
    return replace(rows, events=events).rows(some)


def _occupants(spells: Spells, seats: Seats, account: int, *, weeks: Ints, first_seat: int) -> npt.NDArray[np.int32]:
    # Grain: week x seat; the value is the spell (the user) on the seat, -1 = empty.
    own = slice(spells.bounds[account], spells.bounds[account + 1])
    begin = np.clip(spells.first[own] - weeks[0], 0, len(weeks))
    end = np.clip(spells.after[own] - weeks[0], 0, len(weeks))
    length = end - begin
    week = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - begin, length)
    seat_count = np.searchsorted(seats.account, account, side="right") - first_seat
    table = np.full((len(weeks), seat_count), -1, dtype=np.int32)
    table[week, np.repeat(spells.seat[own] - first_seat, length)] = np.repeat(np.arange(own.start, own.stop), length)
    return table


class _Batch:
    def __init__(self, writer: CanonicalWriter, company: Company, spells: Spells) -> None:
        self._writer, self._company, self._spells = writer, company, spells
        self._parts: list[tuple[int, int, Rows]] = []
        self._size = 0

    def add(self, account: int, first_monday: int, rows: Rows) -> None:
        self._parts.append((account, first_monday, rows))
        self._size += len(rows.day)
        if self._size >= _BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._parts:
            return
        accounts = [account for account, _, _ in self._parts]
        lengths = [len(rows.day) for _, _, rows in self._parts]
        day = np.concatenate([monday + rows.day for _, monday, rows in self._parts])
        late = np.concatenate([rows.late_days for _, _, rows in self._parts])
        user = np.concatenate([rows.spell for _, _, rows in self._parts])
        low, high = int(user.min()), int(user.max()) + 1
        event_at = day.astype(np.int64) * _DAY
        self._writer.append(
            "usage_daily",
            self._size,
            {
                "account_id": Coded(
                    np.repeat(np.arange(len(accounts), dtype=np.int32), lengths),
                    [self._company.accounts.ids[account] for account in accounts],
                ),
                "user_key": Coded(user - np.int32(low), self._spells.keys[low:high]),
                "product_sku": Coded(
                    np.repeat(self._company.accounts.segment[accounts].astype(np.int32), lengths), PRODUCTS
                ),
                "feature_code": Coded(np.concatenate([rows.family for _, _, rows in self._parts]), FAMILIES),
                "usage_date": day,
                "tz": "UTC",
                "sessions": np.concatenate([rows.sessions for _, _, rows in self._parts]),
                "active_minutes": np.concatenate([rows.minutes for _, _, rows in self._parts]),
                "events": np.concatenate([rows.events for _, _, rows in self._parts]),
                "event_at": event_at,
                # The day's file comes the next morning; a few rows come days later.
                "available_at": event_at + (late.astype(np.int64) + 1) * _DAY + 6 * _HOUR,
            },
        )
        self._parts, self._size = [], 0
