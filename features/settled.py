"""Which running sums need not be summed up again from the beginning?

``usage_windows`` says of every snapshot what was so far. Its answer is kept by snapshot, and a build goes on from the
last one that rests on the rows of today: ``run.settled_at`` in the SQL. Late rows unsettle every snapshot since they
were known, and other account-weeks before it unsettle all. What is kept is derived and may be deleted at any time.
Grain: one row per account and snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from features.inputs import INPUTS, inputs_of
from features.manifest import Dataset, StoredFile, stored_file
from features.settings import Home
from features.vocabulary import WEEK
from features.warehouse import Engine

STEP = "usage_windows"
NOTHING_SETTLED = datetime(1900, 1, 1, tzinfo=UTC)
SETTLED_ROWS = "settled_windows"
"""The relation with the step's rows at ``run.settled_at``; empty when nothing is settled."""

KEPT_ROWS = "kept_windows"
"""The relation with all of its rows that are kept, up to that moment."""

_TABLES = frozenset(
    {
        *("accounts_history", "account_aliases", "seat_assignments_history", "usage_daily", "usage_events"),
        *("contracts_history", "contract_events", "subscription_lines_history"),
        *("campaigns", "campaign_instances_history", "account_campaigns_history"),
    }
)
"""The canonical tables that its rows rest on, who is who included."""

_SUMS = (
    *("usable_weeks", "usage_rows", "core_w1", "core_w4", "core_w13", "collab_w8", "collab_w13", "collab_w26"),
    *("all_w13", "seat_weeks_w1", "seat_weeks_w4", "seat_weeks_w8", "seat_weeks_w13", "seat_weeks_w26"),
    *("seat_weeks_w52", "seat_weeks_w56", "user_days_w4", "sessions_w4", "active_seconds_w4", "quiet_core_w52"),
    *("quiet_collab_w52", "quiet_seat_weeks_w52", "users_w4", "families_w13", "shared_families_w13"),
)
_MOMENT = pa.timestamp("us", tz="UTC")
ROWS = pa.schema(
    [
        *(("account_id", pa.string()), ("week_start", _MOMENT), ("as_of", _MOMENT), ("last_core_on", pa.date32())),
        *((name, pa.int64()) for name in _SUMS),
    ]
)
"""The columns of the step's answer."""

_ALONE = 8
"""So many of the newest snapshots are kept in a file each: late rows mostly reach back some weeks."""
_MOST_FILES = 60
"""With more files, opening them takes longer than reading them: then the older ones become one."""


@dataclass(frozen=True, slots=True)
class _Segment:
    first: datetime
    last: datetime
    entry: StoredFile
    path: Path


class Settled:
    """The kept running sums of one home, for a build up to ``last``. ``basis`` stands for the SQL behind them.

    To be made before the canonical tables are opened: rows that arrive in between then unsettle what is kept.
    """

    def __init__(self, home: Home, last: datetime, basis: str) -> None:
        self._dataset = Dataset(home.root / "kept" / "windows")
        self._last = last
        self._basis = basis
        mondays = [last - number * WEEK for number in range(_ALONE + 1)]
        stored = [datetime.fromisoformat(entry.facts["last"]) for entry in self._dataset.entries()]
        self._inputs = inputs_of(home, {*mondays, *stored}, tables=_TABLES)
        self._sound = self._find_sound()
        self.at = max((segment.last for segment in self._sound if segment.last <= last), default=NOTHING_SETTLED)

    def settle(self, engine: Engine) -> None:
        """Say in ``run`` up to when all is settled, and name the rows to go on from."""
        kept = self.files()
        if kept:
            engine.name(KEPT_ROWS, kept, same_columns=True)
            if engine.fetch(_OTHER_WEEKS.format(at=_literal(self.at), kept=KEPT_ROWS)).column("n")[0].as_py():
                self._sound, self.at, kept = [], NOTHING_SETTLED, []
        if kept:
            engine.keep(SETTLED_ROWS, f"SELECT * FROM {KEPT_ROWS} WHERE as_of = {_literal(self.at)}")
        run = engine.fetch("SELECT * FROM run")
        place = run.column_names.index("settled_at")
        engine.name_rows("run", run.set_column(place, "settled_at", pa.array([self.at], _MOMENT)))

    def files(self) -> list[Path]:
        """The kept files with the rows up to :attr:`at`."""
        return [segment.path for segment in self._sound if segment.last <= self.at]

    def keep(self, engine: Engine) -> None:
        """Keep the step's answer of this build, unless rows of a later snapshot are kept already."""
        newest = self._sound[-1].last if self._sound else NOTHING_SETTLED
        if self._last <= newest:
            return
        kept = [segment.entry.name for segment in self._sound]
        gone = [entry.name for entry in self._dataset.entries() if entry.name not in kept]
        first = engine.fetch(f"SELECT MIN(as_of) AS first FROM {STEP} WHERE as_of > {_literal(newest)}").column("first")
        if first[0].as_py() is None:
            return
        spans = _spans(first[0].as_py(), self._last)
        if len(kept) + len(spans) > _MOST_FILES:
            gone += kept
            spans = _spans(self._sound[0].first, self._last)
        self._dataset.commit([self._staged(engine, *span) for span in spans], replacing=gone)

    def _staged(self, engine: Engine, first: datetime, last: datetime) -> tuple[Path, StoredFile]:
        name = last.date().isoformat()
        path = self._dataset.staging(name)
        rows = engine.write(
            f"SELECT * FROM {STEP} WHERE as_of >= {_literal(first)} AND as_of <= {_literal(last)}", path
        )
        facts = {"first": first.isoformat(), "last": last.isoformat(), "basis": self._basis, INPUTS: self._inputs[last]}
        return path, stored_file(path, name=name, rows=rows, facts=facts)

    def _find_sound(self) -> list[_Segment]:
        told = zip(self._dataset.entries(), self._dataset.files(), strict=True)
        moments = [(_span_of(entry), entry, path) for entry, path in told]
        sound: list[_Segment] = []
        for (first, last), entry, path in sorted(moments, key=lambda each: each[0]):
            rests = (entry.facts["basis"], entry.facts[INPUTS]) == (self._basis, self._inputs[last])
            if not rests or (sound and first != sound[-1].last + WEEK):
                break
            sound.append(_Segment(first, last, entry, path))
        return sound


def _span_of(entry: StoredFile) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(entry.facts["first"]), datetime.fromisoformat(entry.facts["last"])


def _spans(first: datetime, last: datetime) -> Sequence[tuple[datetime, datetime]]:
    alone = [last - number * WEEK for number in range(_ALONE) if last - number * WEEK > first]
    begun = min(alone, default=last + WEEK)
    return [(first, begun - WEEK), *((monday, monday) for monday in sorted(alone))]


# Were the account-weeks others when the rows were kept? Then a window of so many rows held other weeks.
_OTHER_WEEKS = """
SELECT COUNT(*) AS n FROM (
    SELECT account_id, MIN(as_of) AS first, COUNT(*) AS weeks FROM account_weeks WHERE as_of <= {at} GROUP BY account_id
) AS today
FULL JOIN (SELECT account_id, MIN(as_of) AS first, COUNT(*) AS weeks FROM {kept} GROUP BY account_id) AS kept
    ON today.account_id = kept.account_id
WHERE today.first IS DISTINCT FROM kept.first OR today.weeks IS DISTINCT FROM kept.weeks
"""


def _literal(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"
