"""What pulls from outside: competitors, consumption, the segment's own losses?"""

from __future__ import annotations

from functools import partial

from features.catalogue_parts.feature import Feature, Style
from features.vocabulary import Subcategory

_feature = partial(Feature, subcategory=Subcategory.MARKET)
_NO_MARKET = "no event in the market became known in 52 weeks: no market source"

FEATURES = (
    _feature(
        name="competitor_feature_exposure_w26",
        code="M01",
        style=Style.NUMBER,
        unit="sum of strength x share of use",
        window="26 weeks",
        meaning="strength of competitors' feature releases for the segment and country, fading to 0 over 26 weeks, times the share of the account's actions of 26 weeks in that family (1 where the release names no family)",
        null=_NO_MARKET,
        direction=1,
        monotone=1,
        label="Competitor features that matter here",
        sentence="Exposure to competitor releases is {actual}; with accounts like this {expected}.",
    ),
    _feature(
        name="competitor_mentions_w26",
        code="M03",
        style=Style.COUNT,
        unit="events",
        window="26 weeks",
        meaning="competitor events that name this account",
        null=_NO_MARKET,
        direction=1,
        monotone=1,
        label="Competitor seen at the account",
        sentence="A competitor was seen here {actual} times; with accounts like this {expected}.",
    ),
    _feature(
        name="competitor_wins_segment_w13",
        code="M02",
        style=Style.NUMBER,
        unit="events, fading",
        window="13 weeks",
        meaning="competitors' wins minus losses in the segment, fading to 0 over 13 weeks",
        null=_NO_MARKET,
        direction=1,
        monotone=1,
        label="Competitor wins in the segment",
        sentence="Competitors won {actual} accounts (net, fading) in the segment; usual: {expected}.",
    ),
    _feature(
        name="consumption_index_trend_3m",
        code="M04",
        style=Style.LOG_CHANGE,
        unit="ln(ratio)",
        window="3 months of published values",
        meaning="ln(latest published index of the segment / the value 3 months before), both in their latest print by as_of",
        null="one of the two months not published by as_of",
        direction=-1,
        label="Trend of consumption",
        sentence="What people watch of this segment changed by {actual} in 3 months; usual: {expected}.",
    ),
    _feature(
        name="consumption_index_yoy",
        code="M05",
        style=Style.LOG_CHANGE,
        unit="ln(ratio)",
        window="12 months of published values",
        meaning="ln(latest published index of the segment / the same month last year), both in their latest print by as_of",
        null="one of the two months not published by as_of",
        direction=-1,
        label="Consumption against last year",
        sentence="What people watch of this segment changed by {actual} in a year; usual: {expected}.",
    ),
    _feature(
        name="segment_churn_rate_lagged",
        code="M06",
        style=Style.SHARE,
        unit="share a year, shrunk",
        window="52 weeks, ended 60 days before as_of",
        meaning="accounts of the segment that gave notice (and did not take it back) in 52 weeks / account-years at risk, all as known at as_of and matured 60 days, shrunk to the portfolio's rate (20 account-years)",
        null="no matured history: the first notice on record is younger than 60 days",
        direction=1,
        label="Losses in the segment",
        sentence="The segment lost {actual} of its accounts in a year; usual: {expected}.",
    ),
    _feature(
        name="strike_or_outage_flag",
        code="M07",
        style=Style.YES_NO,
        unit="0 or 1",
        window="8 weeks",
        meaning="1 when a strike or outage that concerns the segment and country was announced in 8 weeks",
        null=_NO_MARKET,
        direction=1,
        label="Strike or outage",
        sentence="Strike or outage in the segment: {actual}; usual: {expected}.",
    ),
    _feature(
        name="acquisition_flag_w52",
        code="M08",
        style=Style.YES_NO,
        unit="0 or 1",
        window="52 weeks",
        meaning="1 when the account was bought in 52 weeks: its record says by whom, or an event in the market names it",
        null=f"nothing says so, and {_NO_MARKET}",
        direction=1,
        label="Bought by another company",
        sentence="Bought in the last year: {actual}; usual: {expected}.",
    ),
)
