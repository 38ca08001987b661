"""The leads' weights: an index among peers, tried on the past, kept in a record, never in a probability."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from scipy.special import expit, logit

from features.errors import ConfigError, MissingStateError
from features.settings import Home
from features.state import open_state
from training import policy_log
from training.evaluation import EvaluationPlan
from training.policy import LEAST_PEERS, WEIGHED, PolicyWeights, policy_index
from training.policy_backtest import PolicyBacktest, backtest
from training.policy_blend import BlendRows, fit_blend, later_forecasts, share_replicates
from training.policy_log import PolicyChange

from .judged_case import portfolio

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
MONEY = PolicyWeights(name="money first", financial=3, engagement=1)


def scored(count: int, *, segment: str = "studio", phase: str = "off", **points: list[float]) -> pd.DataFrame:
    rows = pd.DataFrame({"as_of": [pd.Timestamp("2024-06-03", tz="UTC")] * count, "segment": segment, "phase": phase})
    return rows.assign(**{f"points_{part}": points.get(str(part), [0.0] * count) for part in WEIGHED})


def test_the_index_is_the_weighted_middle_share_of_peers_with_fewer_points() -> None:
    # 21 peers, ranked 0 to 20 by money and all alike in use: a place k is (k + 0.5) / 21, a tie is 0.5.
    rows = scored(21, financial=list(range(21)))
    expected = 100 * (0.75 * (np.arange(21) + 0.5) / 21 + 0.25 * 0.5)
    np.testing.assert_allclose(policy_index(rows, MONEY), expected, rtol=0, atol=1e-12)


def test_only_ratios_of_weights_count_and_only_the_order_of_points() -> None:
    rows = scored(30, financial=list(np.sin(np.arange(30))), engagement=list(np.cos(np.arange(30))))
    tenfold = PolicyWeights(name="tenfold", financial=30, engagement=10)
    stretched = rows.assign(points_financial=np.exp(rows["points_financial"]))
    np.testing.assert_allclose(policy_index(rows, MONEY), policy_index(rows, tenfold), atol=1e-12)
    np.testing.assert_allclose(policy_index(rows, MONEY), policy_index(stretched, MONEY), atol=1e-12)


def test_peers_share_date_segment_and_phase_where_there_are_enough_of_them() -> None:
    # 20 studios in post all lie below 20 studios off season: each is judged among its own.
    low = scored(LEAST_PEERS, phase="post", financial=list(range(LEAST_PEERS)))
    high = scored(LEAST_PEERS, phase="off", financial=list(range(100, 100 + LEAST_PEERS)))
    found = policy_index(pd.concat([low, high], ignore_index=True), PolicyWeights(name="m", financial=1))
    np.testing.assert_array_equal(found[:LEAST_PEERS], found[LEAST_PEERS:])


def test_with_too_few_peers_the_segment_is_compared_with() -> None:
    few = scored(3, phase="post", financial=[-3.0, -2.0, -1.0])
    many = scored(LEAST_PEERS, phase="off", financial=list(range(LEAST_PEERS)))
    found = policy_index(pd.concat([few, many], ignore_index=True), PolicyWeights(name="m", financial=1))
    np.testing.assert_allclose(found[:3], 100 * (np.arange(3) + 0.5) / 23)
    assert found[3] == pytest.approx(100 * 0.5 / LEAST_PEERS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "no file"),
        ("name: [", "no YAML"),
        ("name: a\nfinancial: -1", "financial: Input should be greater"),
        ("name: a\nprice: 1", "price: Extra inputs"),
        ("name: a", "at least one weight"),
        ("financial: 1", "name: Field required"),
        ("name: a\ncontext: 1", "context: Extra inputs"),
    ],
)
def test_weights_that_cannot_be_read_are_refused_by_name(tmp_path: Path, text: str | None, found: str) -> None:
    file = tmp_path / "weights.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        PolicyWeights.read(file)
    assert found in refusal.value.found


def blend_rows(know: float, *, sure: float = 1.0, count: int = 6000, seed: int = 3) -> BlendRows:
    """Chances with a part that the model sees and a part that only the index may see (``know``: how well)."""
    random = np.random.default_rng(seed)
    seen, hidden = random.normal(size=count), random.normal(size=count)
    left = (random.random(count) < expit(-2 + seen + hidden)).astype(float)
    index = 50 - 25 * (know * hidden + np.sqrt(1 - know**2) * random.normal(size=count))
    model = expit(sure * (-1.7 + 0.9 * seen))
    return BlendRows(left, model, index, np.arange(count) % 6, np.arange(count) // 2)


def test_weights_that_know_what_the_model_does_not_earn_a_say() -> None:
    rows = blend_rows(know=1.0)
    drawn = share_replicates(rows, seed=1)
    assert 0.25 < fit_blend(rows, np.ones(6000)).share < 0.6
    assert np.quantile(drawn, 0.025) > 0.2


@pytest.mark.parametrize("sure", [0.5, 1.0, 3.0])
def test_weights_that_know_nothing_earn_none_however_sure_of_itself_the_model_is(sure: float) -> None:
    # A model three times too sure is bettered by anything that damps it: that is no merit of the weights.
    assert fit_blend(blend_rows(know=0.0, sure=sure), np.ones(6000)).share < 0.03


def test_weights_that_rank_the_wrong_way_earn_none() -> None:
    rows = blend_rows(know=1.0)
    upside_down = BlendRows(rows.left, rows.chance, 100 - rows.index, rows.date, rows.cluster)
    blend = fit_blend(upside_down, np.ones(6000))
    assert (blend.share, blend.index_line[0]) == (pytest.approx(0.0, abs=0.01), 0.0)


def test_calibration_of_the_index_is_the_maximum_of_its_likelihood() -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  the outside oracle

    rows = blend_rows(know=0.6)
    found = fit_blend(rows, np.ones(6000)).index_line
    oracle = LogisticRegression(C=1e10, tol=1e-10).fit(rows.standing[:, None], rows.left)
    np.testing.assert_allclose(found, [oracle.coef_[0, 0], oracle.intercept_[0]], atol=1e-5)


def test_later_dates_are_forecast_by_earlier_ones_only() -> None:
    rows = blend_rows(know=0.7, count=1200)
    told = later_forecasts(rows)
    early, last = rows.date < 3, rows.date == 5
    assert np.isnan(told[early]).all()
    assert np.isfinite(told[~early]).all()
    changed = BlendRows(np.where(last, 1 - rows.left, rows.left), rows.chance, rows.index, rows.date, rows.cluster)
    np.testing.assert_array_equal(later_forecasts(changed), told)


def judged(know: float) -> pd.DataFrame:
    """A portfolio with points that tell its hidden truth (1) or nothing (0)."""
    made = portfolio(1200, skill=0.3)
    rows = made.judged.merge(made.truth, on=["account_id", "as_of"])
    random = np.random.default_rng(0)
    points = -know * logit(rows["p_180"].clip(1e-4, 1 - 1e-4)) + (1 - know) * random.normal(size=len(rows))
    columns = {f"points_{part}": 0.0 for part in WEIGHED} | {"points_engagement": points}
    return rows.drop(columns=[name for name in rows if name.startswith("p_")]).assign(**columns)


def asked(know: float) -> PolicyBacktest:
    use = PolicyWeights(name="use", engagement=1)
    return backtest(judged(know), use, model_version="4", plan=EvaluationPlan(replicates=100))


def test_a_backtest_tells_weights_that_know_more_than_a_weak_model() -> None:
    found = asked(1.0)
    assert found.share.share.low is not None
    assert found.share.share.low > 0.2
    assert found.auc_lead.high is not None
    assert found.auc_lead.high < 0
    assert found.blend_gain.value is not None
    assert found.blend_gain.value > 0
    assert "cannot be ruled out" not in found.share.sentence


def test_a_backtest_says_when_weights_add_nothing() -> None:
    found = asked(0.0)
    assert found.share.share.low == pytest.approx(0.0, abs=0.005)
    assert "that they add nothing to the model cannot be ruled out" in found.share.sentence
    assert found.lines()[0] == "use: engagement 100%"


def test_a_segment_with_few_leavers_gets_no_share_of_its_own() -> None:
    for segment in asked(0.0).segments.values():
        assert segment.share.value is None
        assert segment.sentence.startswith("here they cannot be judged")
        assert "100 are needed" in segment.sentence


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


def test_the_record_says_which_weights_are_in_force_since_when(home: Home) -> None:
    assert policy_log.weights_in_force(home) is None
    assert not home.root.exists()
    policy_log.put_in_force(home, PolicyChange(NOON, "ada", "money matters", MONEY, {"rows": 3}))
    assert policy_log.weights_in_force(home) == MONEY
    policy_log.end(home, who="bob", why="it does not", at=NOON)
    assert policy_log.weights_in_force(home) is None
    assert [one.line() for one in policy_log.policy_changes(home)] == [
        "2024-06-03 12:00 ada: money first put in force (money matters)",
        "2024-06-03 12:00 bob: no weights in force any more (it does not)",
    ]
    with pytest.raises(MissingStateError):
        policy_log.end(home, who="bob", why="again", at=NOON)


@pytest.mark.parametrize("statement", ["UPDATE policy_weights SET who = 'eve'", "DELETE FROM policy_weights"])
def test_the_record_cannot_be_changed_afterwards(home: Home, statement: str) -> None:
    policy_log.put_in_force(home, PolicyChange(NOON, "ada", "why", MONEY, None))
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), open_state(home).begin() as connection:
        connection.execute(sa.text(statement))
    assert policy_log.weights_in_force(home) == MONEY
