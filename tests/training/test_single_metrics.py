"""One number alone beside the model: ranked as people read it, with n, positives and paired intervals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from features.catalogue import feature_named
from training.evaluate import evaluate
from training.evaluation import Evaluation
from training.gates import Checks, verdict
from training.judged import Judged
from training.report import render
from training.single_metrics import PREFIX, WATCHED, metric_columns, single_metrics

from .judged_case import SMALL_PLAN, portfolio
from .test_card import FACTS

NPS, TICKETS, SEATS = (f"{PREFIX}{name}" for name in ("nps_last", "tickets_per_100_seats_w13", "active_seat_ratio_w4"))


@cache
def rows() -> pd.DataFrame:
    """Judged rows with three numbers: one that follows health and is known of half the accounts, noise, and nothing."""
    made = portfolio(1500, skill=0.95, seed=5).judged
    draw = np.random.default_rng(1)
    score = np.where(made["account_id"].str[-1].astype(int) < 5, made["health"] / 10, np.nan)
    return made.assign(**{NPS: score, TICKETS: draw.poisson(3, len(made)).astype(float), SEATS: np.nan})


@cache
def evaluated() -> Evaluation:
    return evaluate(rows(), model_version="1", plan=SMALL_PLAN)


def test_each_number_is_ranked_as_people_read_it_and_an_outside_oracle_agrees() -> None:
    judged = Judged.of(rows(), SMALL_PLAN)
    due = judged.in_window(90)
    label = judged.column("y_90")[due]
    for name, sign in (("nps_last", -1), ("tickets_per_100_seats_w13", 1)):
        value = judged.column(f"{PREFIX}{name}")[due]
        score = sign * np.where(np.isnan(value), np.nanmedian(value), value)
        told = evaluated().single_metrics[name]
        assert told.auc_window.value == pytest.approx(roc_auc_score(label, score))
        assert told.ap_window.value == pytest.approx(average_precision_score(label, score))
        assert (told.auc_window.rows, told.auc_window.positives) == (len(label), label.sum())
        model = roc_auc_score(label, judged.column("risk_90")[due])
        assert told.auc_lead.value == pytest.approx(model - roc_auc_score(label, score))


def test_the_model_is_ahead_of_noise_and_its_interval_says_so() -> None:
    noise = evaluated().single_metrics["tickets_per_100_seats_w13"]
    assert noise.words.startswith("ahead")
    assert noise.auc_lead.low is not None
    assert noise.auc_lead.low > 0
    assert noise.known == 1.0


def test_a_number_that_is_not_known_says_nothing_and_is_no_better_than_a_coin() -> None:
    unknown = evaluated().single_metrics["active_seat_ratio_w4"]
    assert (unknown.known, unknown.auc_window.value) == (0.0, 0.5)
    half = evaluated().single_metrics["nps_last"]
    assert half.known == pytest.approx(0.5, abs=0.15)
    assert half.auc_window.value is not None
    assert half.auc_window.value > 0.55


def test_only_numbers_that_were_brought_along_are_told() -> None:
    assert list(evaluated().single_metrics) == ["active_seat_ratio_w4", "nps_last", "tickets_per_100_seats_w13"]
    assert single_metrics(Judged.of(portfolio(60).judged, SMALL_PLAN)) == {}
    assert evaluate(portfolio(60).judged, model_version="1", plan=SMALL_PLAN).refits is None


def test_no_number_is_an_arm_that_a_gate_or_a_list_could_take_for_a_rival() -> None:
    assert not [arm for arm in evaluated().arms if arm in WATCHED]
    assert not [arm for arm in evaluated().deltas if arm in WATCHED]


def test_every_number_is_a_feature_and_is_read_in_the_direction_of_the_catalogue_where_that_has_one() -> None:
    for name, (title, sign) in WATCHED.items():
        feature = feature_named(name)
        assert title
        assert feature.direction in {0, sign}, name


def test_the_columns_are_taken_from_feature_rows_and_null_stays_null() -> None:
    snapshots = pd.DataFrame({name: [1.0, None] for name in WATCHED}).convert_dtypes()
    columns = metric_columns(snapshots)
    assert list(columns) == [f"{PREFIX}{name}" for name in WATCHED]
    assert columns.iloc[0].tolist() == [1.0] * len(WATCHED)
    assert columns.iloc[1].isna().all()


def test_the_numbers_are_logged_flat() -> None:
    logged = evaluated().metrics()
    assert logged["single.nps_last.auc_window"] == evaluated().single_metrics["nps_last"].auc_window.value
    assert "single.nps_last.auc_lead.low" in logged


def test_the_report_shows_them_beside_the_model_where_a_decision_is_due() -> None:
    page = " ".join(render(evaluated(), verdict(evaluated(), Checks()), FACTS).split())
    due = evaluated().headline.auc_window
    assert (
        f"on the {due.rows:,} rows whose decision is due ({due.positives:,.0f} positive, {due.outcomes} accounts"
        in page
    )
    assert '<th scope="row">last recommendation score (NPS)</th><td class="n">5' in page
    assert (
        '<th scope="row">share of seats in use</th><td class="n">0%</td><td class="e">0.50 (0.50 to 0.50)</td>' in page
    )
    assert "Would another fit tell the same reasons?" not in page


def test_a_report_without_them_has_no_such_table() -> None:
    plain = evaluated().model_copy(update={"single_metrics": {}})
    assert "One number alone" not in render(plain, verdict(plain, Checks()), FACTS)
