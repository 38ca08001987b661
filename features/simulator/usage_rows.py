"""How do one account's weekly totals fall on users, days and feature families?

Grain in: weekly laws of one account. Grain out: one row per user, feature family and day that had an action.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.simulator.timeline import Floats, Ints

CORE = 0
FAMILIES = ("core", "collab", "review", "export", "asset_mgmt", "automation", "ai")
_OTHER_SHARE = np.asarray((0.25, 0.20, 0.16, 0.08, 0.08), dtype=np.float32)
"""Chance that an active user touches each family beside core and collab in a week."""
_OTHER_MEAN = 3.0
_COLLAB_SHARE = 0.45
_SECOND_CORE_DAY = 0.5
_WEEKDAY = (0.20, 0.21, 0.21, 0.20, 0.15, 0.02, 0.01)
_TABLE = 256


def _weekday_table(without: int = -1) -> npt.NDArray[np.int32]:
    # Weekdays in proportion to how often they occur: one random byte picks a day.
    weight = np.asarray(_WEEKDAY)
    if without >= 0:
        weight[without] = 0
    edges = np.rint(np.cumsum(weight / weight.sum()) * _TABLE).astype(int)
    return np.searchsorted(edges, np.arange(_TABLE), side="right").astype(np.int32)


_DAYS = _weekday_table()
_OTHER_DAYS = np.stack([_weekday_table(day) for day in range(7)])


@dataclass(frozen=True, slots=True)
class Rows:
    """Usage rows of one account; ``day`` counts from the Monday of its first week."""

    spell: npt.NDArray[np.int32]
    family: npt.NDArray[np.int32]
    day: npt.NDArray[np.int32]
    events: Ints
    sessions: Ints
    minutes: Floats
    late_days: npt.NDArray[np.int8]

    def rows(self, which: Ints) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, name)[which] for name in Rows.__slots__))


def account_rows(  # noqa: PLR0913 - one account's weekly laws
    rng: np.random.Generator,
    *,
    occupant: npt.NDArray[np.int32],
    propensity: Floats,
    contracted: Ints,
    core: Floats,
    collab: Floats,
    seat_chance: Floats,
    late_share: float,
) -> Rows:
    """Draw the rows of one account."""
    week, seat = _active_seats(rng, occupant, propensity, contracted=contracted, seat_chance=seat_chance)
    spell = occupant[week, seat]
    weight = propensity[seat]
    parts = (
        _core_rows(rng, week, weight, intensity=core),
        _collab_rows(rng, week, weight, intensity=collab),
        _other_rows(rng, week),
    )
    who, family, day, events = (np.concatenate(part) for part in zip(*parts, strict=True))
    some = np.flatnonzero(events)
    who, family, day, events = who[some], family[some], day[some], events[some]
    sessions = 1 + events // 15
    pace = rng.random(len(who), dtype=np.float32)
    late = np.zeros(len(who), dtype=np.int8)
    is_late = np.flatnonzero(rng.random(len(who), dtype=np.float32) < late_share)
    late[is_late] = rng.integers(2, 11, len(is_late))
    return Rows(
        spell=spell[who],
        family=family.astype(np.int32),
        day=(7 * week[who]).astype(np.int32) + day,
        events=events,
        sessions=sessions,
        minutes=np.rint(events * (1.5 + 1.4 * pace) + 4 * sessions),
        late_days=late,
    )


def _active_seats(
    rng: np.random.Generator,
    occupant: npt.NDArray[np.int32],
    propensity: Floats,
    *,
    contracted: Ints,
    seat_chance: Floats,
) -> tuple[Ints, Ints]:
    # The number is Binomial; who it is follows propensities (the smallest exponential clocks ring first).
    taken = occupant >= 0
    count = np.minimum(np.maximum(rng.binomial(contracted, seat_chance), 1), taken.sum(axis=1))
    clock = rng.standard_exponential(occupant.shape, dtype=np.float32) / propensity.astype(np.float32)
    clock[~taken] = np.inf
    order = np.sort(clock, axis=1)
    last = order[np.arange(len(count)), np.maximum(count - 1, 0)]
    last[count == 0] = -1
    week, seat = np.nonzero(clock <= last[:, None])
    return week, seat


def _shared(rng: np.random.Generator, week: Ints, weight: Floats, intensity: Floats) -> Ints:
    # Poisson counts whose weekly sum is Poisson with the week's intensity.
    total = np.bincount(week, weights=weight, minlength=len(intensity))
    return rng.poisson(intensity[week] * weight / total[week])


def _core_rows(rng: np.random.Generator, week: Ints, weight: Floats, *, intensity: Floats) -> tuple[Ints, ...]:
    count = len(week)
    first_day = _DAYS[rng.integers(0, _TABLE, count, dtype=np.uint8)]
    twice = np.flatnonzero(rng.random(count, dtype=np.float32) < _SECOND_CORE_DAY)
    second_day = _OTHER_DAYS[first_day[twice], rng.integers(0, _TABLE, len(twice), dtype=np.uint8)]
    who = np.concatenate([np.arange(count), twice])
    work = weight[who] * (0.3 + rng.standard_exponential(len(who)))
    events = _shared(rng, week[who], work, intensity)
    return who, np.zeros(len(who), dtype=np.int32), np.concatenate([first_day, second_day]), events


def _collab_rows(rng: np.random.Generator, week: Ints, weight: Floats, *, intensity: Floats) -> tuple[Ints, ...]:
    takes_part = rng.random(len(week), dtype=np.float32) < _COLLAB_SHARE
    # Somebody works together with others in every week.
    takes_part |= np.append(True, week[1:] != week[:-1])[: len(week)]
    who = np.flatnonzero(takes_part)
    work = weight[who] * (0.3 + rng.standard_exponential(len(who)))
    events = _shared(rng, week[who], work, intensity)
    return who, np.ones(len(who), dtype=np.int32), _DAYS[rng.integers(0, _TABLE, len(who), dtype=np.uint8)], events


def _other_rows(rng: np.random.Generator, week: Ints) -> tuple[Ints, ...]:
    touches = rng.random((len(_OTHER_SHARE), len(week)), dtype=np.float32) < _OTHER_SHARE[:, None]
    family, who = np.nonzero(touches)
    events = 1 + rng.poisson(_OTHER_MEAN, len(who))
    return who, (family + 2).astype(np.int32), _DAYS[rng.integers(0, _TABLE, len(who), dtype=np.uint8)], events
