"""How deep does the use go: beyond core work, beyond a first try, beyond the account's own people?"""

from __future__ import annotations

from functools import partial

from features.catalogue_parts.feature import Feature, Style
from features.vocabulary import Subcategory

_feature = partial(Feature, subcategory=Subcategory.ENGAGEMENT)
_ADVANCED = "advanced features (review, export, asset management, automation, AI)"

FEATURES = (
    _feature(
        name="low_usage_weeks_w13",
        code="E09",
        style=Style.COUNT,
        unit="weeks",
        window="13 weeks, each against the 52 before it",
        meaning="weeks of the last 13 whose usage_par was under the 20th percentile of the account's own 52 weeks before that week, each week as known when it closed; weeks with fewer than 26 measured ones before them are not judged",
        null="fewer than 8 of the 13 weeks can be judged",
        direction=1,
        monotone=1,
        label="Weak weeks",
        sentence="{actual} of the last 13 weeks were weak by the account's own standard; with accounts like this {expected}.",
    ),
    _feature(
        name="embedded_user_share_w4",
        code="E15",
        style=Style.SHARE,
        unit="share of active users",
        window="4 weeks",
        meaning=f"users who worked with {_ADVANCED} on at least 4 days / users active in 4 weeks",
        null="no active user in 4 weeks",
        direction=-1,
        monotone=-1,
        label="Users who rely on advanced features",
        sentence="{actual} of the active users work with advanced features week by week; accounts like this: {expected}.",
    ),
    _feature(
        name="trial_only_seat_share",
        code="E16",
        style=Style.SHARE,
        unit="share of assigned seats",
        window="at as_of",
        meaning=f"assigned seats whose user worked with {_ADVANCED} on one day at most, ever / assigned seats",
        null="no usage source, or no seat assigned",
        direction=1,
        monotone=1,
        label="Seats that never got past a first try",
        sentence="{actual} of the assigned seats never used advanced features twice; accounts like this: {expected}.",
    ),
    _feature(
        name="client_reviewers_w13",
        code="E20",
        style=Style.COUNT,
        unit="people",
        window="13 weeks",
        meaning="different people of the customer's clients who took part in reviews in 13 weeks",
        null="no review event of 26 weeks names its actor, or no consent to read production data",
        direction=-1,
        monotone=-1,
        label="Clients who review in the tool",
        sentence="{actual} people of the account's own clients reviewed in the tool in 13 weeks; accounts like this: {expected}.",
    ),
)
