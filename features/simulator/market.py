"""What can be read about the market: competitors, outages, and what people watch?

Grain out: canonical rows of `market_events` and `market_indices`. A shock shows itself as a competitor's release on its
first day; the index of a segment is published two weeks after the month and revised once a month later.
"""

from __future__ import annotations

import numpy as np

from features.simulator.company import Company
from features.simulator.timeline import Floats, Ints
from features.simulator.world import SEGMENTS
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

COMPETITORS = ("Paperlark", "Stagehand Nine", "Colourmill")
"""Invented names."""
_TYPES = ("competitor_feature", "competitor_price", "competitor_win", "competitor_loss", "outage")
RELEASE, OFFER, WIN, LOSS, OUTAGE = range(5)
_FAMILIES = ("core", "collab", "export", "ai")
_WIN_LIFT = 2.0
"""Competitors win this much more often while a shock is at work."""
_OUTAGES_PER_YEAR = 1.0
_INDEX_HISTORY_MONTHS = 15
"""A yearly comparison is possible from the first week."""
_PUBLISHED_AFTER, _REVISED_AFTER = 14, 45


def write_market(writer: CanonicalWriter, company: Company) -> None:
    """Write market events and indices."""
    _write_releases(writer, company)
    _write_mentions(writer, company)
    _write_wins(writer, company)
    _write_outages(writer, company)
    _write_indices(writer, company)


def _write_releases(writer: CanonicalWriter, company: Company) -> None:
    shocks = company.shocks
    rng = company.streams.named("market/releases")
    count = len(shocks.segment)
    _append(
        writer,
        RELEASE,
        shocks.first_day,
        competitor=rng.integers(0, len(COMPETITORS), count),
        cells={
            "segment": Coded(shocks.segment, SEGMENTS),
            "feature_family": Coded(rng.integers(-1, len(_FAMILIES), count), _FAMILIES),
            "strength": np.round(0.5 + 0.5 * rng.random(count), 2),
        },
    )


def _write_mentions(writer: CanonicalWriter, company: Company) -> None:
    # Some of those whom a shock reaches say so: an offer by the competitor is seen at the account.
    rng = company.streams.named("market/mentions")
    count = len(company.accounts)
    account: list[Ints] = []
    day: list[Ints] = []
    for segment, first_day in zip(company.shocks.segment, company.shocks.first_day, strict=True):
        says = rng.random(count) < company.world.market.mention_share
        at = first_day + rng.integers(7, 120, count)
        alive = (
            (at >= company.accounts.first_start) & (at < company.decisions.gone_from) & (at >= company.time.first_day)
        )
        who = np.flatnonzero(says & alive & company.accounts.susceptible & (company.accounts.segment == segment))
        account.append(who)
        day.append(at[who])
    spoke, at = _joined(account), _joined(day)
    _append(
        writer,
        OFFER,
        at,
        competitor=spoke % len(COMPETITORS),
        cells={
            "account_id": Coded(spoke, company.accounts.ids),
            "segment": Coded(company.accounts.segment[spoke], SEGMENTS),
            "strength": 0.3,
        },
    )


def _write_wins(writer: CanonicalWriter, company: Company) -> None:
    rng = company.streams.named("market/wins")
    weekly = company.shocks.weekly[:, : company.time.weeks]
    rate = company.world.market.wins_per_week
    for kind, mean, strength in (
        (WIN, rate * np.where(weekly, _WIN_LIFT, 1.0), 0.4),
        (LOSS, rate + 0.0 * weekly, -0.4),
    ):
        number = rng.poisson(mean)
        segment, week = (np.repeat(place, number[np.nonzero(number)]) for place in np.nonzero(number))
        _append(
            writer,
            kind,
            company.time.monday(week) + rng.integers(0, 5, len(week)),
            competitor=rng.integers(0, len(COMPETITORS), len(week)),
            cells={"segment": Coded(segment, SEGMENTS), "strength": strength},
        )


def _write_outages(writer: CanonicalWriter, company: Company) -> None:
    rng = company.streams.named("market/outages")
    days = 7 * company.time.weeks
    at = np.sort(company.time.first_day + rng.integers(0, days, rng.poisson(_OUTAGES_PER_YEAR * days / 365)))
    _append(writer, OUTAGE, at, competitor=np.full(len(at), -1), cells={"strength": 0.5})


def _append(writer: CanonicalWriter, kind: int, day: Ints, *, competitor: Ints, cells: dict[str, object]) -> None:
    writer.append(
        "market_events",
        len(day),
        {
            "market_event_id": ids(f"mk{kind}", np.arange(len(day))),
            "type": _TYPES[kind],
            "competitor": Coded(competitor, COMPETITORS),
            "announced_on": day,
            "verified": True,
        }
        | cells,
    )


def _write_indices(writer: CanonicalWriter, company: Company) -> None:
    months = _months(company)
    value = _index_values(company, len(months) - 1)
    segment, month = (place.ravel() for place in np.indices(value.shape))
    noise = company.streams.named("market/revisions").standard_normal(value.shape)
    # The first print misses by about half a percent; the revision says what is true.
    printed = (np.round(value * (1 + 0.005 * noise), 2), np.round(value, 2))
    for revision, lag in enumerate((_PUBLISHED_AFTER, _REVISED_AFTER)):
        published = micros(months[month + 1] + lag + 12 / 24)
        writer.append(
            "market_indices",
            value.size,
            {
                "index_code": Coded(segment, [f"consumption_{name}" for name in SEGMENTS]),
                "period_start": months[month],
                "region": "global",
                "period_end": months[month + 1] - 1,
                "value": printed[revision].ravel(),
                "unit": "index, first month = 100",
                "published_at": published,
                "recorded_at": published,
                "available_at": published,
                "revision": np.full(value.size, revision),
            },
        )


def _months(company: Company) -> Ints:
    # First days of the months, one more than there are values.
    first = np.datetime64(int(company.time.first_day), "D").astype("datetime64[M]") - _INDEX_HISTORY_MONTHS
    last = np.datetime64(int(company.time.end_day), "D").astype("datetime64[M]") + 1
    return np.arange(first, last).astype("datetime64[D]").astype(np.int64)


def _index_values(company: Company, months: int) -> Floats:
    law = company.world.market
    rng = company.streams.named("market/index")
    noise = law.index_sd * rng.standard_normal((len(SEGMENTS), months))
    level = np.zeros((len(SEGMENTS), months))
    for month in range(1, months):
        level[:, month] = law.index_persistence * level[:, month - 1] + noise[:, month]
    trend = np.asarray(law.index_trend_per_month)[:, None] * np.arange(months)[None, :]
    return 100 * np.exp(level + trend)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
