"""To which account does a row count that bears another id, and from when was that known?

Grain in: rows of ``account_aliases``. Grain out: for an id as one source writes it, the stretches of time in which its
rows counted to one account. Pure.

An alias row is a state of its id: of those known at a moment the one with the latest ``valid_from`` holds, a tombstone
frees the id, and an id that is its own alias is its own account. ``merge`` and ``manual`` speak of an account id and so
of the rows of every source; ``explicit`` and ``domain`` speak of the key of one source, and of its rows alone. Chains
are followed to their end. Ids that stand for each other in a circle stay what they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

MERGE = "merge"
_EVERY_SOURCE = frozenset({MERGE, "manual"})


@dataclass(frozen=True, slots=True)
class Alias:
    """One row of ``account_aliases``; ``row_hash`` only settles which of two equal ones holds."""

    source_system: str
    source_account_key: str
    account_id: str
    match_rule: str
    valid_from: datetime
    available_at: datetime
    op: str
    row_hash: int

    @property
    def seen_at(self) -> datetime:
        """From when it counts: a state that begins later than it is known counts from its beginning."""
        return max(self.valid_from, self.available_at)

    @property
    def scope(self) -> str | None:
        """The one source of whose rows it speaks; None for every source."""
        return None if self.match_rule in _EVERY_SOURCE else self.source_system

    def weight(self) -> tuple[datetime, datetime, int]:
        """Of those known, the heaviest holds."""
        return self.valid_from, self.available_at, -self.row_hash


@dataclass(frozen=True, slots=True)
class Belonging:
    """In ``[from_at, until_at)`` rows of an id count to ``account_id``; None = since ever, or until further notice.

    ``account_id`` is None where they count to nobody. ``is_merge``: two accounts became one, so what the id says of
    itself (name, segment, owner) says nothing of the account.
    """

    account_id: str | None
    from_at: datetime | None = None
    until_at: datetime | None = None
    is_merge: bool = False


class Aliases:
    """Every alias that is known, at any moment."""

    def __init__(self, rows: Iterable[Alias] = ()) -> None:
        self._rows: defaultdict[tuple[str | None, str], list[Alias]] = defaultdict(list)
        self._ties: defaultdict[str, set[str]] | None = None
        for row in rows:
            self.add(row)

    def add(self, row: Alias) -> None:
        """Take one more row."""
        self._ties = None
        self._rows[row.scope, row.source_account_key].append(row)

    def remove(self, row: Alias) -> None:
        """Take a row back that was added."""
        self._ties = None
        self._rows[row.scope, row.source_account_key].remove(row)

    def ids(self) -> frozenset[str]:
        """Every id that some row speaks of, whatever its source."""
        return frozenset(key for (_, key), rows in self._rows.items() if rows)

    def bearing(self) -> list[tuple[str | None, str]]:
        """The same with the source that each is a key of; None for ids of accounts."""
        named = [where for where, rows in self._rows.items() if rows]
        return sorted(named, key=lambda where: (where[0] or "", where[1]))

    def survivor(self, source: str | None, key: str, at: datetime) -> str:
        """The account of a source's id, as known at a moment; the id itself where nobody said otherwise."""
        return self._walk(source, key, at)[0]

    def merged(self, at: datetime) -> dict[str, str]:
        """Account ids that stand for another account as known at a moment, and the account; keys of sources do not."""
        ids = sorted(key for (scope, key), rows in self._rows.items() if scope is None and rows)
        found = {key: self.survivor(None, key, at) for key in ids}
        return {key: account for key, account in found.items() if account != key}

    def circle_of(self, account: str) -> frozenset[str]:
        """The id, and every id that some alias ever tied to it, directly or through others; whatever their source."""
        if self._ties is None:
            self._ties = defaultdict(set)
            for (_, key), rows in self._rows.items():
                for row in rows:
                    self._ties[row.account_id].add(key)
                    self._ties[key].add(row.account_id)
        waiting, found = [account], {account}
        while waiting:
            new = self._ties.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def settled(self, source: str | None, key: str, at: datetime) -> tuple[Belonging, ...]:
        """What is known at a moment, as if it had been known ever since; nothing where the id is its own account."""
        account, is_merge = self._walk(source, key, at)
        return (Belonging(account, is_merge=is_merge),) if account != key else ()

    def belongings(self, source: str | None, key: str) -> tuple[Belonging, ...]:
        """The stretches of an id, oldest first; they leave no gap. One without an end alone: it is no alias."""
        moments = sorted({row.seen_at for row in self._reachable(source, key)})
        found = [(None, (key, False)), *((at, self._walk(source, key, at)) for at in moments)]
        pairs = zip([None, *found], found, strict=False)
        changes = [each for before, each in pairs if before is None or before[1] != each[1]]
        ends = [*(at for at, _ in changes[1:]), None]
        return tuple(
            Belonging(account, at, until, is_merge)
            for (at, (account, is_merge)), until in zip(changes, ends, strict=True)
        )

    def standing(self, at: datetime) -> list[tuple[str, str, str]]:
        """Every id that stands for another account as known at a moment: the id, the rule by which, and the account."""
        held = [(scope, key, self._next(scope, key, at)) for scope, key in self.bearing()]
        return [(key, row.match_rule, self.survivor(scope, key, at)) for scope, key, row in held if row is not None]

    def ever_circular(self, key: str, since: datetime) -> bool:
        """Do the aliases of an account's id lead back to it, at any moment since then?"""
        moments = {row.seen_at for row in self._reachable(None, key)} | {since}
        return any(self.is_circular(key, at) for at in moments if at >= since)

    def _reachable(self, source: str | None, key: str) -> Iterator[Alias]:
        waiting, seen = [(source, key)], {(source, key)}
        while waiting:
            for row in self._states(*waiting.pop()):
                yield row
                step = (None, row.account_id)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)

    def _states(self, source: str | None, key: str) -> list[Alias]:
        own = self._rows.get((source, key), []) if source is not None else []
        return [*own, *self._rows.get((None, key), ())]

    def _next(self, source: str | None, key: str, at: datetime) -> Alias | None:
        known = [row for row in self._states(source, key) if row.seen_at <= at]
        held = max(known, key=Alias.weight, default=None)
        return held if held is not None and held.op == "upsert" and held.account_id != key else None

    def _walk(self, source: str | None, key: str, at: datetime) -> tuple[str, bool]:
        passed, account, is_merge = {key}, key, False
        step = self._next(source, key, at)
        while step is not None:
            if step.account_id in passed:
                return key, False
            passed.add(step.account_id)
            account, is_merge = step.account_id, is_merge or step.match_rule == MERGE
            step = self._next(None, account, at)
        return account, is_merge

    def is_circular(self, key: str, at: datetime) -> bool:
        """Do the aliases of an account's id lead back to it, as known at a moment?"""
        passed: set[str] = set()
        step = self._next(None, key, at)
        while step is not None and step.account_id not in passed:
            if step.account_id == key:
                return True
            passed.add(step.account_id)
            step = self._next(None, step.account_id, at)
        return False
