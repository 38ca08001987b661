"""What was acknowledged to a client, so that it can be asked for after a crash?

The client's side of the bargain: an operation is written down before it is sent, and marked when it was acknowledged.
What was acknowledged must be there afterwards, once; what was sent and never answered may be there once or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class ClientJournal:
    """The operations of one client, by a name of its own."""

    sent: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)

    def lost(self, found: Iterable[str]) -> set[str]:
        """Operations that were acknowledged and are not there."""
        return self.acknowledged - set(found)

    def doubled(self, found: Iterable[str]) -> set[str]:
        """Operations that are there more than once."""
        return {name for name, count in Counter(found).items() if count > 1}

    def invented(self, found: Iterable[str]) -> set[str]:
        """Operations that nobody sent."""
        return set(found) - set(self.sent)
