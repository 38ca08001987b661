"""What does the portfolio page read, and when need it not read again?

Grain in: the ledger. Grain out: one :class:`Standing`: the newest entry per account, and the health of the same
accounts four weeks before. The ledger is append-only: while its newest entry is the same, nothing in it has changed, so
what was read stays true and is kept (reading 3,000 accounts costs 0.1 s of processor time, asking for the newest entry
a hundredth of that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from serving.access.teams import Teams
from serving.explain import Explanation
from serving.ledger import Entry, Ledger, Place

COMPARED_WITH = timedelta(weeks=4)
_MOST_LATE = timedelta(weeks=1)
"""A batch may have been missed; what is older still would not be "four weeks ago"."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an account was told four weeks before."""

    health: float
    model_version: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The portfolio as it stands; ``compared_on`` is None when nothing was scored four weeks before."""

    as_of: datetime
    entries: Sequence[Entry]
    compared_on: datetime | None
    earlier: Mapping[str, Earlier]

    def within(self, teams: Teams) -> Standing:
        """The same for a reader who sees the accounts of his teams only."""
        if not teams.bound:
            return self
        own = [one for one in self.entries if teams.includes(one.facts.csm_owner_id, one.facts.segment)]
        return replace(self, entries=own)


class PortfolioReader:
    """Reads the standing of one ledger. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._kept: tuple[Place, Standing] | None = None

    def standing(self) -> Standing | None:
        """The newest standing; None when nothing was ever scored.

        Raises:
            ServiceUnavailable: the ledger does not answer.
        """
        place = self._ledger.beginning()
        if place is None:
            return None
        with self._lock:
            if self._kept is None or self._kept[0] != place:
                self._kept = place, self._read(place.as_of)
            return self._kept[1]

    def explanations(self, entries: Sequence[Entry]) -> dict[int, Explanation]:
        """The explanations of the entries that are shown, by entry id."""
        return self._ledger.explanations([entry.entry_id for entry in entries])

    def _read(self, as_of: datetime) -> Standing:
        wanted = as_of - COMPARED_WITH
        found = self._ledger.newest_as_of(wanted)
        compared_on = found if found is not None and wanted - found <= _MOST_LATE else None
        before = self._ledger.healths(compared_on) if compared_on else {}
        return Standing(
            as_of=as_of,
            entries=self._ledger.latest(as_of),
            compared_on=compared_on,
            earlier={account: Earlier(*told) for account, told in before.items()},
        )
