"""Which rows of a snapshot need not be worked out again?

The steps from the states of an account to what was to be expected of it say of every snapshot what was known there.
Their answers are kept by snapshot, and a build goes on from the last one that rests on the rows of today:
``run.settled_at`` in the SQL. Late rows unsettle every snapshot since they were known; other account-weeks before it,
or a segment that was not there, unsettle all of them. What is kept is derived and may be deleted at any time.
Grain: that of the step; each has a column ``as_of``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.inputs import INPUTS, inputs_of
from features.manifest import Dataset, StoredFile, stored_file
from features.settings import Home
from features.settled_rows import LATEST, NOTHING_SETTLED, SETTLED_ROWS
from features.vocabulary import WEEK
from features.warehouse import Engine

STATES = ("account_states", "contract_states", "live_contracts")
"""Steps that speak of every Monday since the first row."""

WEEKS = (
    *("account_weeks", "phase_weeks", "usage_weeks", "usage_windows", "segment_levels", "usage_baselines"),
    *("phase_sums", "phase_multipliers", "usage_expected", "usage_pars"),
)
"""Steps that speak of the weeks of an account since its first."""

STEPS_SETTLED = (*STATES, *WEEKS)

_TABLES = frozenset(
    {
        *("accounts_history", "account_aliases", "seat_assignments_history", "usage_daily", "usage_events"),
        *("contracts_history", "contract_events", "subscription_lines_history"),
        *("campaigns", "campaign_instances_history", "account_campaigns_history"),
    }
)
"""The canonical tables that these rows rest on, who is who included."""

_ALONE = 8
"""So many of the newest snapshots are kept in a file each: late rows mostly reach back some weeks."""
_MOST_SPANS = 30
"""With more spans, opening their files takes longer than reading them: then the older ones become one."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """The kept answers for the snapshots from ``first`` to ``last``, a file per step."""

    first: datetime
    last: datetime
    entries: Mapping[str, StoredFile]
    paths: Mapping[str, Path]


def kept_rows(step: str) -> str:
    """The name of the relation with the rows of a step that are kept, up to ``run.settled_at``."""
    return f"kept_{step}"


class Settled:
    """The kept answers of one home, for a build up to ``last``. ``basis`` stands for the SQL behind them.

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
        self._begin: datetime | None = None
        self._unsettled: tuple[str, ...] = ()
        self._at = self._find_at()

    @property
    def at(self) -> datetime:
        """The last snapshot that is settled, as of the step that is next."""
        return self._at

    def settle(self, engine: Engine) -> None:
        """Say in ``run`` up to when all is settled, and name what is kept; before the first of the steps."""
        self._begin = engine.fetch("SELECT MIN(week_start) AS first FROM weeks").column("first")[0].as_py()
        if self._sound and self._sound[0].first != self._begin:
            self._sound = []
        self._at = self._find_at()
        for step in STEPS_SETTLED if self._at > NOTHING_SETTLED else ():
            engine.name(kept_rows(step), self.files(step), same_columns=True)
        self._say(engine)

    def settle_weeks(self, engine: Engine) -> None:
        """Unsettle the weeks where today's are others; else name the rows to go on from. Before ``account_weeks``."""
        if self._at == NOTHING_SETTLED:
            return
        at = _literal(self._at)
        if engine.fetch(_OTHER_WEEKS.format(at=at)).column("n")[0].as_py():
            self._unsettled, self._at = WEEKS, NOTHING_SETTLED
            self._say(engine)
            return
        for step, (name, _) in SETTLED_ROWS.items():
            rows = LATEST[step] if step in LATEST else f"SELECT * FROM {kept_rows(step)} WHERE as_of = {at}"
            engine.keep(name, rows)

    def goes_on(self, step: str) -> bool:
        """Are kept rows a part of the step's answer?"""
        return step in STEPS_SETTLED and step not in self._unsettled and bool(self.files(step))

    def files(self, step: str) -> list[Path]:
        """The kept files with the rows of a step up to the last snapshot that is settled."""
        at = self._find_at()
        return [segment.paths[step] for segment in self._sound if segment.last <= at]

    def keep(self, engine: Engine) -> None:
        """Keep the steps' answers of this build, unless rows of a later snapshot are kept already."""
        sound = [] if self._unsettled else self._sound
        newest = sound[-1].last if sound else NOTHING_SETTLED
        if self._begin is None or self._last <= newest or (sound and (self._last - newest) % WEEK):
            return
        kept = [entry.name for segment in sound for entry in segment.entries.values()]
        gone = [entry.name for entry in self._dataset.entries() if entry.name not in kept]
        spans = _spans(newest + WEEK if sound else self._begin, self._last)
        if len(sound) + len(spans) > _MOST_SPANS:
            gone += kept
            spans = _spans(self._begin, self._last)
        staged = [self._staged(engine, step, *span) for span in spans for step in STEPS_SETTLED]
        self._dataset.commit(staged, replacing=gone)

    def _say(self, engine: Engine) -> None:
        run = engine.fetch("SELECT * FROM run")
        place = run.column_names.index("settled_at")
        moment = pa.array([self._at], run.schema.field(place).type)
        engine.name_rows("run", run.set_column(place, "settled_at", moment))

    def _staged(self, engine: Engine, step: str, first: datetime, last: datetime) -> tuple[Path, StoredFile]:
        name = f"{step}.{last.date().isoformat()}"
        path = self._dataset.staging(name)
        rows = engine.write(
            f"SELECT * FROM {step} WHERE as_of >= {_literal(first)} AND as_of <= {_literal(last)}", path
        )
        facts = {"step": step, "first": first.isoformat(), "last": last.isoformat()}
        facts |= {"basis": self._basis, INPUTS: self._inputs[last]}
        return path, stored_file(path, name=name, rows=rows, facts=facts)

    def _find_at(self) -> datetime:
        # A build up to another day of the week has other weeks.
        lasts = [segment.last for segment in self._sound if segment.last <= self._last]
        return max((last for last in lasts if not (self._last - last) % WEEK), default=NOTHING_SETTLED)

    def _find_sound(self) -> list[_Segment]:
        spans: dict[tuple[datetime, datetime], dict[str, tuple[StoredFile, Path]]] = defaultdict(dict)
        for entry, path in zip(self._dataset.entries(), self._dataset.files(), strict=True):
            spans[_span_of(entry)][entry.facts.get("step", "")] = (entry, path)
        sound: list[_Segment] = []
        for (first, last), told in sorted(spans.items(), key=lambda each: each[0]):
            rest = {(entry.facts["basis"], entry.facts[INPUTS]) for entry, _ in told.values()}
            if told.keys() != set(STEPS_SETTLED) or rest != {(self._basis, self._inputs[last])}:
                break
            if sound and first != sound[-1].last + WEEK:
                break
            entries = {step: entry for step, (entry, _) in told.items()}
            sound.append(_Segment(first, last, entries, {step: path for step, (_, path) in told.items()}))
        return sound


