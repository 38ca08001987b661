"""Is a model held against true chances without the luck of outcomes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from .graded import NOTHING, Covered, coverage, left_over_stated, true_over_stated
from .thin import wider_at_like_risk

ACCOUNTS = 400


def rows(*, stated_over_true: float = 1.0, width: float = 0.5) -> pd.DataFrame:
    """Two snapshots a quarter and more apart, and one between them, of accounts whose risks are known."""
    random = np.random.default_rng(3)
    parts = []
    for as_of in ("2024-01-01", "2024-02-26", "2024-04-22"):
        true = random.uniform(0.02, 0.4, ACCOUNTS)
        risk = true * stated_over_true
        names = [f"acc-{number}" for number in range(ACCOUNTS)]
        part = {"account_id": names, "cluster_id": names, "p_90": true, "risk_90": risk, "y_90": 0.0}
        part |= {"interval_low": risk * (1 - width), "interval_high": risk * (1 + width)}
        parts.append(pd.DataFrame(part).assign(as_of=pd.Timestamp(as_of, tz="UTC")))
    return pd.concat(parts, ignore_index=True)


def test_true_over_stated_is_the_factor_a_model_is_off_by() -> None:
    found = true_over_stated(rows(stated_over_true=0.8))
    assert (found.value, found.low, found.high) == pytest.approx((1.25, 1.25, 1.25))


def test_leavers_are_counted_on_final_labels_only() -> None:
    told = rows()
    told.loc[told.index[: ACCOUNTS // 2], "y_90"] = np.nan
    told.loc[told.index[-10:], "y_90"] = 1.0
    final = told[told["y_90"].notna()]
    assert left_over_stated(told).value == pytest.approx(10 / final["risk_90"].sum())
    assert left_over_stated(told.assign(y_90=np.nan)).value is None


def test_the_interval_redraws_clusters_and_so_covers_the_luck_of_who_was_there() -> None:
    told = rows()
    told["p_90"] = np.where(told["account_id"].isin({"acc-1", "acc-2", "acc-3"}), 1.0, told["p_90"])
    found = true_over_stated(told)
    assert (found.low or 0) < (found.value or 0) < (found.high or 0)


def test_ranges_are_asked_on_snapshots_a_horizon_apart() -> None:
    # The one in between shares its outcomes with the first.
    told = rows()
    found = coverage(told)
    assert found == coverage(told[told["as_of"] != pd.Timestamp("2024-02-26", tz="UTC")])
    assert found.true_inside == found.cells > 10


@pytest.mark.parametrize(("factor", "below", "above"), [(0.5, 0, 1), (2.0, 1, 0)])
def test_a_model_that_is_off_by_more_than_its_ranges_covers_nothing(factor: float, below: int, above: int) -> None:
    found = coverage(rows(stated_over_true=factor, width=0.2))
    cells = found.cells
    assert (found.true_inside, found.true_below, found.true_above) == (0, below * cells, above * cells)


def test_who_left_is_counted_beside_the_truth() -> None:
    # Nobody left, which no range says: the truth lies in all of them, the outcome in none.
    found = coverage(rows())
    assert (found.true_inside, found.left_inside) == (found.cells, 0)


def test_coverage_of_several_companies_adds_up() -> None:
    assert NOTHING + Covered(4, 3, 2, 1, 0) + Covered(6, 6, 5, 0, 0) == Covered(10, 9, 7, 1, 0)


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_widths_are_compared_at_like_risk(times: float) -> None:
    # The weak ones have the higher risks, whose ranges are narrower for their risk.
    told = rows()
    width = 0.02 + 0.1 * told["risk_90"]
    weak = (told["risk_90"] > 0.2) & (told.index % 3 == 0)
    width = width.where(~weak, times * width)
    told = told.assign(interval_low=told["risk_90"] - width / 2, interval_high=told["risk_90"] + width / 2)
    assert wider_at_like_risk(told, weak) == pytest.approx(times, rel=0.05)
    assert np.isnan(wider_at_like_risk(told, weak & False))
