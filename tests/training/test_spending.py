"""Interventions are counted by hand, and a table of prices is refused where it says what cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigError
from tests.training.judged_case import FIRST, SMALL_PLAN, weekly
from training.detection import Leavers
from training.judged import Judged
from training.spending import CostTable, Interventions, interventions, spendings

TABLE = CostTable(currency="EUR", proactive=100, reactive=1000)


def case() -> Judged:
    """Three accounts over 30 weeks: ann leaves on day 200, ben on day 120, cyd stays; decisions fall on day 200."""
    draft = weekly(40, weeks=1, seed=1).head(1)
    parts = []
    for name, leaves in (("ann", 200.0), ("ben", 120.0), ("cyd", np.nan)):
        days = np.arange(0, 210, 7.0)
        days = days[~(days >= leaves)]
        part = draft.loc[draft.index.repeat(len(days))].assign(
            account_id=name,
            cluster_id=name,
            as_of=[FIRST + timedelta(days=day) for day in days],
            days_to_leaving=leaves - days,
            days_to_last_day=leaves - days + 60,
            days_to_decision=np.abs(200.0 - days),
            is_evergreen=0.0,
        )
        parts.append(part)
    return Judged.of(pd.concat(parts, ignore_index=True), SMALL_PLAN)


def at(judged: Judged, *alerts: tuple[str, int]) -> np.ndarray:
    rows = judged.rows
    return np.logical_or.reduce(
        [(rows["account_id"] == name) & (rows["as_of"] == FIRST + timedelta(days=day)) for name, day in alerts]
        or [np.zeros(len(rows), dtype=bool)]
    )


def counted(*alerts: tuple[str, int]) -> tuple[float, float]:
    judged = case()
    found = interventions(judged, Leavers.of(judged), np.asarray(at(judged, *alerts)), TABLE.late_days)
    return found.reactive.sum(), found.proactive.sum()


@pytest.mark.parametrize(
    ("alerts", "reactive", "proactive"),
    [
        # Two notices come out of the blue.
        ([], 2, 0),
        # Ann was called in time; ben's notice comes unexpected.
        ([("ann", 98)], 1, 1),
        # An alert 11 days before the decision is late, and is ann's one intervention.
        ([("ann", 189)], 2, 0),
        # An alert in time spares the late one.
        ([("ann", 98), ("ann", 189)], 2, 1),
        # Cyd stays: an alert in time costs a call, one shortly before the decision a late one.
        ([("cyd", 98)], 2, 1),
        ([("cyd", 196)], 3, 0),
        # An early alert, before the count begins, warns of ben and is not charged.
        ([("ben", 7)], 1, 0),
    ],
)
def test_each_alert_is_an_intervention_and_each_unforeseen_notice_one_more(
    alerts: list[tuple[str, int]], reactive: float, proactive: float
) -> None:
    assert counted(*alerts) == (reactive, proactive)


def test_costs_are_prices_times_counts_and_the_change_is_against_the_reference() -> None:
    judged = Judged.of(weekly(200, weeks=20, seed=4), SMALL_PLAN)
    draw = np.random.default_rng(0)
    ones = {
        name: (draw.random(len(judged.rows)) < share).astype(float) for name, share in (("date", 0.2), ("own", 0.1))
    }
    policies = {name: Interventions(reactive, 1 - reactive) for name, reactive in ones.items()}
    found = spendings(judged, policies, TABLE, "date")
    for name, spent in found.items():
        reactive = ones[name].sum()
        assert (spent.reactive, spent.proactive) == (reactive, len(judged.rows) - reactive)
        assert spent.reactive_cost.value == reactive * 1000
        assert spent.total_cost.value == pytest.approx(reactive * 1000 + (len(judged.rows) - reactive) * 100)
    assert found["date"].reactive_change is None
    change = found["own"].reactive_change
    assert change.value == pytest.approx(ones["own"].sum() / ones["date"].sum() - 1)
    assert change.low < change.value < change.high < 0


def test_a_table_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "costs.yaml"
    file.write_text("currency: EUR\nproactive: 100\nreactive: 1000\n")
    assert CostTable.read(file) == TABLE
    assert TABLE.late_days == 30


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("currency: EUR\nproactive: 1\n", "reactive: Field required"),
        ("currency: EUR\nproactive: -1\nreactive: 2\n", "proactive"),
        ("currency: EUR\nproactive: 1\nreactive: 2\nlate: 3\n", "late: Extra inputs"),
        ("currency: EUR\nproactive: .nan\nreactive: 2\n", "proactive"),
        ("currency: [\n", "no YAML"),
        ("", "table"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_place(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        CostTable.read(file)
    assert told in refused.value.found


def test_a_table_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        CostTable.read(Path("nowhere.yaml"))
