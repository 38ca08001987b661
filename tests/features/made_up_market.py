"""Made-up events in the market and prints of an index."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, FIRST, Row, event, moment

_TYPES = ("competitor_feature", "competitor_win", "competitor_loss", "competitor_price", "strike", "outage")


def market_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of the market by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    events: list[Row] = []
    for number in range(40):
        at = moment(random).replace(hour=0, minute=0)
        events += event(
            random,
            at,
            {"strength": (0.1, 0.9)},
            market_event_id=f"m{number}",
            announced_on=at.date(),
            type=random.choice(_TYPES),
            account_id=random.choice((None, None, *ACCOUNTS)),
            segment=random.choice((None, "studio", "agency")),
            feature_family=random.choice((None, "core")),
            strength=0.5,
        )
    prints = [row for month in range(1, 15) for row in _prints(random, month)]
    return {"market_events": events, "market_indices": prints}


def _prints(random: Random, month: int) -> list[Row]:
    start = date(FIRST.year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
    published = datetime.combine(start, datetime.min.time(), tzinfo=FIRST.tzinfo) + timedelta(days=44)
    return [
        {
            "index_code": "consumption_studio",
            "period_start": start,
            "period_end": start,
            "region": "global",
            "revision": revision,
            "value": round(random.uniform(80, 120), 1),
            "available_at": published + timedelta(days=random.randrange(60)),
        }
        for revision in range(2)
    ]
