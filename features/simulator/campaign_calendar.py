"""When did each campaign really run, and what was believed about it before?

Grain out: one :class:`Instance` per campaign and year 2020-2027 with its beliefs in the order they became known. Dates
are public facts: held dates to 2025; later ones as announced (fall 2026 and 2027 by the calendar rule). Windows are our
templates: the four weeks up to and around the event, nominations to ceremony for awards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

CAMPAIGNS = ("march_madness", "award_season", "fall_launch", "holiday", "big_game")
TITLES = {
    "march_madness": "March Madness",
    "award_season": "Award season",
    "fall_launch": "Fall launch",
    "holiday": "Holiday season",
    "big_game": "Big game",
}
FAMILY = {
    "march_madness": "sports",
    "award_season": "awards",
    "fall_launch": "season",
    "holiday": "holiday",
    "big_game": "sports",
}

_SELECTION_SUNDAY = (
    "2020-03-15 2021-03-14 2022-03-13 2023-03-12 2024-03-17 2025-03-16 2026-03-15 2027-03-14"  # NCAA men's tournament
)
_BIG_GAME = "2020-02-02 2021-02-07 2022-02-13 2023-02-12 2024-02-11 2025-02-09 2026-02-08 2027-02-14"  # Super Bowl
_NOMINATIONS = "2020-01-13 2021-03-15 2022-02-08 2023-01-24 2024-01-23 2025-01-23 2026-01-22 2027-01-21"  # Oscars
_CEREMONY = "2020-02-09 2021-04-25 2022-03-27 2023-03-12 2024-03-10 2025-03-02 2026-03-15 2027-03-14"  # Oscars
_KICKOFF = "2020-09-10 2021-09-09 2022-09-08 2023-09-07 2024-09-05 2025-09-04 2026-09-10 2027-09-09"  # NFL season
_BLACK_FRIDAY = "2020-11-27 2021-11-26 2022-11-25 2023-11-24 2024-11-29 2025-11-28 2026-11-27 2027-11-26"

_TENTATIVE = timedelta(days=365)
_CONFIRMED = timedelta(days=120)


@dataclass(frozen=True, slots=True)
class Belief:
    """What was believed of an instance from ``known_from`` on; both ends of the window are included."""

    known_from: date
    first: date
    last: date
    status: str


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of a campaign. ``first`` and ``last`` are the true active window; a cancelled one never ran."""

    name: str
    campaign: str
    first: date
    last: date
    beliefs: tuple[Belief, ...]

    @property
    def ran(self) -> bool:
        """False when it was cancelled."""
        return self.beliefs[-1].status != "cancelled"


def instances() -> tuple[Instance, ...]:
    """Every instance, ordered by campaign and year."""
    return tuple(
        _instance(campaign, first, last)
        for campaign in CAMPAIGNS
        for first, last in zip(*_windows(campaign), strict=True)
    )


def _instance(campaign: str, first: date, last: date) -> Instance:
    name = f"{campaign}_{last.year}"
    usual = (
        Belief(first - _TENTATIVE, first, last, "tentative"),
        Belief(first - _CONFIRMED, first, last, "confirmed"),
    )
    return Instance(name, campaign, first, last, _REVISED.get(name, usual))


def _windows(campaign: str) -> tuple[list[date], list[date]]:
    match campaign:
        case "march_madness":  # Monday before Selection Sunday to the Sunday before the final: 28 days
            return _shifted(_SELECTION_SUNDAY, -6), _shifted(_SELECTION_SUNDAY, 21)
        case "award_season":
            return _shifted(_NOMINATIONS, 0), _shifted(_CEREMONY, 0)
        case "fall_launch":  # 28 days around the first game of the season
            return _shifted(_KICKOFF, -17), _shifted(_KICKOFF, 10)
        case "holiday":  # 35 days: the run-up to Black Friday and the two weeks after
            return _shifted(_BLACK_FRIDAY, -18), _shifted(_BLACK_FRIDAY, 16)
        case _:  # the 28 days up to the game
            return _shifted(_BIG_GAME, -27), _shifted(_BIG_GAME, 0)


def _shifted(days: str, shift: int) -> list[date]:
    return [date.fromisoformat(day) + timedelta(days=shift) for day in days.split()]


def _belief(known_from: str, first: str, last: str, status: str) -> Belief:
    return Belief(date.fromisoformat(known_from), date.fromisoformat(first), date.fromisoformat(last), status)


_REVISED: dict[str, tuple[Belief, ...]] = {
    # Cancelled on 12 March 2020.
    "march_madness_2020": (
        _belief("2019-03-10", "2020-03-09", "2020-04-05", "tentative"),
        _belief("2019-11-10", "2020-03-09", "2020-04-05", "confirmed"),
        _belief("2020-03-12", "2020-03-09", "2020-04-05", "cancelled"),
    ),
    # The 93rd Oscars were set for 28 February 2021 and moved to 25 April in June 2020.
    "award_season_2021": (
        _belief("2020-01-20", "2021-01-19", "2021-02-28", "tentative"),
        _belief("2020-06-15", "2021-03-15", "2021-04-25", "moved"),
    ),
    # In June 2019 the 94th were announced for 27 February 2022; in May 2021 they moved to 27 March.
    "award_season_2022": (
        _belief("2019-06-11", "2022-01-18", "2022-02-27", "tentative"),
        _belief("2021-05-24", "2022-02-08", "2022-03-27", "moved"),
    ),
    # Nominations of 2025 were put off from 17 to 23 January a few days before.
    "award_season_2025": (
        _belief("2024-01-20", "2025-01-17", "2025-03-02", "tentative"),
        _belief("2024-09-20", "2025-01-17", "2025-03-02", "confirmed"),
        _belief("2025-01-13", "2025-01-23", "2025-03-02", "moved"),
    ),
}
