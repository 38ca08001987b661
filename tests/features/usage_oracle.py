"""What the usage features should be, counted the slow way: for every snapshot anew, from the rows known at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from math import exp, floor, log
from typing import Any, NamedTuple

from features.campaigns import CampaignWindow, phase_at
from features.vocabulary import Phase
from tests.features.known_usage import Use, uses_known_at
from tests.features.made_up_rows import Row

WEEK = timedelta(weeks=1)
PRIORS = {
    "core": {"pre": 1.5, "active": 3.0, "post": 0.85, "off": 1.0, "none": 1.0},
    "users": {"pre": 1.1, "active": 1.3, "post": 0.95, "off": 1.0, "none": 1.0},
}


class Done(NamedTuple):
    """Core actions, collab actions and active users of a week."""

    core: int = 0
    collab: int = 0
    users: int = 0


class World:
    """The usage of a few accounts as it was known at each Monday from ``first`` to ``last``."""

    def __init__(
        self,
        tables: dict[str, list[Row]],
        windows: Sequence[CampaignWindow],
        *,
        segments: dict[str, str],
        seats: int,
        span: tuple[datetime, datetime],
    ) -> None:
        self.tables, self.segments, self.seats = tables, segments, seats
        self.windows = {name: [each for each in windows if each.account_id == name] for name in segments}
        self.first, self.last = span
        self.mondays = list(_mondays(self.first, self.last))
        self._levels: dict[tuple[str, datetime], Any] = {}
        self._times: dict[tuple[str, datetime], Any] = {}

    @cached_property
    def known(self) -> dict[datetime, list[Use]]:
        """Every use known at each Monday."""
        return {monday: uses_known_at(self.tables, monday) for monday in self.mondays}

    @cached_property
    def weekly(self) -> dict[datetime, dict[tuple[str, datetime], Done]]:
        """What was known at each Monday of each account's weeks."""
        return {monday: _by_week(uses) for monday, uses in self.known.items()}

    @cached_property
    def first_known(self) -> dict[str, datetime]:
        """The first Monday at which any use of an account was known."""
        seen: dict[str, datetime] = {}
        for monday, uses in self.known.items():
            for use in uses:
                seen.setdefault(use.account, monday)
        return seen

    def ever_known(self, account: str, as_of: datetime) -> set[Use]:
        """Every use that was known at some Monday up to ``as_of``."""
        return {
            use for monday in self.mondays if monday <= as_of for use in self.known[monday] if use.account == account
        }

    def uses(self, account: str, as_of: datetime, weeks: int, *, before: int = 0) -> list[Use]:
        """Uses of the ``weeks`` weeks that end ``before`` weeks before ``as_of``."""
        end = as_of - before * WEEK
        return [use for use in self.known[as_of] if use.account == account and end - weeks * WEEK <= use.week < end]

    def days(self, account: str, week: datetime) -> dict[str, int]:
        """Days of a week by phase, as believed when it closed; ``both`` are post days with a campaign in pre."""
        count = dict.fromkeys(("active", "post", "pre", "both", "quiet"), 0)
        for noon in (week + timedelta(hours=12 + 24 * day) for day in range(7)):
            answer = phase_at(self.windows[account], noon, believed_at=week + WEEK)
            both = answer.phase is Phase.POST and answer.n_pre > 0
            name = "both" if both else str(answer.phase)
            count["quiet" if name in ("off", "none") else name] += 1
        return count

    def quiet_phase(self, account: str, week: datetime) -> str:
        """What a quiet week was, off or none, when the week closed."""
        as_of = week + WEEK
        known = [each for each in self.windows[account] if each.takes_part and each.believed_at(as_of)]
        ran = any(each.active_start <= as_of < each.active_end + timedelta(days=400) for each in known)
        return "off" if ran else "none"

    def is_measured(self, account: str, week: datetime) -> bool:
        """Was some use of the account known when the week closed?"""
        first = self.first_known.get(account)
        return first is not None and week + WEEK >= first

    def pure_phase(self, account: str, week: datetime) -> str | None:
        """The phase that all days of a measured week lie in."""
        if not self.is_measured(account, week):
            return None
        whole = next((name for name, days in self.days(account, week).items() if days == 7), None)
        return self.quiet_phase(account, week) if whole == "quiet" else None if whole == "both" else whole

    @cached_property
    def pure(self) -> dict[tuple[str, datetime], str | None]:
        """Every account's weeks with their pure phase."""
        return {(name, week): self.pure_phase(name, week) for name in self.segments for week in self.mondays[:-1]}

    def closed(self, as_of: datetime) -> list[datetime]:
        """Weeks over by ``as_of``."""
        return [week for week in self.mondays if week + WEEK <= as_of]

    def is_quiet(self, account: str, week: datetime) -> bool:
        """A measured week without a campaign day."""
        return self.pure[account, week] in ("off", "none")

    def level(self, segment: str, as_of: datetime) -> Done | None:
        """Actions and users per seat and quiet week, thousandths lost to nothing."""
        if (segment, as_of) not in self._levels:
            weeks = [
                (name, week)
                for name, own in self.segments.items()
                for week in self.closed(as_of)
                if own == segment and self.is_quiet(name, week)
            ]
            total = _sum(self.weekly[as_of].get(each, Done()) for each in weeks)
            per = self.seats * len(weeks)
            self._levels[segment, as_of] = Done(*(value / per for value in total)) if weeks else None  # type: ignore[arg-type]
        return self._levels[segment, as_of]

    def baseline(self, account: str, as_of: datetime) -> Done | None:
        """What a quiet week holds, in thousandths."""
        quiet = [week for week in self.closed(as_of)[-52:] if self.is_quiet(account, week)]
        done = _sum(self.weekly[as_of].get((account, week), Done()) for week in quiet)
        if len(quiet) >= 6:
            return Done(*(floor(1000 * value / len(quiet) + 0.5) for value in done))
        level = self.level(self.segments[account], as_of)
        if level is None:
            return None
        pairs = zip(done, level, strict=True)
        return Done(*(floor(1000 * (own + 6 * (usual * self.seats)) / (len(quiet) + 6) + 0.5) for own, usual in pairs))

    def times(self, segment: str, as_of: datetime) -> dict[str, Done]:
        """How many times its quiet level a typical account of the segment works in each phase."""
        if (segment, as_of) not in self._times:
            self._times[segment, as_of] = {
                phase: self._times_in(segment, as_of, phase) for phase in ("pre", "active", "post", "off", "none")
            }
        answer: dict[str, Done] = self._times[segment, as_of]
        return answer

    def _times_in(self, segment: str, as_of: datetime, phase: str) -> Done:
        weights, sums = 0, [0.0, 0.0, 0.0]
        for name in (name for name, own in self.segments.items() if own == segment):
            weeks = [week for week in self.closed(as_of) if self.pure[name, week] == phase]
            based = [(week, base) for week in weeks if week > self.first and (base := self.baseline(name, week))]
            if not based:
                continue
            base = _sum(each for _, each in based)
            done = _sum(self.weekly[as_of].get((name, week), Done()) for week, _ in based)
            weights += len(based)
            for place, (actual, usual) in enumerate(zip(done, base, strict=True)):
                sums[place] += len(based) * floor(1e6 * log((1000 * actual + 500) / (usual + 500)) + 0.5)
        priors = (PRIORS["core"][phase], PRIORS["core"][phase], PRIORS["users"][phase])
        pairs = zip(sums, priors, strict=True)
        return Done(*(exp((value / 1e6 + 50 * log(prior)) / (weights + 50)) for value, prior in pairs))  # type: ignore[arg-type]

    def expected(self, account: str, week: datetime) -> Done | None:
        """What was to be expected of a week when it began, in thousandths; None without a baseline."""
        if not self.is_measured(account, week):
            return Done()
        base = self.baseline(account, week) if week > self.first else None
        if base is None:
            return None
        pairs = zip(base, self.factor(account, week), strict=True)
        return Done(*(floor(own * factor + 0.5) for own, factor in pairs))

    def factor(self, account: str, week: datetime) -> list[float]:
        """The multipliers of a week's days, as known when it began, for core, collab and users."""
        times = self.times(self.segments[account], week)
        days, quiet = self.days(account, week), times[self.quiet_phase(account, week)]
        return [
            (
                days["active"] * times["active"][place]
                + days["pre"] * times["pre"][place]
                + days["post"] * times["post"][place]
                + days["both"] * max(times["pre"][place], times["post"][place])
                + days["quiet"] * quiet[place]
            )
            / 7
            for place in range(3)
        ]

    def segment_par(self, account: str, as_of: datetime, weeks: int) -> float | None:
        """ln(active seat-weeks / those of the segment's seats in such weeks)."""
        closed = [week for week in self.closed(as_of)[-weeks:] if self.is_measured(account, week)]
        levels = [self.level(self.segments[account], week) for week in closed]
        if not closed or None in levels or None in [self.expected(account, week) for week in closed]:
            return None
        usual = sum(
            floor(floor(1000 * level.users * self.seats + 0.5) * self.factor(account, week)[2] + 0.5)
            for week, level in zip(closed, levels, strict=True)
            if level is not None
        )
        done = sum(self.weekly[as_of].get((account, week), Done()).users for week in self.closed(as_of)[-weeks:])
        return log((1000 * done + 500) / (usual + 500))

    def par(self, account: str, as_of: datetime, weeks: int, measure: str) -> float | None:
        """ln(done / expected) over the last weeks."""
        closed = self.closed(as_of)[-weeks:]
        expected = [self.expected(account, week) for week in closed]
        if not any(self.is_measured(account, week) for week in closed) or None in expected:
            return None
        done = sum(getattr(self.weekly[as_of].get((account, week), Done()), measure) for week in closed)
        usual = sum(getattr(each, measure) for each in expected if each is not None)
        return log((1000 * done + 500) / (usual + 500))


def _mondays(first: datetime, last: datetime) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += WEEK


def _by_week(uses: list[Use]) -> dict[tuple[str, datetime], Done]:
    weeks: dict[tuple[str, datetime], list[Use]] = defaultdict(list)
    for use in uses:
        weeks[use.account, use.week].append(use)
    return {
        key: Done(
            sum(use.events for use in group if use.family == "core"),
            sum(use.events for use in group if use.family == "collab"),
            len({use.user for use in group if use.user is not None}),
        )
        for key, group in weeks.items()
    }


def _sum(parts: Any) -> Done:
    return Done(*(sum(column) for column in zip(Done(), *parts, strict=True)))
