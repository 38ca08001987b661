"""Profit by hand, and the expected maximum profit measure against an integral taken by scipy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from tests.training.judged_case import SMALL_PLAN, evaluated, portfolio
from training.estimates import Question
from training.evaluate import evaluate
from training.evaluation import Evaluation, EvaluationPlan
from training.judged import Judged
from training.metrics import Ranking
from training.profit import SAVE_PROBABILITIES, best_profit, expected_maximum, profit
from training.profit_parts import Prices
from training.profit_plot import profit_finding, profit_picture

PRICES = Prices()


@cache
def judged(capacity: int = 20) -> Judged:
    plan = EvaluationPlan(capacity=capacity, replicates=100, noise_draws=100)
    return Judged.of(portfolio(300, seed=5).judged, plan)


def by_integral(score: np.ndarray, left: np.ndarray, prices: Prices) -> float:
    """Outside oracle: every cut-off tried for each gamma, and the average taken by adaptive quadrature."""
    order = np.argsort(-score, kind="stable")
    leavers, stayers = (np.cumsum(kind[order]) / len(left) for kind in (left, 1 - left))

    def best(gamma: float) -> float:
        gain = gamma * (1 - prices.offer_share) - prices.contact_share
        cost = prices.offer_share + prices.contact_share
        return max(0.0, (gain * leavers - cost * stayers).max())

    weight = beta(prices.save_alpha, prices.save_beta).pdf
    return float(quad(lambda gamma: best(gamma) * weight(gamma), 0, 1, limit=400)[0])


@pytest.mark.parametrize("prices", [PRICES, Prices(offer_share=0.02, contact_share=0.02, save_alpha=2, save_beta=2)])
def test_the_expected_maximum_profit_equals_its_integral(prices: Prices) -> None:
    rows = judged().rows
    risk, left = rows["risk_90"].to_numpy(), rows["y_90"].to_numpy()
    levels = Ranking(risk).levels(left[np.newaxis, :], 1 - left[np.newaxis, :])
    found = float(best_profit(levels, prices)[0])
    assert found == pytest.approx(by_integral(risk, left, prices), rel=5e-3)
    assert found > 0


def test_fewer_cut_offs_than_ranks_hardly_change_the_best_profit() -> None:
    rows = judged().rows
    risk, left = rows["risk_90"].to_numpy(), rows["y_90"].to_numpy()
    levels = Ranking(risk).levels(left[np.newaxis, :], 1 - left[np.newaxis, :])
    every, some = (best_profit(levels, PRICES, cuts=cuts)[0] for cuts in (None, 300))
    assert every * 0.97 < some <= every


def test_a_perfect_order_earns_most_and_a_useless_one_nothing_when_contact_is_dear() -> None:
    left = judged().column("y_90")
    question = Question(judged(), judged().mature(90), left)
    measures = [expected_maximum(question, score, PRICES).value for score in (left, judged().column("risk_90"))]
    assert measures[0] > measures[1] > 0
    dear = Prices(contact_share=0.9)
    assert expected_maximum(question, left, dear).value == 0


def test_profit_at_capacity_equals_a_plain_count() -> None:
    gamma, capacity = 0.3, 5
    rows = judged(capacity).rows
    value = rows["annual_value"] * PRICES.margin * PRICES.years
    offer, contact = PRICES.offer_share * value, PRICES.contact_share * value.mean()
    expected = rows["risk_90"] * (gamma * (value - offer) - contact) - (1 - rows["risk_90"]) * (offer + contact)
    won = np.where(rows["y_90"] > 0, gamma * (value - offer) - contact, -offer - contact)
    total = 0.0
    for _, day in rows.assign(expected=expected, won=won).groupby("as_of"):
        best = day[day["expected"] > 0].nlargest(capacity, "expected")
        assert 0 < len(best) <= capacity
        total += best["won"].sum()
    curve = profit(judged(capacity), PRICES).curves["champion"]
    (point,) = [one for one in curve.points if one.save_probability == gamma]
    assert point.profit.value == pytest.approx(total / rows["as_of"].nunique())


def test_where_no_contact_can_pay_nobody_is_contacted() -> None:
    found = profit(judged(), Prices(contact_share=100.0)).curves["champion"]
    assert {point.profit.value for point in found.points} == {0}
    assert found.break_even is None


def test_the_lead_over_the_calendar_is_the_difference_of_two_curves() -> None:
    curves = profit(judged(), PRICES).curves
    assert [point.save_probability for point in curves["champion"].points] == list(SAVE_PROBABILITIES)
    for own, rival in zip(curves["champion"].points, curves["timing_only"].points, strict=True):
        assert own.lead.value == pytest.approx(own.profit.value - rival.profit.value)
        assert rival.lead is None


def test_break_even_holds_for_every_greater_share() -> None:
    found = evaluated().profit.curves["champion"]
    above = [point.save_probability for point in found.points if (point.profit.low or 0) > 0]
    assert found.break_even is not None
    assert above[-len([s for s in SAVE_PROBABILITIES if s >= found.break_even]) :][0] == found.break_even
    assert f"{found.break_even:.0%}" in profit_finding(found)


def test_every_arm_that_states_a_chance_is_priced_and_the_health_score_is_not() -> None:
    found = evaluated().profit
    assert set(found.curves) == set(found.empmc) == {"champion", "timing_only", "logistic"}
    assert set(found.empmc_leads) == {"timing_only", "logistic"}
    lead = found.empmc_leads["timing_only"]
    assert lead.value == pytest.approx(found.empmc["champion"].value - found.empmc["timing_only"].value)
    assert lead.low > 0


def test_the_picture_states_the_finding_and_is_left_out_without_numbers() -> None:
    picture = profit_picture(evaluated())
    assert picture.title == profit_finding(evaluated().profit.curves["champion"])
    assert picture.png.startswith(b"\x89PNG")
    assert profit_picture(evaluated().model_copy(update={"profit": None})) is None
    nobody = portfolio(60, seed=1).judged.assign(y_90=0.0)
    assert profit_picture(evaluation_of(nobody)) is not None
    assert evaluation_of(nobody).profit.empmc["champion"].reason == "no leaver, or scores are missing"


def evaluation_of(rows: object) -> Evaluation:
    return evaluate(rows, model_version="v1", plan=SMALL_PLAN)  # type: ignore[arg-type]