def _span_of(entry: StoredFile) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(entry.facts["first"]), datetime.fromisoformat(entry.facts["last"])


def _spans(first: datetime, last: datetime) -> Sequence[tuple[datetime, datetime]]:
    alone = [last - number * WEEK for number in range(_ALONE) if last - number * WEEK > first]
    begun = min(alone, default=last + WEEK)
    return [(first, begun - WEEK), *((monday, monday) for monday in sorted(alone))]


# Were the account-weeks others when the rows were kept? Then a window of so many rows held other weeks. A segment has
# rows of every week, so that one that comes later gets rows of weeks before.
_OTHER_WEEKS = """
WITH told AS (
    SELECT account_id, MIN(as_of) - INTERVAL 7 DAY AS first_week
    FROM (SELECT account_id, as_of FROM kept_live_contracts UNION ALL SELECT account_id, as_of FROM own_live_contracts)
    GROUP BY account_id
    UNION ALL
    SELECT account_id, DATE_TRUNC('week', first_at) AS first_week FROM usage_starts
),
today AS (
    SELECT account_id, GREATEST(MIN(first_week), (SELECT MIN(week_start) FROM weeks)) + INTERVAL 7 DAY AS first
    FROM told GROUP BY account_id
),
kept AS (SELECT account_id, MIN(as_of) AS first FROM kept_account_weeks WHERE as_of <= {at} GROUP BY account_id)
SELECT (
    SELECT COUNT(*) FROM (SELECT * FROM today WHERE first <= {at}) AS today
    FULL JOIN kept ON today.account_id = kept.account_id
    WHERE today.first IS DISTINCT FROM kept.first
) + (
    SELECT COUNT(*) FROM own_account_states AS s INNER JOIN today AS t ON s.account_id = t.account_id
    WHERE s.as_of >= t.first AND s.segment IS NOT NULL
        AND s.segment NOT IN (SELECT segment FROM kept_segment_levels WHERE as_of = {at})
) AS n
"""


def _literal(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"
