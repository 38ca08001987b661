"""Do intervals rest on risks that nobody had seen the outcome of, stated as the finished model states them?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from training.boosting import inputs_of, margins
from training.held_out import Caution, Stating, caution_of, recent_rows, risk_spread, stated_risks
from training.labels import horizon_labels
from training.periods import Timing, timing_inputs
from training.shrinkage import timing_codes
from training.venn_abers import NOTHING_KNOWN

from .bundle_case import SMALL, Trained, trained
from .portfolio_case import SEGMENTS

BEFORE = 4
"""Intervals until the headline horizon of 90 days."""

WITHIN = SMALL.intervals_days[:BEFORE]


def labelled(made: Trained) -> pd.DataFrame:
    return recent_rows(made.snapshots, made.world.decided, before=made.split.final.test_first, config=SMALL)


def test_only_rows_whose_label_was_final_before_the_final_block_are_read_and_only_of_a_year() -> None:
    # Law 3: the final block judges the intervals, so they have seen none of it, not even as a label.
    made = trained()
    rows = labelled(made)
    closed = rows["as_of"] + pd.Timedelta(days=90) + SMALL.settling
    assert (closed <= pd.Timestamp(made.split.final.test_first)).all()
    assert rows["as_of"].max() - rows["as_of"].min() < SMALL.interval_window
    assert set(rows["y"]) == {0.0, 1.0}
    label = horizon_labels(rows, made.world.decided, data_cut=made.world.data_cut, config=SMALL)["y_90"]
    # Decisions that were recorded after the final block began are known today; label rules know both.
    assert (rows["y"] == label).all()


def test_risks_are_stated_as_the_model_states_them_but_by_the_fold_that_had_not_seen_the_row() -> None:
    # Outside path: the person-periods of the training set, expanded by training/dataset.py.
    made = trained()
    booster, fold = made.found.boosters[0], made.split.walk_forward[0]
    size = made.rows.groupby(["account_id", "as_of"])["weight"].transform(
        lambda part: len(part) == 7 and max(part) == 1
    )
    periods = made.rows[size.astype(bool) & fold.test(made.rows)].head(7 * 15)
    rows = periods[["account_id", "as_of"]].drop_duplicates().merge(made.snapshots, how="left")
    raw = margins(booster, inputs_of(periods), threads=1).reshape(-1, 7)[:, :BEFORE]
    offsets = rows["segment"].map(made.of_folds.segments) + rows["phase"].map(made.of_folds.phases)
    logits = made.of_folds.slope * raw + np.array(made.of_folds.intercepts[:BEFORE]) + offsets.to_numpy()[:, None]
    told = stated_risks(booster, rows, Stating(made.of_folds, 0.0, SMALL))
    assert len(told) == 15
    np.testing.assert_allclose(told, 1 - np.prod(1 - expit(logits), axis=1), atol=1e-12)


def test_thin_accounts_are_drawn_as_the_model_draws_them() -> None:
    made = trained()
    booster, fold = made.found.boosters[-1], made.split.walk_forward[-1]
    rows = made.snapshots[fold.test(made.snapshots)].head(300).reset_index(drop=True)
    plain, drawn = (stated_risks(booster, rows, Stating(made.of_folds, weeks, SMALL)) for weeks in (0.0, 1e12))
    ones = np.ones(len(rows))
    timings = [timing_codes(timing_inputs(Timing.of(rows), low * ones, high * ones)) for low, high in WITHIN]
    peers = [rows["segment"], *(pd.Series(codes) for codes in timings)]
    # All weight on what is usual: nothing is left but the segment and when decisions fall.
    assert pd.Series(drawn).groupby(peers).std().max() < 1e-9
    assert pd.Series(plain).groupby(peers).std().max() > 0.1
    assert pd.Series(drawn).groupby(peers).mean().nunique() > len(SEGMENTS)


def test_rows_of_no_fold_are_left_out() -> None:
    made = trained()
    parted = replace(made.split, walk_forward=made.split.walk_forward[-1:])
    found = replace(made.found, boosters=made.found.boosters[-1:])
    told = caution_of(found, parted, made.of_folds, snapshots=made.snapshots, decided=made.world.decided, config=SMALL)
    inside = parted.walk_forward[0].test(labelled(made)).sum()
    assert told.spread.regular.rows + told.spread.thin.rows == inside < len(labelled(made))


def test_without_any_labelled_row_every_interval_is_the_whole_range() -> None:
    made = trained()
    old = replace(made.split, final=replace(made.split.final, test_first=made.snapshots["as_of"].min()))
    told = caution_of(
        made.found, old, made.of_folds, snapshots=made.snapshots, decided=made.world.decided, config=SMALL
    )
    assert told == Caution(made.caution.half_weight_weeks)
    assert told.spread.regular == NOTHING_KNOWN


def test_a_row_counts_for_the_share_of_the_horizon_that_no_other_row_sees() -> None:
    # 28 days between snapshots that look 90 days ahead; 28 days that look 30 ahead hardly overlap.
    rows = pd.DataFrame(
        {
            "account_id": [f"a{place}" for place in range(900)],
            "risk": 0.1,
            "y": [1.0] * 90 + [0.0] * 810,
            "usable_weeks": 100.0,
            "sources_present": 6.0,
        }
    )
    for days, weight in ((90, 28 / 90), (30, 28 / 30)):
        p0 = risk_spread(rows, SMALL.model_copy(update={"headline_days": days})).regular.p0[0]
        assert p0 == pytest.approx(90 * weight / (900 * weight + 1))


def test_accounts_are_thin_by_full_weeks_of_data() -> None:
    weeks = [51.0, 52.0, 53.0]
    rows = pd.DataFrame(
        {"account_id": ["a", "b", "c"], "risk": 0.1, "y": 0.0, "usable_weeks": weeks, "sources_present": 3.0}
    )
    told = risk_spread(rows, SMALL)
    assert (told.thin.rows, told.regular.rows) == (1, 2)
