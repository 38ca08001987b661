"""Did fewer accounts leave after something began than would have left anyhow?

Input: accounts with the days on which they were live, and when they decided to leave. Output: a rate per four weeks,
what a Poisson regression with trend and season states, and the step at the beginning (interrupted time series; Bernal,
Cummins and Gasparrini 2017). Pure. The interval redraws accounts. A step says that something changed, not what: a
price, a product or the mix of accounts that changed in the same weeks is in it. Only arms drawn at random leave it out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import PoissonRegressor

from training.bootstrap import ClusterDraws, percentile_interval
from training.evaluation_parts import Document, Estimate
from training.metrics import Floats

SPAN = timedelta(weeks=4)
LEAST_BEFORE, LEAST_AFTER = 13, 6
"""Spans of four weeks: less than a year before cannot tell season from change; less than half a year after is noise."""
LEAST_LIVE = 10
REPLICATES, SEED = 200, 0
_YEAR = 365.25
LEAST_LEFT = 30
"""Leavers on the poorer side; with fewer, six coefficients fit luck."""
Moments = NDArray[np.datetime64]


class Span(Document):
    """Four weeks: the rate that was, the one that the regression states, and the one it states without the step."""

    begin: datetime
    account_years: float
    left: int
    rate: float = Field(description="leavers per 100 account-years")
    stated: float
    without: float = Field(description="as trend and season alone go on; equal to stated before the step")


class Trend(Document):
    """The step at ``since``, as relative change of the rate of leaving; null with a reason when it cannot be told."""

    since: datetime
    spans: tuple[Span, ...]
    change: Estimate

    @property
    def words(self) -> str:
        """What may be said of it."""
        change = self.change
        if change.value is None or change.low is None or change.high is None:
            return f"before and after cannot be compared: {change.reason}"
        if change.low <= 0 <= change.high:
            return "before and after: no step can be told from luck, trend and season"
        direction = "fewer" if change.value < 0 else "more"
        return f"before and after: {direction} left after it began, whatever else began in the same weeks"


def trend(accounts: pd.DataFrame, *, since: datetime, until: datetime) -> Trend:
    """Fit rate, trend, season and step; ``accounts`` have cluster_id, live_from, live_until and left (0/1).

    ``live_until`` is the decision, or ``until``. Spans are counted back and forth from ``since``; one with fewer than
    ten accounts is left out, and so is the piece at either end.
    """
    # Before the first decision on record nobody was watched: who left then is in no table, and who stayed is.
    watched = accounts["live_until"][accounts["left"] > 0].min()
    if pd.isna(watched):
        return Trend(
            since=since, spans=(), change=_estimate(None, None, len(accounts), 0, "nobody is known to have left")
        )
    accounts = accounts[accounts["live_until"] > watched]
    accounts = accounts.assign(live_from=accounts["live_from"].where(accounts["live_from"] > watched, watched))
    begins = _begins(accounts, since, until)
    days, left = _by_span(accounts, begins)
    enough = (days > 0).sum(axis=0) >= LEAST_LIVE
    begins, days, left = begins[enough], days[:, enough], left[:, enough]
    after = begins >= np.datetime64(since.replace(tzinfo=None), "us")
    outcomes = int(left.sum())
    reason = _refusal(before=int((~after).sum()), after=int(after.sum()), left=left, steps=after)
    if reason:
        return Trend(since=since, spans=(), change=_estimate(None, None, len(accounts), outcomes, reason))
    design = _design(begins, after)
    coefficients = _fit(design, left.sum(axis=0), days.sum(axis=0))
    draws = ClusterDraws.draw(accounts["cluster_id"], replicates=REPLICATES, seed=SEED)
    rows = np.arange(len(accounts))
    pairs = zip(draws.sums(rows, left), draws.sums(rows, days), strict=True)
    steps = np.array([np.expm1(_fit(design, redrawn, lived)[-1]) for redrawn, lived in pairs])
    change = _estimate(float(np.expm1(coefficients[-1])), percentile_interval(steps), len(accounts), outcomes, "")
    return Trend(since=since, spans=_spans(begins, days, left, design=design, coefficients=coefficients), change=change)


def _begins(accounts: pd.DataFrame, since: datetime, until: datetime) -> Moments:
    first = accounts["live_from"].min().to_pydatetime()
    back, forth = max(0, (since - first) // SPAN), max(0, (until - since) // SPAN)
    moments = [since.replace(tzinfo=None) + number * SPAN for number in range(-back, forth)]
    return np.array(moments, dtype="datetime64[us]")


def _by_span(accounts: pd.DataFrame, begins: Moments) -> tuple[Floats, Floats]:
    """Live days and leavers per account and span, (accounts, spans)."""
    day = np.timedelta64(1, "D")
    live_from, live_until = (
        accounts[name].dt.tz_localize(None).to_numpy("datetime64[us]")[:, None] for name in ("live_from", "live_until")
    )
    ends = begins + np.timedelta64(SPAN)
    lived = (np.minimum(live_until, ends) - np.maximum(live_from, begins)) / day
    inside = (live_until >= begins) & (live_until < ends) & (accounts["left"].to_numpy()[:, None] > 0)
    return np.maximum(lived, 0.0), inside.astype(np.float64)


def _design(begins: Moments, after: NDArray[np.bool_]) -> Floats:
    years = (begins - begins[0]) / np.timedelta64(1, "D") / _YEAR
    waves = [wave(2 * np.pi * turn * years) for turn in (1, 2) for wave in (np.sin, np.cos)]
    return np.column_stack([years - years.mean(), *waves, after.astype(np.float64)])


def _fit(design: Floats, left: Floats, days: Floats) -> Floats:
    """Intercept, slopes and the step, on the scale of log leavers per account-year."""
    years = np.maximum(days, 1e-9) / _YEAR
    model = PoissonRegressor(alpha=0, solver="newton-cholesky", max_iter=300)
    model.fit(design, left / years, sample_weight=years / years.mean())
    coefficients: Floats = np.concatenate([[model.intercept_], model.coef_])
    return coefficients


def _spans(
    begins: Moments,
    days: Floats,
    left: Floats,
    *,
    design: Floats,
    coefficients: Floats,
) -> tuple[Span, ...]:
    years = days.sum(axis=0) / _YEAR
    stated = np.exp(coefficients[0] + design @ coefficients[1:])
    without = stated * np.exp(-coefficients[-1] * design[:, -1])
    return tuple(
        Span(
            begin=pd.Timestamp(begin).tz_localize("UTC").to_pydatetime(),
            account_years=float(years[place]),
            left=int(left[:, place].sum()),
            rate=float(100 * left[:, place].sum() / years[place]),
            stated=float(100 * stated[place]),
            without=float(100 * without[place]),
        )
        for place, begin in enumerate(begins)
    )


def _refusal(*, before: int, after: int, left: Floats, steps: NDArray[np.bool_]) -> str:
    if before < LEAST_BEFORE or after < LEAST_AFTER:
        return (
            f"{before} spans of four weeks before and {after} after it; {LEAST_BEFORE} and {LEAST_AFTER} are needed to "
            "tell season from change"
        )
    each = [int(left[:, steps].sum()), int(left[:, ~steps].sum())]
    return (
        f"only {min(each)} accounts left on one side of it; {LEAST_LEFT} are needed" if min(each) < LEAST_LEFT else ""
    )


def _estimate(value: float | None, ends: tuple[float, float] | None, rows: int, outcomes: int, reason: str) -> Estimate:
    return Estimate(
        value=value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        rows=rows,
        positives=float(outcomes),
        outcomes=outcomes,
        base_rate=None,
        reason=reason or ("" if ends else "too many redraws have no value"),
    )
