"""Does a column know how an account decided before it decided?

A column that was edited after the outcome (a status, a voided invoice, a note after the call) makes a model that shines
on the past and fails tomorrow. Input grain: one row per account and snapshot, with the columns as a model would read
them, and one outcome per account that decided. Output grain: one finding per column that knows too much. Pure; nothing
is fitted that outlives the check, so it may look at every label. Three questions, each answered over accounts:

- near: among accounts whose decision falls within the headline horizon, does the column alone tell who leaves?
- far: does it tell who leaves only half a year to a year and a half later? A state fades; an edited record does not.
- edited: between two exports, did it change for those who left in between, and hardly for the others?
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import MODEL_FEATURES
from features.errors import NoUsableSignal
from features.vocabulary import CohortStatus
from training.config import TrainingConfig
from training.labels import days_to_decision_taken
from training.leak_report import Evidence, Finding, LeakReport
from training.material import Material
from training.metrics import Floats, Ranking, roc_auc
from training.periods import Timing, decisions_between

FAR_DAYS = (180, 545)
"""Days ahead: after every horizon that is scored, and a year of decisions more."""
LEAST_ACCOUNTS = 20
"""Leavers, and stayers, below which a question is not asked: chance alone would answer it."""
ONE_SIDED_95 = 1.645
_BINS = 20
_DAY = timedelta(days=1)
_MOST_WORDS = 50
_PRIOR_ACCOUNTS = 5.0

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Columns that somebody thinks of adding, over the rows of the snapshots; ``edits`` are told by two exports.

    ``edits`` has a row per account that stands in both exports: ``account_id``, ``before`` and ``after`` (the moments
    of the exports) and, for each column, whether it changed.
    """

    origin: str
    values: pd.DataFrame
    edits: pd.DataFrame | None = None


def look_for_leaks(material: Material, config: TrainingConfig, *, candidates: Candidates | None = None) -> LeakReport:
    """Ask every column that a model would read, and every candidate, what it knows of outcomes that had not happened.

    Raises:
        NoUsableSignal: so few accounts left or stayed that no question can be asked; nothing is passed unasked.
    """
    at_risk = (material.cohort["cohort_status"] == CohortStatus.AT_RISK).to_numpy()
    rows = material.at(pd.Series(at_risk))
    scopes = _scopes(rows, config)
    if not scopes:
        raise NoUsableSignal(
            "there are too few outcomes to look for leaks",
            expected=f"{LEAST_ACCOUNTS} accounts that left and {LEAST_ACCOUNTS} that stayed",
            found="fewer, near and far ahead",
            todo="train at a later date, or on more accounts",
        )
    columns: list[tuple[str, str, pd.Series[Any]]] = [
        (name, "catalogue", rows.snapshots[name]) for name in MODEL_FEATURES
    ]
    if candidates is not None:
        offered = candidates.values[at_risk].reset_index(drop=True)
        columns += [(str(name), candidates.origin, offered[name]) for name in offered.columns]
    asked = []
    for name, origin, column in columns:
        codes = _coded(column)
        evidence = [scope.asked(codes) for scope in scopes]
        if origin != "catalogue" and candidates is not None and candidates.edits is not None:
            evidence += _edited(candidates.edits, name, material.decided)
        asked.append(Finding(name, origin, tuple(evidence)))
    findings = [finding for finding in asked if any(each.is_leak for each in finding.evidence)]
    findings.sort(key=lambda finding: (-max(each.low for each in finding.evidence), finding.column))
    questions = dict.fromkeys(each.question for finding in asked for each in finding.evidence)
    return LeakReport(len(columns), tuple(questions), tuple(findings))


@dataclass(frozen=True, slots=True)
class _Scope:
    """One question over its rows: who left, who stayed, each account with the weight of one in its half."""

    question: str
    used: Codes
    half: Flags
    left: Floats
    stayed: Floats
    leavers: int
    stayers: int

    def asked(self, codes: Codes) -> Evidence:
        """How well the column orders leavers before stayers, its values ranked by what they mean in the other half."""
        kinds = int(codes.max()) + 1
        own = codes[self.used]
        counts: list[tuple[Floats, Floats]] = [
            (_summed(own[side], self.left[side], kinds), _summed(own[side], self.stayed[side], kinds))
            for side in (self.half, ~self.half)
        ]
        found = [_auc(judged, by) for judged, by in (counts, counts[::-1])]
        value = float(np.mean(found))
        return Evidence(self.question, value, value - ONE_SIDED_95 * self._error(value), self.leavers, self.stayers)

    def _error(self, auc: float) -> float:
        # Hanley and McNeil 1982, over accounts: the rows of one account share its outcome.
        first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        spread = auc * (1 - auc) + (self.leavers - 1) * (first - auc**2) + (self.stayers - 1) * (second - auc**2)
        return sqrt(max(spread, 0.0) / (self.leavers * self.stayers))


