"""Can a model be made of who buys more, judged like any other, and kept from going live?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import GateRefused, MissingStateError, NoUsableSignal, UsageError
from features.manifest import stored_file
from features.settings import Home
from features.warehouse import Warehouse
from tests.features.sql_case import rows_of
from training import lifecycle, promotions
from training.boosting import monotone_constraints
from training.given import first_changes
from training.material import Material, gather
from training.model import load_bundle
from training.periods import MODEL_INPUTS
from training.registry import ModelRegistry
from training.target import Target
from training.telling import Trained
from training.verdict import GATE_CODES

from .lifecycle_case import CURRENCY, SMALL, stored_portfolio
from .portfolio_case import portfolio

NOW = datetime(2025, 1, 6, 9, tzinfo=UTC)
WORLD = portfolio(250, 140)
UPSELL = SMALL.model_copy(update={"target": Target.UPSELL, "trials": 1, "max_rounds": 40, "least_events": 20})


@dataclass(frozen=True)
class Told:
    """What a training said, and where it was done."""

    home: Home
    trained: Trained


def growing(root: Path) -> Home:
    """The portfolio, but whoever would have left doubles its contract at that moment instead."""
    return _told_otherwise(root, _changed_to(2))


def shrinking(root: Path) -> Home:
    """The portfolio with larger contracts from the start, and whoever would have left halves its own instead."""
    accounts = sorted({*WORLD.cohort["account_id"], *WORLD.decided["account_id"]})
    larger = [f"c-{account} | {account} | 2017-06-01 | 2017-01-01 | - | {CURRENCY} | 10" for account in accounts]
    return _told_otherwise(root, [*larger, *_changed_to(5)])


def _changed_to(amount: int) -> list[str]:
    return [
        f"c-{account} | {account} | {moment.tz_convert(None).isoformat()} | 2017-01-01 | - | {CURRENCY} | {amount}"
        for account, moment in zip(WORLD.decided["account_id"], WORLD.decided["decided_at"], strict=True)
    ]


def _told_otherwise(root: Path, lines: list[str]) -> Home:
    home = stored_portfolio(root, replace(WORLD, decided=WORLD.decided.head(0)))
    header = "contract_id | account_id | valid_from | start_on | end_on | currency | acv_minor"
    rows, dataset = (
        rows_of("contracts_history", "\n".join([header, *lines])),
        Warehouse(home).dataset("contracts_history"),
    )
    path = dataset.staging("load-2")
    pq.write_table(rows, path)
    dataset.commit([(path, stored_file(path, name="load-2", rows=rows.num_rows))])
    return home


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    home = growing(tmp_path_factory.mktemp("targets") / "home")
    return Told(home, lifecycle.train(home, WORLD.data_cut, config=UPSELL, now=NOW))


def test_the_outcomes_are_the_days_on_which_contracts_grew(told: Told) -> None:
    material = gather(told.home, WORLD.data_cut, UPSELL)
    grown = material.decided.sort_values("account_id", ignore_index=True)
    # Whoever was never in the cohort has no contract here before it grows.
    known = WORLD.decided["account_id"].isin(WORLD.cohort["account_id"])
    expected = WORLD.decided[known].sort_values("account_id", ignore_index=True)
    assert grown["account_id"].tolist() == expected["account_id"].tolist()
    assert (grown["decided_at"].dt.floor("D") == expected["decided_at"].dt.floor("D")).all()
    assert set(grown["kind"]) == {"upsell"}


def test_it_is_registered_under_a_name_of_its_own(told: Told) -> None:
    assert told.trained.version == "upsell-1"
    assert ModelRegistry(told.home).versions() == ()
    (version,) = ModelRegistry(told.home, Target.UPSELL).versions()
    assert (version.version, version.judged) == ("upsell-1", version.judged)
    assert version.verdict == told.trained.judgement.verdict.model_dump(mode="json")
    names = [model.name for model in ModelRegistry(told.home)._client.search_registered_models()]
    assert names == ["campaign-pulse-upsell"]


def test_every_gate_was_asked_and_the_ranking_has_skill(told: Told) -> None:
    verdict, evaluation = told.trained.judgement.verdict, told.trained.judgement.evaluation
    assert len(verdict.gates) >= 9
    auc = evaluation.headline.auc_pooled
    assert auc.low is not None
    assert auc.low > 0.5
    assert evaluation.truth is None


def test_no_sign_is_forced_on_a_model_of_who_buys_more(told: Told) -> None:
    bundle = load_bundle(told.home.bundles / "upsell-1")
    assert bundle.config.target is Target.UPSELL
    assert bundle.facts["params"]["monotone_constraints"] == [0] * len(MODEL_INPUTS)


def test_the_report_says_what_left_means_in_it(told: Told) -> None:
    page = told.trained.report.read_text()
    assert "read that it bought more: its annual value was decided to rise by 10% or more at once" in page
    assert told.trained.lines()[0].endswith("accounts that bought more; decisions seen:")


def test_it_can_never_go_live(told: Told) -> None:
    with pytest.raises(MissingStateError):
        lifecycle.promote(told.home, "upsell-1", who="ada", why="", at=NOW)
    # Not even past the registry, and with a verdict that says yes.
    with pytest.raises(GateRefused) as refused:
        promotions.promote(told.home, "upsell-1", who="ada", why="", verdict={"passed": True}, at=NOW)
    assert refused.value.found == "a model of upsell"
    assert promotions.current(told.home) is None


def test_models_of_other_targets_are_listed_apart(told: Told) -> None:
    listing = lifecycle.models(told.home)
    assert listing.document()["versions"] == []
    assert [one["version"] for one in listing.document()["others"]] == ["upsell-1"]
    assert any(line.startswith("upsell-1 ") for line in listing.lines())


def test_the_truth_of_a_simulator_tells_of_leaving_only(told: Told, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the truth does not tell of upsell"):
        lifecycle.train(told.home, WORLD.data_cut, config=UPSELL, now=NOW, truth=tmp_path)


def test_where_nobody_contracted_there_is_nothing_to_learn(told: Told) -> None:
    config = UPSELL.model_copy(update={"target": Target.CONTRACTION})
    with pytest.raises(NoUsableSignal, match="too few outcomes"):
        lifecycle.train(told.home, WORLD.data_cut, config=config, now=NOW)
    assert ModelRegistry(told.home, Target.CONTRACTION).versions() == ()


def test_a_model_of_who_contracts_is_made_and_judged_and_keeps_the_signs_of_the_catalogue(tmp_path: Path) -> None:
    config = UPSELL.model_copy(update={"target": Target.CONTRACTION})
    home = shrinking(tmp_path / "home")
    made = lifecycle.train(home, WORLD.data_cut, config=config, now=NOW)
    fallen = gather(home, WORLD.data_cut, config).decided
    # Contracts are larger from the start here, also of those that were never in the cohort.
    expected = WORLD.decided.sort_values("account_id", ignore_index=True)
    assert fallen.sort_values("account_id")["account_id"].tolist() == expected["account_id"].tolist()
    assert set(fallen["kind"]) == {"contraction"}
    assert made.version == "contraction-1"
    auc = made.judgement.evaluation.headline.auc_pooled
    assert auc.low is not None
    assert auc.low > 0.5
    assert len(made.judgement.verdict.gates) == len(GATE_CODES)
    # What speaks for leaving speaks for spending less: unlike an upsell, it obeys the monotone constraints.
    text = load_bundle(home.bundles / "contraction-1").booster.model_to_string()
    told = text.split("[monotone_constraints: ")[1].split("]")[0]
    assert [int(sign) for sign in told.split(",")] == monotone_constraints()
    assert "read that it contracted" in made.report.read_text()
    assert [one.version for one in lifecycle.models(home).others] == ["contraction-1"]
    with pytest.raises(MissingStateError):
        lifecycle.promote(home, "contraction-1", who="ada", why="", at=NOW)


def test_an_accounts_first_change_in_the_block_is_the_one_that_alerts_are_judged_by() -> None:
    moments = pd.to_datetime(["2023-01-01", "2024-02-01", "2024-05-01", "2023-03-01", "2023-06-01"], utc=True)
    decided = pd.DataFrame({"account_id": ["a", "a", "a", "b", "b"], "decided_at": moments})
    material = Material(pd.DataFrame(), pd.DataFrame(), decided, (), NOW)
    told = first_changes(material, datetime(2024, 1, 1, tzinfo=UTC)).decided
    assert list(zip(told["account_id"], told["decided_at"].dt.strftime("%Y-%m-%d"), strict=True)) == [
        ("a", "2024-02-01"),
        ("b", "2023-06-01"),
    ]
