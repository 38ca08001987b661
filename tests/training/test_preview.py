"""What a promotion would change: bands, revenue, names; and what the page says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from features.errors import DataContractError, MissingStateError
from features.settings import Home
from training.bundle import Bundle
from training.evaluation_parts import DeltaEvaluation
from training.preview import BandMove, Mover, Preview, changes
from training.previewing import preview, stored_preview

from .bundle_case import trained
from .lifecycle_case import stored_portfolio

AS_OF = pd.Timestamp("2024-06-03", tz="UTC")
FACTS = pd.DataFrame(
    {
        "account_id": ["a", "b", "c", "d"],
        "as_of": [AS_OF] * 4,
        "annual_value": [100.0, 1000.0, None, 50.0],
        "currency": ["EUR", "EUR", "EUR", "USD"],
    }
)


def scores(bands: str, risks: list[float], healths: list[float]) -> pd.DataFrame:
    return FACTS[["account_id"]].assign(band=bands.split(), risk_90=risks, health=healths)


LIVE = scores("green amber red amber", [0.1, 0.2, 0.5, 0.2], [80, 50, 20, 60])
NEW = scores("green red amber amber", [0.1, 0.6, 0.3, 0.4], [81, 30, 48, 46])


def told(live: pd.DataFrame | None = LIVE, new: pd.DataFrame = NEW) -> Preview:
    return changes(FACTS, new, live, versions=("2", "1" if live is not None else None), horizon_days=90)


def test_it_counts_who_moves_between_which_bands() -> None:
    assert told().changed == 2
    assert told().moves == (
        BandMove(band_from="green", band_to="green", accounts=1),
        BandMove(band_from="amber", band_to="amber", accounts=1),
        BandMove(band_from="amber", band_to="red", accounts=1),
        BandMove(band_from="red", band_to="amber", accounts=1),
    )
    assert sum(move.accounts for move in told().moves) == told().accounts == len(FACTS)


def test_revenue_is_told_per_currency_and_an_unknown_value_adds_nothing() -> None:
    euro, dollar = told().revenue
    assert (euro.currency, euro.accounts, euro.annual_value) == ("EUR", 3, 1100.0)
    assert (euro.at_risk_live, euro.at_risk_new) == pytest.approx((210.0, 610.0))
    assert (euro.into_red, euro.out_of_red) == (1000.0, 0.0)
    assert (dollar.at_risk_live, dollar.at_risk_new) == pytest.approx((10.0, 20.0))


def test_the_accounts_with_most_at_stake_come_first() -> None:
    first, second = told().movers
    assert first == Mover(
        account_id="b",
        band_from="amber",
        band_to="red",
        health_from=50,
        health_to=30,
        annual_value=1000.0,
        currency="EUR",
    )
    assert (second.account_id, second.annual_value) == ("c", None)


def test_the_same_model_changes_nothing() -> None:
    same = told(live=LIVE, new=LIVE)
    assert (same.changed, same.movers) == (0, ())
    assert all(one.at_risk_live == one.at_risk_new and one.into_red == one.out_of_red == 0 for one in same.revenue)


def test_the_first_model_of_all_moves_everybody_out_of_nowhere_and_names_nobody() -> None:
    first = told(live=None)
    assert (first.live, first.changed, first.movers) == (None, 4, ())
    assert {move.band_from for move in first.moves} == {"not scored"}
    assert [one.at_risk_live for one in first.revenue] == [None, None]


def test_the_lines_tell_counts_and_sums_and_no_account() -> None:
    lines = told().model_copy(update={"backtest_note": "none"}).lines()
    assert lines == [
        "version 2 instead of version 1, at 2024-06-03:",
        "2 of 4 accounts change band (50%)",
        "  amber -> red: 1",
        "  red -> amber: 1",
        "EUR: revenue at risk in 90 days 210 -> 610 of 1,100; 1,000 enters red, 0 leaves it",
        "USD: revenue at risk in 90 days 10 -> 20 of 50; 0 enters red, 0 leaves it",
        "backtest: none",
    ]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (FACTS.iloc[::-1].reset_index(drop=True), "another order"),
        (FACTS.assign(as_of=[AS_OF, AS_OF, AS_OF, AS_OF + timedelta(weeks=1)]), "2 dates"),
        (FACTS.iloc[:0], "0 dates"),
    ],
)
def test_scores_of_other_rows_are_refused(facts: pd.DataFrame, found: str) -> None:
    with pytest.raises(DataContractError) as refusal:
        changes(facts, NEW, LIVE, versions=("2", "1"), horizon_days=90)
    assert found in refusal.value.found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_portfolio(tmp_path_factory.mktemp("preview") / "home", trained().world)


def bolder() -> Bundle:
    """The same trees, twice as sure of themselves: other bands, the same order."""
    bundle = trained().bundle
    sure = replace(bundle.calibration, slope=2 * bundle.calibration.slope)
    return replace(bundle, version="2", calibration=sure)


def test_two_models_are_compared_on_the_newest_snapshot_and_on_rows_that_neither_learnt_from(home: Home) -> None:
    made, cut = trained(), trained().world.data_cut
    compared, page = preview(home, bolder(), made.bundle, cut)
    assert compared.as_of <= cut
    assert 0 < compared.changed < compared.accounts
    assert isinstance(compared.backtest, DeltaEvaluation)
    assert compared.backtest.auc_pooled.value is not None
    # Not earlier than the block that the models were judged on: before it, both learnt.
    assert f"from {made.split.final.test_first:%Y-%m-%d}" in compared.backtest_note
    assert stored_preview(home, "2") == compared
    text = page.read_text()
    assert f"{compared.changed} of {compared.accounts} accounts" in " ".join(text.split())
    assert all(mover.account_id in text for mover in compared.movers)


def test_a_model_against_itself_has_no_lead(home: Home) -> None:
    bundle = trained().bundle
    compared, _ = preview(home, bundle, bundle, trained().world.data_cut)
    assert compared.changed == 0
    assert compared.backtest is not None
    assert (compared.backtest.auc_pooled.value, compared.backtest.ap_pooled.value) == (0.0, 0.0)


def test_without_a_live_model_there_is_no_backtest_and_the_note_says_why(home: Home) -> None:
    compared, _ = preview(home, trained().bundle, None, trained().world.data_cut)
    assert (compared.backtest, compared.backtest_note) == (None, "no model is live to compare with")


def test_a_date_without_a_snapshot_near_it_is_refused(home: Home) -> None:
    with pytest.raises(MissingStateError, match="8 days before"):
        preview(home, trained().bundle, None, trained().world.data_cut + timedelta(days=400))


def test_before_the_models_own_data_end_there_is_no_backtest(home: Home) -> None:
    made, cut = trained(), trained().world.data_cut
    early, _ = preview(home, bolder(), made.bundle, cut - timedelta(days=7))
    assert early.backtest is None
    assert "untouched snapshots are not known yet" in early.backtest_note