def _scopes(rows: Material, config: TrainingConfig) -> list[_Scope]:
    as_of = rows.snapshots["as_of"]
    gone, of_own_will = days_to_decision_taken(rows.snapshots[["account_id", "as_of"]], rows.decided)
    days, voluntary = gone.to_numpy(np.float64), of_own_will.to_numpy(np.bool_)
    seen = _in_days(as_of, pd.Series(pd.Timestamp(rows.data_cut - config.settling), as_of.index))
    timing, horizon = Timing.of(rows.snapshots), float(config.headline_days)
    due = (decisions_between(timing, np.zeros(len(days)), np.full(len(days), horizon)) > 0) | (timing.evergreen > 0)
    first, last = FAR_DAYS
    near = ~(days <= 0) & (seen >= horizon) & due
    far = ~(days <= first) & (seen >= last)
    asked = (("near", near, days <= horizon), ("far", far, days <= last))
    scopes = [_scope(question, rows, which & (voluntary | ~left), left) for question, which, left in asked]
    return [scope for scope in scopes if min(scope.leavers, scope.stayers) >= LEAST_ACCOUNTS]


def _in_days(since: pd.Series[pd.Timestamp], until: pd.Series[pd.Timestamp]) -> Floats:
    return np.asarray((until - since).dt.total_seconds() / _DAY.total_seconds(), dtype=np.float64)


def _scope(question: str, rows: Material, which: Flags, gone: Flags) -> _Scope:
    used = np.flatnonzero(which)
    accounts, left = rows.snapshots["account_id"].iloc[used], gone[used]
    weight = 1 / accounts.map(accounts.value_counts()).to_numpy(np.float64)
    return _Scope(
        question,
        used,
        half=_halves(accounts),
        left=weight * left,
        stayed=weight * ~left,
        leavers=accounts[left].nunique(),
        stayers=accounts[~left].nunique(),
    )


def _halves(accounts: pd.Series[str]) -> Flags:
    # By the account's name only, so that all its rows lie in one half, whatever else is asked.
    codes, names = pd.factorize(accounts)
    odd = [hashlib.blake2b(str(name).encode(), digest_size=1).digest()[0] % 2 == 1 for name in names]
    return np.array(odd, np.bool_)[codes]


def _summed(codes: Codes, weight: Floats, kinds: int) -> Floats:
    return np.bincount(codes, weight, kinds).astype(np.float64)


def _auc(judged: tuple[Floats, Floats], by: tuple[Floats, Floats]) -> float:
    left, stayed = by
    share = left.sum() / max(left.sum() + stayed.sum(), 1e-12)
    rate = (left + _PRIOR_ACCOUNTS * share) / (left + stayed + _PRIOR_ACCOUNTS)
    return float(np.nan_to_num(roc_auc(Ranking(rate).levels(*judged)), nan=0.5))


def _coded(column: pd.Series[Any]) -> Codes:
    """Each value as a small number: words as they are, numbers in twentieths; a missing value is a value of its own."""
    missing = column.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        if missing.all():
            return np.zeros(len(numbers), np.int64)
        edges = np.unique(np.quantile(numbers[~missing], np.linspace(0, 1, _BINS + 1)[1:-1]))
        return np.where(missing, 0, 1 + np.searchsorted(edges, numbers, side="left")).astype(np.int64)
    words = column.astype("string")
    common = words.value_counts().index[:_MOST_WORDS]
    return np.where(missing, 0, 2 + common.get_indexer(pd.Index(words))).astype(np.int64)


def _edited(edits: pd.DataFrame, name: str, decided: pd.DataFrame) -> Sequence[Evidence]:
    known_at = pd.to_datetime(edits["account_id"].map(decided.set_index("account_id")["decided_at"]), utc=True)
    between = ((known_at > edits["before"]) & (known_at <= edits["after"])).to_numpy()
    stayed = known_at.isna().to_numpy()
    leavers, stayers = int(between.sum()), int(stayed.sum())
    if min(leavers, stayers) < LEAST_ACCOUNTS:
        return []
    changed = edits[name].to_numpy(np.float64)
    shares = (float(changed[between].mean()), float(changed[stayed].mean()))
    error = sqrt(sum(p * (1 - p) / n for p, n in zip(shares, (leavers, stayers), strict=True)))
    value = shares[0] - shares[1]
    return [Evidence("edited", value, value - ONE_SIDED_95 * error, leavers, stayers)]
