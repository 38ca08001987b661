"""What happens around the accounts? Competitors, published indices and holidays."""

from __future__ import annotations

from datetime import timedelta

from features.tables.columns import Role, Table, day, flag, integer, moment, number, text

MARKET_EVENTS = Table(
    name="market_events",
    grain="one row per event in the market",
    role=Role.EVENT,
    key=("market_event_id",),
    event_at_from="announced_on",
    lag=timedelta(days=1),
    columns=(
        text("market_event_id", "the event"),
        text(
            "type",
            "what happened",
            choices="competitor_win competitor_loss competitor_feature competitor_price acquisition strike outage "
            "regulation",
        ),
        text("competitor", "who", null=True),
        text("account_id", "the account, where it concerns one", null=True),
        text("segment", "the segment it concerns; null = all", null=True),
        text("region", "the region it concerns; null = all", null=True),
        text("feature_family", "the family of features it concerns", null=True),
        number("strength", "how strong; negative is good for us", low=-1, high=1),
        day("announced_on", "announced"),
        text("source_url", "where it was read", null=True),
        flag("verified", "checked by a person?", null=True),
    ),
)

MARKET_INDICES = Table(
    name="market_indices",
    grain="one row per index, period, region and revision",
    role=Role.HISTORY,
    key=("index_code", "period_start", "region", "revision"),
    event_at_from="period_start",
    lag=timedelta(days=45),
    precision="month",
    columns=(
        text("index_code", "the index; named after the segment it speaks for, as in consumption_studio"),
        day("period_start", "first day of the period"),
        text("region", "region"),
        day("period_end", "last day of the period"),
        number("value", "value"),
        text("unit", "unit", null=True),
        moment("published_at", "published; available_at is the same", null=True),
        integer("revision", "0 = first print", minimum=0),
    ),
)

HOLIDAYS = Table(
    name="holidays",
    grain="one row per region and day",
    role=Role.REFERENCE,
    key=("region", "holiday_on"),
    event_at_from="holiday_on",
    lag=timedelta(days=-366),
    precision="day",
    columns=(text("region", "region"), day("holiday_on", "the day"), text("name", "name", null=True)),
)

TABLES = (MARKET_EVENTS, MARKET_INDICES, HOLIDAYS)
