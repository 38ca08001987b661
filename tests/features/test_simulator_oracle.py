"""Is the state oracle the true probability of a decision? Judged by brute force, by its events and by its ranking."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from features.simulator.company import Company
from features.simulator.oracle import OracleRows, oracle_rows
from features.simulator.timeline import NEVER
from features.vocabulary import HORIZONS_DAYS
from tests.features.futures import PATHS, Future
from tests.features.simulator_case import company

ACCOUNTS = 1500
SEED = 21


@pytest.fixture(scope="module")
def world() -> Company:
    return company(ACCOUNTS, SEED)


@pytest.fixture(scope="module")
def oracle(world: Company) -> OracleRows:
    return oracle_rows(world)


def test_the_oracle_equals_brute_force(world: Company, oracle: OracleRows) -> None:
    rng = np.random.default_rng(5)
    monthly = np.flatnonzero(oracle.days_to_decision == NEVER)
    soon = np.flatnonzero(oracle.days_to_decision < 90)
    late = np.flatnonzero((oracle.days_to_decision >= 90) & (oracle.days_to_decision < NEVER))
    rows = np.concatenate([rng.choice(kind, size) for kind, size in ((monthly, 12), (soon, 16), (late, 8))])
    distance = []
    for row in rows:
        paths = Future(world, oracle.account[row], oracle.week[row], rng).risk()
        error = paths.std(axis=1) / np.sqrt(PATHS)
        # Beside its own noise, brute force may differ by the second-order terms that the oracle leaves out: 1 %.
        allowed = 4 * error + 0.01 * paths.mean(axis=1) + 1e-6
        assert (np.abs(oracle.risk[row] - paths.mean(axis=1)) <= allowed).all()
        distance.append((oracle.risk[row] - paths.mean(axis=1)) / np.maximum(error, 1e-9))
    # No side is favoured: the mean distance in standard errors is near 0.
    assert abs(np.mean(distance)) < 0.5


def test_the_oracle_is_monotone_in_the_horizon_and_a_probability(oracle: OracleRows) -> None:
    assert (np.diff(oracle.risk, axis=1) >= 0).all()
    assert (oracle.risk > 0).all()
    assert (oracle.risk < 1).all()


def test_the_oracle_has_a_row_for_each_monday_on_which_an_account_can_still_decide(
    world: Company, oracle: OracleRows
) -> None:
    for account in range(0, ACCOUNTS, 50):
        monday = world.time.monday(np.arange(world.time.weeks + 1))
        started = monday >= world.accounts.first_start[account]
        undecided = monday < world.decisions.decided_at[account]
        weeks = np.flatnonzero(started & undecided)
        np.testing.assert_array_equal(oracle.week[oracle.account == account], weeks)


@pytest.mark.parametrize("horizon", HORIZONS_DAYS)
def test_the_events_are_as_many_as_the_oracle_says(world: Company, oracle: OracleRows, horizon: int) -> None:
    every = -(-horizon // 7)
    monday = world.time.monday(oracle.week)
    # Mondays one horizon apart share no event, and all horizons must be over.
    used = (oracle.week % every == 0) & (monday + horizon <= world.time.end_day)
    left = world.decisions.decided_at[oracle.account] < monday + horizon
    risk = oracle.risk[:, HORIZONS_DAYS.index(horizon)]
    monthly = world.accounts.term_months[oracle.account] == 1
    for part in (monthly, ~monthly):
        chosen = used & part
        spread = np.sqrt((risk[chosen] * (1 - risk[chosen])).sum())
        assert abs(left[chosen].sum() - risk[chosen].sum()) < 3 * spread


def test_the_oracle_ranks_as_in_the_prototype(world: Company, oracle: OracleRows) -> None:
    # At full size (3,000 accounts, 6 seeds, 90 days): within-window AUC .75-.77, pooled .88-.90, AP .30-.35, and Brier
    # .034-.036 against .040-.045 for a constant rate; here the bounds of the design with room for one smaller company.
    monday = world.time.monday(oracle.week)
    used = oracle.is_at_risk & (monday + 90 <= world.time.end_day)
    left = (world.decisions.decided_at[oracle.account] < monday + 90)[used]
    risk = oracle.risk[used, HORIZONS_DAYS.index(90)]
    in_window = oracle.days_to_decision[used] < 90
    assert 0.70 <= roc_auc_score(left[in_window], risk[in_window]) <= 0.80
    assert 0.86 <= roc_auc_score(left, risk) <= 0.92
    assert 0.24 <= average_precision_score(left, risk) <= 0.37
    assert 0.025 <= left.mean() <= 0.05
    assert ((risk - left) ** 2).mean() < 0.9 * left.mean() * (1 - left.mean())


def test_the_oracle_is_calibrated_in_every_tenth_of_its_range(world: Company, oracle: OracleRows) -> None:
    monday = world.time.monday(oracle.week)
    used = (oracle.week % 13 == 0) & (monday + 90 <= world.time.end_day)
    left = (world.decisions.decided_at[oracle.account] < monday + 90)[used]
    risk = oracle.risk[used, HORIZONS_DAYS.index(90)]
    tenth = np.searchsorted(np.quantile(risk, np.linspace(0.1, 0.9, 9)), risk)
    error = floor = 0.0
    rng = np.random.default_rng(0)
    for part in range(10):
        inside = tenth == part
        error += abs(left[inside].mean() - risk[inside].mean()) * inside.mean()
        drawn = rng.random((200, inside.sum())) < risk[inside]
        floor += np.quantile(np.abs(drawn.mean(axis=1) - risk[inside].mean()), 0.95) * inside.mean()
    # Expected calibration error under the 95th percentile of what a perfect forecast shows by chance.
    assert error < floor
