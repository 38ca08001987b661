"""How large may the model be for the outcomes at hand?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.errors import NoUsableSignal
from training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Capacity:
    """How large trees may grow. ``note`` says why they may not, and is empty when nothing is held back."""

    name: str
    most_depth: int
    most_leaves: int
    least_rows_in_leaf: int
    note: str


def capacity_for(events: int, config: TrainingConfig) -> Capacity:
    """The size guide of domain 4.5 for a number of outcomes (accounts that decided to leave).

    Raises:
        NoUsableSignal: fewer outcomes than ``least_events``.
    """
    if events < config.least_events:
        raise NoUsableSignal(
            "too few outcomes to learn from",
            expected=f"at least {config.least_events} accounts that decided to leave and whose label is final",
            found=f"{events}",
            todo="ingest more history or more accounts; until then renewal dates are the best guide",
        )
    if events < config.limited_events:
        note = f"only {events} outcomes: additive trees only, no interactions (full size from {config.full_events})"
        return Capacity("additive", most_depth=1, most_leaves=2, least_rows_in_leaf=100, note=note)
    if events < config.full_events:
        note = f"{events} outcomes: trees of at most 15 leaves (full size from {config.full_events})"
        return Capacity("moderate", most_depth=4, most_leaves=15, least_rows_in_leaf=60, note=note)
    return Capacity("full", most_depth=6, most_leaves=31, least_rows_in_leaf=20, note="")


def outcome_count(rows: pd.DataFrame) -> int:
    """Accounts with an event among person-periods: one account seen from many snapshots is one outcome."""
    return int(rows.loc[rows["y"] > 0, "account_id"].nunique())


def bounded_params(params: Mapping[str, Any], capacity: Capacity) -> dict[str, Any]:
    """Parameters with depth, leaves and leaf size held inside what the outcomes allow."""
    return {
        **params,
        "max_depth": min(int(params["max_depth"]), capacity.most_depth),
        "num_leaves": min(int(params["num_leaves"]), capacity.most_leaves),
        "min_data_in_leaf": max(int(params["min_data_in_leaf"]), capacity.least_rows_in_leaf),
    }
