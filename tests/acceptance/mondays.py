"""How are snapshots built that lie more than a week apart?

Training takes every fourth snapshot, counted from the first. A programme that trains forty models need not build the
three in between: a snapshot never looks at another one, which a test holds. Alerts that are lived week by week do need
every Monday; there ``pulse build`` is used as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from features.build import build_at, built_as_ofs
from features.settings import Home
from features.sources import onboarding_of
from features.vocabulary import parse_moment


def mondays_between(first: str, last: str, *, every: int) -> list[datetime]:
    """The snapshots from ``first`` on, ``every`` so many weeks, up to ``last`` at most."""
    begin, end = parse_moment(first), parse_moment(last)
    count = (end - begin) // timedelta(weeks=every)
    return [begin + timedelta(weeks=every * number) for number in range(count + 1)]


def build_mondays(home: Home, first: str, last: str, *, every: int) -> int:
    """Build those that are not there yet, and ``last``; register the features and bring the newest online.

    How many there were to build.
    """
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    asked = {*mondays_between(first, last, every=every), parse_moment(last)}
    wanted = sorted(asked - set(built_as_ofs(home)))
    if wanted:
        build_at(home, wanted, onboarding=onboarding_of(home))
    store = FeatureStore(home)
    store.apply()
    store.materialize(parse_moment(last))
    return len(wanted)
