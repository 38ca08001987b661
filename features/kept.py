"""What of the usage steps' answers is kept from build to build, so that a weekly build reads what is new?

Grain: see :mod:`features.usage_layer` (by week of use) and :mod:`features.settled` (by snapshot). A build with kept
answers and one without write the same snapshots, bit for bit; an audit builds without, and so does a small company,
whose usage is read sooner than its kept answers are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from features.identity import ALIASES, Resolved
from features.settings import Home
from features.settled import STATES, STEPS_SETTLED, WEEKS, Settled
from features.usage_layer import BY_WEEK, OVER_ALL, UsageLayer, basis_of
from features.vocabulary import WEEK
from features.warehouse import Engine, Warehouse

_USER_WEEKS = "usage_user_weeks"
_REACH = "usage_reach"
_LOOK_BACK = {"champions": 31 * WEEK, "family_windows": 27 * WEEK, "seat_adoption": 27 * WEEK, _REACH: 14 * WEEK}
"""A user's week that began so long before the first snapshot asked for has no part in the step any more.

Its longest window, and the week itself: 26 + 4 weeks for champions (an older last day of theirs is not their last),
26 for families and new seats. 13 for the reach, counted from the snapshot that is settled.
"""

KEPT_FROM = 250_000
"""A home with fewer stored rows keeps nothing: measured with 51,000 rows a week more takes half as long again with
kept answers, with 475,000 a fifth less, with 3,700,000 half."""


def is_worth_keeping(home: Home) -> bool:
    """Does a week more take less time with kept answers than without?"""
    return sum(Warehouse(home).loaded_tables().values()) >= KEPT_FROM


class Kept:
    """The kept answers of a home for one build of ``as_ofs`` (in order); ``texts`` has the SQL of its steps, in order.

    To be made before the canonical tables are opened, as :class:`features.settled.Settled`.
    """

    def __init__(self, home: Home, as_ofs: Sequence[datetime], texts: Mapping[str, str]) -> None:
        self._home = home
        self._as_ofs = as_ofs
        self._texts = texts
        self._layer = UsageLayer(home)
        behind = list(texts.values())[: list(texts).index(STEPS_SETTLED[-1]) + 1]
        self._settled = Settled(home, as_ofs[-1], hashlib.sha256("\n".join(behind).encode()).hexdigest())
        self._identity = ""
        self._begin: datetime | None = None
        self._is_narrow = False

    def under(self, resolved: Resolved) -> Kept:
        """The same for tables whose rows were brought under these accounts and people."""
        aliases = [entry.sha256 for entry in Warehouse(self._home).dataset(ALIASES).entries()]
        strangers = sorted((user, sorted(changes.items())) for user, changes in resolved.strangers.items())
        self._identity = f"{aliases} {strangers!r}"
        return self

    def answer(self, engine: Engine, step: str, scratch: Path) -> Sequence[Path] | None:
        """The files with the whole answer of a step, or None where it has to be run; what it reads has its name then.

        Raises:
            IntegrityError: a kept file is not the one that was written.
        """
        if step in (*BY_WEEK, *OVER_ALL):
            if self._begin is None:
                self._layer.catch_up(engine, self._texts, basis_of(self._texts, self._identity), scratch)
                self._begin = engine.fetch("SELECT MIN(week_start) AS first FROM weeks").column("first")[0].as_py()
            return self._layer.files(step, self._begin, self._as_ofs[-1])
        if step == STATES[0]:
            self._settled.settle(engine)
        if step == WEEKS[0]:
            self._settled.settle_weeks(engine)
        self._narrow(engine, step)
        return None

    def own_name(self, step: str) -> str:
        """The name for what a run of the step answers; not the step's where kept rows are the rest of its answer."""
        return f"own_{step}" if self._settled.goes_on(step) else step

    def keep(self, engine: Engine) -> None:
        """Keep what the next build goes on from, when all steps are done."""
        self._settled.keep(engine)

    def _narrow(self, engine: Engine, step: str) -> None:
        back = _LOOK_BACK.get(step)
        if self._begin is None or (back is None and not self._is_narrow):
            return
        since = self._settled.at if step == _REACH else self._as_ofs[0]
        first = self._begin if back is None else max(self._begin, since - back)
        engine.name(_USER_WEEKS, self._layer.files(_USER_WEEKS, first, self._as_ofs[-1]), same_columns=True)
        self._is_narrow = back is not None
