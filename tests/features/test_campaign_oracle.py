"""Campaign features against a plain-Python reading of the calendar and the usage that were known at each snapshot."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from math import log
from typing import Any, NamedTuple

import pytest

from features.campaigns import CampaignWindow, phase_at
from tests.features.made_up_rows import ACCOUNTS, COMPANY, text_table
from tests.features.made_up_usage import usage_rows
from tests.features.test_usage_oracle import AS_OFS, SEATS, world
from tests.features.usage_oracle import WEEK, Done, World
from tests.features.view_case import view_rows

SEEDS = (12, 15, 24)


class Stretch(NamedTuple):
    """The closed and measured weeks of one phase of one campaign."""

    window: CampaignWindow
    weeks: list[datetime]
    done: Done
    expected: Done
    base_core: int

    def par(self, measure: str) -> float:
        """ln(done / expected)."""
        return log((1000 * getattr(self.done, measure) + 500) / (getattr(self.expected, measure) + 500))


def stretch(known: World, window: CampaignWindow, as_of: datetime, span: tuple[datetime, datetime]) -> Stretch | None:
    """The weeks whose middle lies in ``span``; None without any, or where one has no expectation."""
    account = window.account_id
    weeks = [
        week
        for week in known.closed(as_of)
        if span[0] <= week + timedelta(hours=84) < span[1] and known.is_measured(account, week)
    ]
    expected = [known.expected(account, week) for week in weeks]
    bases = [known.baseline(account, week) for week in weeks]
    if not weeks or None in expected:
        return None
    done = [known.weekly[as_of].get((account, week), Done()) for week in weeks]
    return Stretch(window, weeks, total(done), total(expected), sum(base.core for base in bases if base is not None))


def total(parts: list[Any]) -> Done:
    return Done(*(sum(column) for column in zip(*parts, strict=True)))


def judged(found: Stretch | None, is_over: bool) -> bool:
    return found is not None and (len(found.weeks) >= 2 or is_over)


def actives(known: World, account: str, as_of: datetime) -> list[Stretch]:
    """Active windows that can be judged, the latest first."""
    windows = [each for each in known.windows[account] if each.believed_at(as_of) and each.takes_part]
    found = [stretch(known, each, as_of, (each.active_start, each.active_end)) for each in windows]
    good = [each for each in found if each is not None and judged(each, each.window.active_end <= as_of)]
    return sorted(good, key=lambda each: (each.window.active_start, each.window.campaign_instance_id), reverse=True)


def ramps(known: World, account: str, as_of: datetime) -> list[Stretch]:
    windows = [each for each in known.windows[account] if each.believed_at(as_of) and each.takes_part]
    found = [stretch(known, each, as_of, (each.pre_start, each.active_start)) for each in windows]
    good = [each for each in found if each is not None and judged(each, each.window.active_start <= as_of)]
    return sorted(good, key=lambda each: (each.window.active_start, each.window.campaign_instance_id), reverse=True)


def backs(known: World, account: str, as_of: datetime) -> list[Stretch]:
    windows = [each for each in known.windows[account] if each.believed_at(as_of) and each.takes_part]
    spans = [(each, each.active_end + 2 * WEEK) for each in windows]
    found = [stretch(known, each, as_of, (begin, begin + 4 * WEEK)) for each, begin in spans]
    good = [each for each in found if each is not None and len(each.weeks) >= 2]
    return sorted(good, key=lambda each: (each.window.active_end, each.window.campaign_instance_id), reverse=True)


def expected_features(known: World, account: str, as_of: datetime) -> dict[str, float | None]:
    windows = [each for each in known.windows[account] if each.believed_at(as_of) and each.takes_part]
    now = phase_at(known.windows[account], as_of)
    wraps = [each.active_end for each in windows if each.active_end <= as_of]
    starts = [each.active_start for each in windows if each.active_start > as_of]
    last, *before = actives(known, account, as_of) or [None]
    same = [each for each in before if last and each.window.campaign_id == last.window.campaign_id]
    ramp = next(iter(ramps(known, account, as_of)), None)
    back = next(iter(backs(known, account, as_of)), None)
    return {
        "campaigns_live_pre": now.n_pre if windows else None,
        "campaigns_live_active": now.n_active if windows else None,
        "campaigns_live_post": now.n_post if windows else None,
        "weeks_since_wrap": min(60, (as_of.date() - max(wraps).date()).days / 7) if wraps else None,
        "weeks_to_next_start": min(60, (min(starts).date() - as_of.date()).days / 7) if starts else None,
        "spike_ratio_last": 1000 * last.done.core / last.base_core if last and last.base_core else None,
        "spike_ratio_vs_prev": spike(last) - spike(same[0]) if last and same else None,
        "spike_ratio_par": last.par("core") if last else None,
        "collab_intensity_active": last.par("collab") if last else None,
        "collab_intensity_vs_prev": last.par("collab") - before[0].par("collab") if last and before else None,
        "ramp_ratio_pre": ramp.par("core") if ramp else None,
        "peak_active_seat_ratio": peak(known, last, as_of) / SEATS if last else None,
        "ramp_speed_change": speed_change(known, account, as_of),
        "campaign_start_delay_days": start_delay(known, last.window, as_of) if last else None,
        "first_use_after_wrap_days": first_use(known, max(wraps), account, as_of) if wraps else None,
        "rented_seat_share": rented(known, windows, as_of),
        "post_retention": back.par("core") if back else None,
        "post_collab_retention": back.par("collab") if back else None,
    }


def spike(found: Stretch) -> float:
    return log((1000 * found.done.core + 500) / (found.base_core + 500))


def peak(known: World, found: Stretch, as_of: datetime) -> int:
    # A maximum cannot be taken back: what was ever known counts.
    mondays = [monday for monday in known.mondays if monday <= as_of]
    weeks = [(found.window.account_id, week) for week in found.weeks]
    return max(known.weekly[monday].get(week, Done()).users for monday in mondays for week in weeks)


def speed_change(known: World, account: str, as_of: datetime) -> float | None:
    """Weekly growth in the latest ramp of three weeks or more, in quiet weeks, less that in the one before."""
    windows = [each for each in known.windows[account] if each.believed_at(as_of) and each.takes_part]
    windows.sort(key=lambda each: (each.active_start, each.campaign_instance_id), reverse=True)
    found = [stretch(known, each, as_of, (each.pre_start, each.active_start)) for each in windows]
    speeds = [speed(known, each, as_of) for each in found if each and len(each.weeks) >= 3 and each.base_core]
    return speeds[0] - speeds[1] if len(speeds) > 1 else None


def speed(known: World, ramp: Stretch, as_of: datetime) -> float:
    count = len(ramp.weeks)
    numbers = [(week - ramp.weeks[0]) / WEEK for week in ramp.weeks]
    done = [known.weekly[as_of].get((ramp.window.account_id, week), Done()).core for week in ramp.weeks]
    middle, level = sum(numbers) / count, sum(done) / count
    spread = sum((number - middle) ** 2 for number in numbers)
    rise = sum((number - middle) * (core - level) for number, core in zip(numbers, done, strict=True)) / spread
    return rise / (ramp.base_core / 1000 / count)


def start_delay(known: World, window: CampaignWindow, as_of: datetime) -> int:
    account, middle = window.account_id, timedelta(hours=84)
    weeks = [week for week in known.closed(as_of) if window.pre_start <= week + middle < window.active_end]
    begun = [week for week in weeks if known.is_measured(account, week) and at_level(known, account, week, as_of)]
    first = min(week for week in known.mondays if week + middle >= window.active_start)
    wrap = next((week for week in known.mondays if week + middle >= window.active_end), as_of)
    return (min(begun, default=min(as_of, wrap)) - first).days


def at_level(known: World, account: str, week: datetime, as_of: datetime) -> bool:
    base = known.baseline(account, week) if week > known.first else None
    done = known.weekly[as_of].get((account, week), Done()).core
    return base is not None and done > 0 and 1000 * done >= 1.5 * base.core


def first_use(known: World, wrap: datetime, account: str, as_of: datetime) -> int | None:
    first_known = known.first_known.get(account)
    if first_known is None or first_known > as_of or wrap < first_known - WEEK:
        return None
    # Midnight in any zone is less than half a day from that of its date in UTC.
    day = (wrap + timedelta(hours=12)).date()
    uses = [use.day for use in known.uses(account, as_of, 1000) if use.family == "core" and use.day >= day]
    return min(60, (min(uses, default=as_of.date()) - day).days)


def rented(known: World, windows: list[CampaignWindow], as_of: datetime) -> float | None:
    """The made-up seats never change; known are they from the first Monday on."""
    middle = timedelta(hours=84)
    over = [each for each in windows if any(each.active_end - middle <= week < as_of for week in known.mondays)]
    last = max(over, key=lambda each: (each.active_end, each.campaign_instance_id), default=None)
    began = last and next((week for week in known.mondays if week + middle >= last.pre_start), None)
    is_early = last is None or last.pre_start - middle <= known.first - WEEK
    return None if is_early or began is None else 0.0


@cache
def campaign(seed: int) -> list[dict[str, Any]]:
    tables = {name: text_table(rows) for name, rows in (COMPANY | usage_rows(seed)).items()}
    return view_rows("campaign", tables, as_of=[f"{as_of.date()}" for as_of in AS_OFS])


@pytest.mark.parametrize("seed", SEEDS)
def test_campaign_features_equal_a_reading_of_the_calendar_and_the_rows_known(seed: int) -> None:
    known = world(seed)
    rows = campaign(seed)
    assert len(rows) == len(AS_OFS) * len(ACCOUNTS)
    for row in rows:
        for name, value in expected_features(known, row["account_id"], row["as_of"]).items():
            assert row[name] == pytest.approx(value, abs=1e-9), (name, row["account_id"], row["as_of"])


def test_the_made_up_campaigns_touch_every_feature_of_the_oracle() -> None:
    rows = [row for seed in SEEDS for row in campaign(seed)]
    names = expected_features(world(1), "a1", AS_OFS[-1])
    assert {name for name in names if sum(row[name] is not None for row in rows) < 3} == set()
