"""How does an account get its score?

The only path to a score: features of one account at one ``as_of`` (from the offline store for a cohort, from the online
store for an account asked for now) and the champion model. Batch and endpoint differ in nothing but the store they
read, so equal features give equal scores, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError, UnknownAccount
from features.progress import Progress, silent
from features.settings import Home
from features.vocabulary import CohortStatus, require_utc
from serving.assessment import Assessment, assess
from serving.freshness import Freshness, Watermarks
from serving.kept_answers import KeptAnswers
from serving.ledger import Channel, Ledger
from serving.report import AccountReport, CohortReport
from training.model import Bundle, Columns, load_bundle
from training.promotions import require_current

if TYPE_CHECKING:
    from features.store import FeatureStore, StoredAccount

SCORED = (CohortStatus.AT_RISK, CohortStatus.LOST_PENDING)
PROBE = "."
"""An id that is asked for to see whether the store answers; whether it is known does not matter."""

_CHUNK = 1000
"""Rows assessed at once: keeps memory flat and the progress moving."""


class Status(StrEnum):
    """What became of one account that was asked for."""

    OK = "ok"
    NOT_FOUND = "not_found"
    STALE = "stale"
    INSUFFICIENT_DATA = "insufficient_data"


@dataclass(frozen=True, slots=True)
class ScoredAccount:
    """The answer for one id; ``as_of`` and ``freshness`` are None when it is unknown, ``assessment`` unless ok."""

    account_id: str
    status: Status
    as_of: datetime | None = None
    freshness: Freshness | None = None
    assessment: Assessment | None = None


class Scorer:
    """A model and the feature store of one home."""

    def __init__(self, bundle: Bundle, store: FeatureStore, home: Home) -> None:
        self.bundle = bundle
        self._store = store
        self._home = home
        self.watermarks = Watermarks(home)
        self._kept = KeptAnswers()

    @classmethod
    def open(cls, home: Home) -> Scorer:
        """The scorer of the live model.

        Raises:
            MissingStateError: no model is live.
            IntegrityError: its files are not the ones that were registered.
        """
        from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

        return cls(load_bundle(require_current(home).folder), FeatureStore(home), home)

    def score_cohort(self, as_of: datetime, *, now: datetime, progress: Progress = silent) -> CohortReport:
        """Score everybody who could still leave, and append the scores to the ledger, stamped ``now``.

        Scored is the newest built snapshot at or before ``as_of``.

        Raises:
            MissingStateError: no snapshot within 8 days before ``as_of`` is built.
        """
        snapshot = snapshot_at(self._home, as_of)
        cohort = read_cohort(self._home, [snapshot])
        told = self.assess_cohort(snapshot, progress=progress)
        added = Ledger(self._home).append(
            told, channel=Channel.BATCH, scored_at=now, data_watermark=self.watermarks.at(snapshot)
        )
        return CohortReport(
            as_of=snapshot,
            model_version=self.bundle.version,
            data_watermark=self.watermarks.at(snapshot),
            assessments=tuple(told),
            onboarding=int((cohort["cohort_status"] == CohortStatus.ONBOARDING).sum()),
            silent=int(cohort["cohort_status"].isin(SCORED).sum()) - len(told),
            added=added,
        )

    def assess_cohort(self, as_of: datetime, *, progress: Progress = silent) -> list[Assessment]:
        """One assessment per account that could still leave at a built ``as_of``, ordered by account id.

        An account of which no source told anything lately gets none.
        """
        features = cohort_features(self._home, self._store, as_of)
        features = features[~self.bundle.abstains(features)]
        told: list[Assessment] = []
        for start in range(0, len(features), _CHUNK):
            told += assess(features.iloc[start : start + _CHUNK].reset_index(drop=True), self.bundle)
            progress("score accounts", len(told), len(features))
        return told

    def explain_at(self, account_id: str, as_of: datetime) -> AccountReport:
        """Explain one account at the newest built snapshot at or before ``as_of``; nothing is appended.

        Raises:
            UnknownAccount: the account was no customer then, or too new to be scored.
            MissingStateError: no snapshot within 8 days before ``as_of`` is built, or no source told anything lately.
        """
        snapshot = snapshot_at(self._home, as_of)
        cohort = read_cohort(self._home, [snapshot])
        found = cohort.loc[(cohort["account_id"] == account_id) & cohort["cohort_status"].isin(SCORED)]
        if found.empty:
            raise UnknownAccount(
                "no such account can be scored at this date",
                expected="the id of an account with a live contract, 26 weeks or more after its start",
                found=f"{account_id!r} at {snapshot.date()}",
                todo="run `pulse score --as-of DATE --out FILE` to list the accounts of a date",
            )
        features = self._store.historical(found[["account_id", "as_of"]].reset_index(drop=True))
        if self.bundle.abstains(features).any():
            raise MissingStateError(
                "nothing can be said of this account at this date",
                expected="a row from at least one source in the 26 weeks before (of campaigns: in the 400 days before)",
                found="none",
                todo="see with `pulse sources status` which sources fell silent, and ingest what is missing",
            )
        return AccountReport(assess(features, self.bundle)[0], self.watermarks.at(snapshot))

    def require_features(self) -> None:
        """See that the online store answers.

        Raises:
            PulseError: it does not; which one is the store's business.
        """
        self._store.online([PROBE])

    def score_accounts(self, account_ids: Sequence[str], now: datetime, *, reasons: bool = True) -> list[ScoredAccount]:
        """One answer per id, in order (an id given twice is answered twice), from the online features.

        ``now`` is the moment freshness is judged at. Without ``reasons`` nothing is explained, and it costs half.
        """
        stored = self._store.stored(list(dict.fromkeys(account_ids)))
        answers: dict[str, ScoredAccount] = {}
        for one in stored:
            # Without reasons there may be ten thousand, and the computing is cheap.
            told = self._kept.of(one.digest()) if reasons else None
            if told is not None:
                judged = _judged(one.account_id, told.as_of, True, now)
                answers[one.account_id] = replace(judged, assessment=told) if judged.status is Status.OK else judged
        new = [one for one in stored if one.account_id not in answers]
        if new:
            answers |= self._computed(new, now, reasons=reasons)
        return [answers[account_id] for account_id in account_ids]

    def _computed(self, stored: Sequence[StoredAccount], now: datetime, *, reasons: bool) -> dict[str, ScoredAccount]:
        online = self._store.arrays_of(stored)
        ids = {"account_id": np.array(online.account_ids, dtype=object), "as_of": np.array(online.as_ofs, dtype=object)}
        features = Columns(online.names, online.numbers, {**ids, **online.words})
        known = np.array([status in SCORED for status in features["cohort_status"]]) & ~self.bundle.abstains(features)
        each = zip(online.account_ids, online.as_ofs, online.found, known.tolist(), strict=True)
        answers = {
            account_id: _judged(account_id, as_of if found else None, enough, now)
            for account_id, as_of, found, enough in each
        }
        scorable = np.array([answers[account_id].status is Status.OK for account_id in online.account_ids])
        rows = features.chosen(scorable)
        digests = {one.account_id: one.digest() for one in stored} if reasons else {}
        for told in assess(rows, self.bundle, reasons=reasons):
            answers[told.account_id] = replace(answers[told.account_id], assessment=told)
            if reasons:
                self._kept.keep(digests[told.account_id], told)
        return answers


def cohort_features(home: Home, store: FeatureStore, as_of: datetime) -> pd.DataFrame:
    """Every feature, as known at a built ``as_of``, of each account that could still leave; ordered by account id."""
    cohort = read_cohort(home, [as_of])
    rows = cohort.loc[cohort["cohort_status"].isin(SCORED), ["account_id", "as_of"]].reset_index(drop=True)
    return store.historical(rows)


def snapshot_at(home: Home, as_of: datetime) -> datetime:
    """The newest built snapshot at or before ``as_of``.

    Raises:
        MissingStateError: none within 8 days before it is built.
    """
    moment = require_utc(as_of)
    fresh = [built for built in built_as_ofs(home) if not Freshness.of(built, moment).stale]
    if not fresh:
        raise MissingStateError(
            f"no snapshot is built for {moment.date()}",
            expected="a snapshot of that day or of the 8 days before",
            found="none",
            todo="run `pulse build --from DATE --to DATE` over that day",
        )
    return max(fresh)


def _judged(account_id: str, as_of: datetime | None, enough: bool, now: datetime) -> ScoredAccount:
    if as_of is None:
        return ScoredAccount(account_id, Status.NOT_FOUND)
    freshness = Freshness.of(as_of, now)
    if freshness.stale:
        return ScoredAccount(account_id, Status.STALE, as_of, freshness)
    status = Status.OK if enough else Status.INSUFFICIENT_DATA
    return ScoredAccount(account_id, status, as_of, freshness)
