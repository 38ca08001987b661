"""Which periods of which accounts does the hazard model learn from?

Input grain: one cohort row and one feature row per account and ``as_of``, one outcome row per account that decided to
leave. Output grain: one row per account, ``as_of`` and interval ahead (person-period). A period is in only when the
account was still undecided at its start and its label is final, so censored accounts count for as long as they were
seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import MODEL_FEATURES
from features.errors import DataContractError, MissingStateError
from features.vocabulary import CohortStatus
from training.config import TrainingConfig
from training.inputs import SCORED_COLUMNS, numbers_of, require_columns
from training.labels import days_to_decision_taken
from training.periods import MODEL_INPUTS, TIMING_INPUTS, Floats, Timing, timing_inputs

KEY = ["account_id", "as_of"]
SHOWN = ["segment", "phase", "usable_weeks", "sources_present"]
"""Display features that travel with a row: for shrinkage, never as inputs."""

ROW_COLUMNS = (*KEY, *SHOWN, "interval", "closes_at", "in_window", "y", "weight", *MODEL_INPUTS)

_Positions = npt.NDArray[np.int64]


def training_cohort(cohort: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    """The cohort rows that may be trained on: at risk, on snapshots ``snapshot_spacing`` apart, counted from the first.

    Counting from the first keeps the choice the same as data grow.
    """
    chosen = spaced(sorted(cohort["as_of"].unique()), config)
    kept = cohort["as_of"].isin(chosen) & (cohort["cohort_status"] == CohortStatus.AT_RISK)
    return cohort[kept].reset_index(drop=True)


def spaced(as_ofs: Sequence[pd.Timestamp], config: TrainingConfig) -> list[pd.Timestamp]:
    """Every snapshot that is at least ``snapshot_spacing`` after the one chosen before it; the input is in order."""
    chosen: list[pd.Timestamp] = []
    for as_of in as_ofs:
        if not chosen or as_of - chosen[-1] >= config.snapshot_spacing:
            chosen.append(as_of)
    return chosen


def training_rows(
    cohort: pd.DataFrame,
    snapshots: pd.DataFrame,
    decided: pd.DataFrame,
    *,
    data_cut: datetime,
    config: TrainingConfig,
) -> pd.DataFrame:
    """Person-periods with the columns :data:`ROW_COLUMNS`, ordered as the cohort and then by interval; index 0..n-1.

    ``cohort`` comes from :func:`training_cohort`, ``snapshots`` from the feature store for the same rows in the same
    order, ``decided`` from :func:`training.labels.outcomes` at ``data_cut``. ``y`` is 1 where the account decided of
    its own will within the period; when the vendor ended the contract, the account is censored from that period on.
    ``closes_at`` is when a label became final: a fold may use a period only from then on. ``weight`` undoes the
    sub-sampling.

    Raises:
        IntegrityError: a column that a model reads is missing or holds no numbers.
        DataContractError: the two frames are not the same rows, rows have no snapshot behind them, or a feature is
            infinite.
        MissingStateError: no period's label is final yet.
    """
    require_columns(snapshots, SCORED_COLUMNS)
    _require_same_rows(cohort, snapshots)
    at_risk = snapshots[(cohort["cohort_status"] == CohortStatus.AT_RISK).to_numpy()].reset_index(drop=True)
    periods = _open_periods(at_risk, decided, data_cut=data_cut, config=config)
    if periods.empty:
        raise MissingStateError(
            "no label is final yet",
            expected=f"snapshots at least {config.settling.days + config.interval_bounds_days[1]} days before the cut",
            found=f"{len(at_risk)} rows at risk, none of them old enough",
            todo="build earlier snapshots, or train at a later date",
        )
    timing, kept = _sub_sampled(at_risk, periods, config)
    return _without(_filled(at_risk, periods, timing, kept), config.vetoed_features)


def _without(rows: pd.DataFrame, vetoed: Sequence[str]) -> pd.DataFrame:
    # Never known while learning, so no tree asks for it; the columns stay, so that every model reads the same ones.
    return rows.assign(**dict.fromkeys(vetoed, np.nan))


def _require_same_rows(cohort: pd.DataFrame, snapshots: pd.DataFrame) -> None:
    same = len(cohort) == len(snapshots) and all(
        np.array_equal(cohort[name].to_numpy(), snapshots[name].to_numpy()) for name in KEY
    )
    if not same:
        raise DataContractError(
            "features and cohort are not the same rows",
            expected=f"the cohort's {len(cohort)} rows in its order",
            found=f"{len(snapshots)} feature rows, some of another account or date",
            todo="ask the feature store for exactly these rows",
        )


def _open_periods(
    at_risk: pd.DataFrame, decided: pd.DataFrame, *, data_cut: datetime, config: TrainingConfig
) -> pd.DataFrame:
    # position: row of at_risk; low, high: days; closes_at: when the label was final; y: decided in (low, high].
    days, voluntary = days_to_decision_taken(at_risk, decided)
    parts = []
    for interval, (low, high) in enumerate(config.intervals_days):
        closes_at = at_risk["as_of"] + pd.Timedelta(days=high) + config.settling
        left = days.le(high)
        seen = ~days.le(low) & (closes_at <= pd.Timestamp(data_cut)) & (voluntary | ~left)
        part = pd.DataFrame({"position": np.arange(len(at_risk)), "interval": interval, "low": low, "high": high})
        parts.append(part.assign(closes_at=closes_at, y=left.astype(np.float64))[seen])
    return pd.concat(parts).sort_values(["position", "interval"], kind="stable").reset_index(drop=True)


def _sub_sampled(at_risk: pd.DataFrame, periods: pd.DataFrame, config: TrainingConfig) -> tuple[Floats, pd.DataFrame]:
    position = periods["position"].to_numpy(np.int64)
    timing = timing_inputs(
        Timing.of(at_risk).take(position), periods["low"].to_numpy(np.float64), periods["high"].to_numpy(np.float64)
    )
    decisions, evergreen = TIMING_INPUTS.index("decisions_in_interval"), TIMING_INPUTS.index("is_evergreen")
    in_window = (timing[:, decisions] >= 1) | (timing[:, evergreen] > 0)
    quiet = (periods["y"].to_numpy() == 0) & ~in_window
    share = share_of(at_risk, position, periods["interval"].to_numpy(np.int64))
    kept = ~quiet | (share < config.negative_keep_share)
    facts = pd.DataFrame(
        {"kept": kept, "in_window": in_window, "weight": np.where(quiet, 1.0 / config.negative_keep_share, 1.0)}
    )
    return timing, facts


def _filled(at_risk: pd.DataFrame, periods: pd.DataFrame, timing: Floats, facts: pd.DataFrame) -> pd.DataFrame:
    chosen = np.flatnonzero(facts["kept"].to_numpy())
    position = periods["position"].to_numpy(np.int64)[chosen]
    numbers = numbers_of(at_risk, MODEL_FEATURES)[position]
    inputs = pd.DataFrame(np.hstack([numbers, timing[chosen]]), columns=list(MODEL_INPUTS))
    words = at_risk[[*KEY, *SHOWN]].iloc[position].reset_index(drop=True)
    told = periods[["interval", "closes_at", "y"]].iloc[chosen].reset_index(drop=True)
    sampled = facts[["in_window", "weight"]].iloc[chosen].reset_index(drop=True)
    return pd.concat([words, told, sampled, inputs], axis=1)[list(ROW_COLUMNS)]


def share_of(at_risk: pd.DataFrame, position: _Positions, interval: _Positions) -> Floats:
    """A number in [0, 1) per period that depends on account, ``as_of`` and interval only: no seed, no order."""
    codes, names = pd.factorize(at_risk["account_id"])
    hashed = [int.from_bytes(hashlib.blake2b(str(name).encode(), digest_size=8).digest()) for name in names]
    of_row = np.array(hashed, dtype=np.uint64)[codes]
    days = (at_risk["as_of"] - pd.Timestamp(0, tz="UTC")).dt.days.to_numpy().astype(np.uint64)
    place: npt.NDArray[np.uint64] = days[position] * np.uint64(64) + interval.astype(np.uint64)
    mixed = of_row[position] ^ _mixed(place)
    return (_mixed(mixed) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(number: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit moves every output bit.
    number = number + np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))
