"""How do new snapshots reach everybody who reads features?

Builds weekly snapshots, registers the feature views, and puts the newest snapshot online.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from features.build import BuildReport, build_at, build_snapshots, built_as_ofs, late_as_ofs
from features.engine_place import DUCKDB, EnginePlace
from features.progress import Progress, silent
from features.settings import Home
from features.sources import onboarding_of
from features.store import FeatureStore
from features.vocabulary import Subcategory


@dataclass(frozen=True, slots=True)
class Published:
    """What was built, and how many accounts' features went online (0 when all that is there is newer)."""

    built: BuildReport
    online: int

    def lines(self) -> list[str]:
        """The same for people."""
        built = self.built
        span = f"{built.first.date()} to {built.last.date()}"
        return [
            f"{built.snapshots} weekly snapshots, {span}: {built.rows['cohort']:,} account-weeks",
            f"{self.online:,} accounts put online as of {built.last.date()}",
        ]

    def document(self) -> dict[str, object]:
        """The same for programs."""
        return {"snapshots": self.built.snapshots, "rows": self.built.rows, "online": self.online}


def publish_snapshots(
    home: Home, first: datetime, last: datetime, *, place: EnginePlace = DUCKDB, progress: Progress = silent
) -> Published:
    """Build every Monday in ``[first, last]`` and put the last one online; an older one never replaces a newer one.

    Raises:
        MissingStateError: the warehouse lacks accounts or contracts, or no Monday lies in the range.
    """
    built = build_snapshots(home, first, last, onboarding=onboarding_of(home), place=place, progress=progress)
    return Published(built, _bring_online(home, built.last, progress))


def publish_late(home: Home, *, place: EnginePlace = DUCKDB, progress: Progress = silent) -> Published | None:
    """Build anew every stored snapshot that late rows change, and put the newest stored one online; None without any.

    Afterwards everything stored equals a build of all of it from the rows that are there now.
    """
    late = late_as_ofs(home)
    if not late:
        return None
    built = build_at(home, late, onboarding=onboarding_of(home), place=place, progress=progress)
    return Published(built, _bring_online(home, built_as_ofs(home)[-1], progress))


def _bring_online(home: Home, last: datetime, progress: Progress) -> int:
    store = FeatureStore(home)
    store.apply()
    return store.materialize(last, progress=progress) // len(Subcategory)
