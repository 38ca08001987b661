"""In which order do the leads want accounts called, by weights that move no score?

Grain in: the entries of the newest batch and the weights in force. Grain out: one :class:`Priorities`: a policy index
per account, 100 = healthiest by these weights, lowest first. It stands beside health and risk and enters neither. An
order is ranked once, written to the ledger, and read from there ever after. Accounts whose notice is given are in no
order: nothing about them is left to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import pandas as pd

from features.errors import ServiceUnavailable
from features.settings import Home
from features.vocabulary import Band, Subcategory
from serving.clock import Clock
from serving.entries import Entry, Place
from serving.ledger import Ledger
from serving.priority_ledger import Ranked, keep_order, stored_order
from serving.request_log import Tell, silent_tell
from training.policy import WEIGHED, PolicyWeights, standings, weighed
from training.policy_log import InForce, PolicyChange


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with its 95 % interval; null where the past could not tell."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What the past said of the weights when they were put in force, beside the model that was live then.

    ``say`` is the share that the data gives to the weights in a blend with the model: 0 = none, 1 = all.
    """

    model_version: str
    horizon_days: int
    rows: int
    outcomes: int
    auc_model: Measured
    auc_index: Measured
    auc_lead: Measured
    say: Measured
    say_in_words: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights in force: who set them, when, why, the shares of their sum, and their trial (None where none is kept)."""

    policy_id: int
    name: str
    set_by: str
    set_at: datetime
    why: str
    shares: Mapping[Subcategory, float]
    trial: Trial | None


@dataclass(frozen=True, slots=True)
class PriorityPlace:
    """Where one account stands: ``place`` of ``among``, from 1 = first to be called."""

    index: float
    standings: Mapping[Subcategory, float]
    place: int
    among: int


@dataclass(frozen=True, slots=True)
class Priorities:
    """The order of one batch. ``recorded`` is False when the ledger could not be written; the order is right anyway."""

    policy: Policy
    as_of: datetime
    batch_mark: int
    places: Mapping[str, PriorityPlace]
    recorded: bool


class LeadsPriority:
    """The leads' order of one home. Safe to use from several threads; touches no disk before it is asked."""

    def __init__(self, home: Home, ledger: Ledger, *, clock: Clock, tell: Tell = silent_tell) -> None:
        self._in_force = InForce(home)
        self._ledger = ledger
        self._clock = clock
        self._tell = tell
        self._lock = Lock()
        self._kept: Priorities | None = None

    def policy(self) -> Policy | None:
        """The weights in force; None when none are."""
        change = self._in_force.now()
        return policy_of(change) if change else None

    def newest(self) -> Priorities | None:
        """The order of the newest batch; None without weights or batch. Raises as :meth:`at`."""
        # The weights first: most often none are in force.
        newest = self._ledger.newest_as_of() if self._in_force.now() else None
        return self.at(newest) if newest else None

    def close(self) -> None:
        """Give the database back."""
        self._in_force.close()

    def at(self, as_of: datetime, *, batch_mark: int | None = None) -> Priorities | None:
        """The order of the batch at an ``as_of`` (by default as it was told last); None without weights or batch.

        Raises:
            ServiceUnavailable: the ledger does not answer.
        """
        change = self._in_force.now()
        if change is None or change.weights is None:
            return None
        mark = batch_mark if batch_mark is not None else self._ledger.batch_mark(as_of)
        if mark is None:
            return None
        policy = policy_of(change)
        with self._lock:
            if self._kept and (self._kept.policy.policy_id, self._kept.batch_mark) == (policy.policy_id, mark):
                return self._kept
            told = self._told(policy, change.weights, as_of, mark)
            self._kept = told if told.recorded else None
            return told

    def _told(self, policy: Policy, weights: PolicyWeights, as_of: datetime, mark: int) -> Priorities:
        order, recorded = stored_order(self._ledger, policy.policy_id, mark), True
        if not order:
            order = ranked(self._ledger.portfolio(Place(as_of, mark)), weights)
            try:
                told_at = self._clock()
                keep_order(self._ledger, order, policy_id=policy.policy_id, batch_mark=mark, told_at=told_at)
            except ServiceUnavailable as trouble:
                # As with scores: an order that cannot be written down is right all the same, and says so.
                self._tell("leads' order not written", trouble.facts())
                recorded = False
        places = {
            one.account_id: PriorityPlace(one.index, one.standings, place, len(order))
            for place, one in enumerate(order, start=1)
        }
        return Priorities(policy, as_of, mark, places, recorded)


def ranked(entries: Sequence[Entry], weights: PolicyWeights) -> tuple[Ranked, ...]:
    """The order that weights give the entries of one batch, lowest index first; the same from the same. Pure."""
    asked = [entry for entry in entries if entry.score.band is not Band.LOST_PENDING]
    if not asked:
        return ()
    rows = pd.DataFrame(
        [
            {"as_of": entry.as_of, "segment": entry.facts.segment, "phase": str(entry.score.phase)}
            | {f"points_{part}": entry.score.points[part] for part in WEIGHED}
            for entry in asked
        ]
    )
    standing = standings(rows)
    indices, places = weighed(standing, weights).tolist(), standing.to_dict("records")
    order = [
        Ranked(entry.account_id, entry.entry_id, index, {part: float(place[str(part)]) for part in WEIGHED})
        for entry, index, place in zip(asked, indices, places, strict=True)
    ]
    return tuple(sorted(order, key=lambda one: (one.index, one.account_id)))


def policy_of(change: PolicyChange) -> Policy:
    """The policy that a written change put in force."""
    if change.weights is None or change.number is None:
        raise ValueError("this change put no weights in force")
    return Policy(
        policy_id=change.number,
        name=change.weights.name,
        set_by=change.who,
        set_at=change.at,
        why=change.why,
        shares=change.weights.shares(),
        trial=_trial(change.backtest) if change.backtest else None,
    )


def _trial(backtest: Mapping[str, Any]) -> Trial:
    return Trial(
        model_version=backtest["model_version"],
        horizon_days=backtest["horizon_days"],
        rows=backtest["rows"],
        outcomes=backtest["outcomes"],
        **{name: _measured(backtest[name]) for name in ("auc_model", "auc_index", "auc_lead")},
        say=_measured(backtest["share"]["share"]),
        # The trial told the leads of "your weights"; here others read it.
        say_in_words=backtest["share"]["sentence"].replace("your weights", "the weights", 1),
    )


def _measured(estimate: Mapping[str, Any]) -> Measured:
    return Measured(estimate["value"], estimate["low"], estimate["high"])
