"""What is it worth to contact the accounts that a model names?

Input: the judged rows. Output: :class:`Profit`. Contacting account i with value ``v = annual value * margin * years``:
a leaver brings ``gamma * (v - offer) - contact``, a stayer costs ``offer + contact`` (it takes the offer, too).
The expected maximum profit measure follows Verbraken, Verbeke and Baesens 2013 (IEEE TKDE 25(5), 961-973), written anew
from the paper.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from training.estimates import Drawn, Question, undefined
from training.evaluation import CHAMPION
from training.judged import Judged
from training.metrics import Floats, Levels, Ranking, divided
from training.profit_parts import Prices, Profit, ProfitCurve, ProfitPoint
from training.worklist import share_listed

SAVE_PROBABILITIES = tuple(round(0.05 * step, 2) for step in range(1, 11))
"""From one in twenty to one in two: below, nothing pays; above, nobody believes it."""
_STRATA = 100
"""Equally likely values of gamma that stand for its distribution; the average is right to 1e-3 of itself."""
_CUTS_PER_REDRAW = 500
"""Cut-offs tried in a redraw, evenly over the ranking: one more or less hardly moves the best profit."""
_RIVAL = "timing_only"


def profit(judged: Judged, prices: Prices) -> Profit:
    """Curves and measure for the champion and every baseline; the health score states no chance and is left out."""
    days = judged.plan.headline_days
    question = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    arms = (CHAMPION, *judged.baselines)
    per_gamma = {arm: [_at_capacity(question, arm, gamma, prices) for gamma in SAVE_PROBABILITIES] for arm in arms}
    best = {arm: expected_maximum(question, judged.arm(arm), prices) for arm in arms}
    return Profit(
        prices=prices,
        curves={arm: _curve(question, found, per_gamma.get(_RIVAL), arm) for arm, found in per_gamma.items()},
        empmc={arm: question.estimate(found) for arm, found in best.items()},
        empmc_leads={arm: question.estimate(best[CHAMPION].minus(best[arm])) for arm in judged.baselines},
    )


def _curve(question: Question, found: list[Drawn], rival: list[Drawn] | None, arm: str) -> ProfitCurve:
    points = []
    for place, gamma in enumerate(SAVE_PROBABILITIES):
        lead = None if rival is None or arm == _RIVAL else question.estimate(found[place].minus(rival[place]))
        points.append(ProfitPoint(save_probability=gamma, profit=question.estimate(found[place]), lead=lead))
    return ProfitCurve(points=tuple(points), break_even=_break_even(points))


def _break_even(points: list[ProfitPoint]) -> float | None:
    above = [point.profit.low is not None and point.profit.low > 0 for point in points]
    holds = [all(above[place:]) for place in range(len(points))]
    return next((point.save_probability for point, all_after in zip(points, holds, strict=True) if all_after), None)


def _at_capacity(question: Question, arm: str, gamma: float, prices: Prices) -> Drawn:
    """Profit per snapshot of contacting, at each, the most profitable accounts in expectation."""
    risk = question.judged.arm(arm)[question.rows]
    value = question.judged.column("annual_value")[question.rows] * prices.margin * prices.years
    contact = prices.contact_share * value.mean() if len(value) else 0.0
    offer = prices.offer_share * value
    if_leaving, if_staying = gamma * (value - offer) - contact, -offer - contact
    expected = risk * if_leaving + (1 - risk) * if_staying
    came = np.where(question.outcome > 0, if_leaving, if_staying)
    moments = question.judged.rows["as_of"].iloc[question.rows]
    contacted, days = np.zeros(len(risk)), moments.unique()
    for day in days:
        rows = (moments == day).to_numpy()
        contacted[rows] = share_listed(np.maximum(expected[rows], 0), question.judged.plan.capacity)
    won = contacted * (expected > 0) * came
    return question.summed(won[:, np.newaxis], lambda sums: sums[:, 0] / len(days))


def expected_maximum(question: Question, score: Floats, prices: Prices) -> Drawn:
    """The expected maximum profit per account, as share of the mean account's value, with its redraws."""
    values = score[question.rows]
    if not len(values) or np.isnan(values).any() or question.outcome.sum() <= 0:
        return undefined("no leaver, or scores are missing")
    ranking = Ranking(values)

    def levels(weights: Floats) -> Levels:
        return ranking.levels(weights * question.outcome, weights * (1 - question.outcome))

    def redrawn(weights: Floats) -> Floats:
        return best_profit(levels(weights), prices, cuts=_CUTS_PER_REDRAW)

    point = float(best_profit(levels(np.ones((1, len(values)))), prices)[0])
    return Drawn(point, question.judged.draws.replicate(question.rows, redrawn))


def best_profit(levels: Levels, prices: Prices, *, cuts: int | None = None) -> Floats:
    """Mean over gamma of the profit at the best of all cut-offs (or ``cuts`` of them), per account; never below 0."""
    everyone = levels.positive.sum(axis=-1, keepdims=True) + levels.negative.sum(axis=-1, keepdims=True)
    leavers = divided(np.cumsum(levels.positive, axis=-1), everyone)
    stayers = divided(np.cumsum(levels.negative, axis=-1), everyone)
    every = slice(None, None, max(1, leavers.shape[-1] // (cuts or leavers.shape[-1])))
    leavers, stayers = leavers[..., every], stayers[..., every]
    costs = prices.contact_share * leavers + (prices.offer_share + prices.contact_share) * stayers
    gains = (1 - prices.offer_share) * leavers
    places = (np.arange(_STRATA) + 0.5) / _STRATA
    total = np.zeros(leavers.shape[:-1])
    for gamma in beta.ppf(places, prices.save_alpha, prices.save_beta):
        total += np.maximum((gamma * gains - costs).max(axis=-1), 0)
    mean: Floats = total / _STRATA
    return mean
