"""Does the notebook on labels count what training counts, also where contracts end in unusual ways?"""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.manifest import stored_file
from features.settings import Home
from features.vocabulary import HORIZONS_DAYS, CohortStatus
from features.warehouse import Warehouse
from tests.features.sql_case import rows_of
from training.config import TrainingConfig
from training.labels import horizon_labels, outcomes

from .notebook_case import LABELS, Run, Told, executed, files_of, marks, sentences, titles

if TYPE_CHECKING:
    from tests.walk_case import Walk

pytestmark = pytest.mark.timeout(1800)

CONFIG = TrainingConfig()


@pytest.fixture(scope="module")
def before(home: Home) -> dict[str, tuple[int, int]]:
    return files_of(home)


@pytest.fixture(scope="module")
def told(home: Home, scratch: Path, before: object) -> Told:
    return executed(LABELS, home, scratch)


@pytest.fixture(scope="module")
def decided(home: Home) -> pd.DataFrame:
    """The losses as training counts them."""
    return outcomes(home, built_as_ofs(home)[-1], CONFIG)


def test_losses_are_those_that_training_counts(told: Told, decided: pd.DataFrame) -> None:
    assert f"**{int(decided['voluntary'].sum()):,}** of 600 accounts were lost of their own will" in told.text
    apart = (decided["effective_at"] - decided["decided_at"]).dt.days
    known = (decided["known_at"] - decided["decided_at"]).dt.total_seconds() / 86_400
    assert f"decided **{apart.median():.0f} days** before its last day" in told.text
    assert f"known {known.median():.0f} days after the decision" in told.text


def test_labels_of_every_horizon_are_those_that_training_makes(told: Told, home: Home, decided: pd.DataFrame) -> None:
    cohort = read_cohort(home)
    rows = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK].reset_index(drop=True)
    made = horizon_labels(rows, decided, data_cut=built_as_ofs(home)[-1], config=CONFIG)
    (table,) = (html for html in told.tables if "rows per leaver" in html)
    for days in HORIZONS_DAYS:
        label = made[f"y_{days}"]
        left = rows.loc[label == 1, "account_id"]
        shown = (f"{label.notna().sum():,}", f"{len(left):,}", str(left.nunique()), f"{label.mean():.1%}")
        assert all(f">{number}</td>" in table for number in shown), (days, shown)


def test_the_second_count_agrees_with_the_stored_evaluation(told: Told, home: Home) -> None:
    assert "**The same** rows and leavers at every horizon" in told.text
    document = json.loads((home.reports / "1" / "evaluation.json").read_text())
    (table,) = (html for html in told.tables if "rows judged" in html)
    for found in document["horizons"].values():
        # Once counted here, once as judged.
        assert table.count(f">{found['auc_pooled']['rows']}</td>") >= 2


def test_its_windows_are_those_of_training() -> None:
    text = LABELS.read_text()
    for name, window in (("GRACE", CONFIG.grace), ("LABEL_LAG", CONFIG.label_lag)):
        assert f"{name} = pd.Timedelta(days={window.days})" in text
    assert f"HEADLINE = {CONFIG.headline_days} " in text


def test_a_label_on_the_last_day_is_mostly_told_by_notices_on_file(told: Told) -> None:
    found = re.search(r"that rule finds \*\*(\S+)%\*\* of .* its AUC is \*\*(\S+)\*\*", told.text)
    assert found is not None
    # The made-up company gives notice 8 weeks before the end: about 60 of the last 90 days are in plain sight.
    assert 40 < float(found[1]) < 70
    assert float(found[2]) > 0.7


def test_every_part_is_drawn(told: Told) -> None:
    assert marks(told, "What became of every account", "bar") >= 2
    assert marks(told, "Losses by the quarter", "bar") >= 8
    assert marks(told, "easily taken for one", "bar") > 4
    assert marks(told, "in plain sight", "line mark") == 1
    assert marks(told, "by the day that counts", "bar") == 3 * len(HORIZONS_DAYS)
    assert marks(told, "may be read at the cut", "bar") > 52
    assert marks(told, "known by then", "line mark") == len(HORIZONS_DAYS)
    assert marks(told, "by when the account decides", "bar") == 3 * len(HORIZONS_DAYS)


def test_reading_labels_writes_nothing(told: Told, home: Home, before: dict[str, tuple[int, int]]) -> None:
    assert told.text
    assert files_of(home) == before


# --- Contracts that end in unusual ways ------------------------------------------------------------------------------


def add_rows(home: Home, table: str, text: str) -> None:
    rows, dataset = rows_of(table, text), Warehouse(home).dataset(table)
    path = dataset.staging("unusual")
    pq.write_table(rows, path)
    dataset.commit([(path, stored_file(path, name="unusual", rows=rows.num_rows))])


def contract_of(account: str) -> str:
    return f"ct-{account.removeprefix('acc-')}"


def events(rows: list[tuple[str, str, datetime]]) -> str:
    header = "contract_event_id|contract_id|account_id|type|event_at|effective_on|available_at"
    lines = [
        f"odd-{place}|{contract_of(name)}|{name}|{kind}|{at:%Y-%m-%dT%H:%M}Z|{at + timedelta(days=20):%Y-%m-%d}"
        f"|{at + timedelta(days=1):%Y-%m-%dT%H:%M}Z"
        for place, (name, kind, at) in enumerate(rows)
    ]
    return "\n".join([header, *lines])


def test_unusual_endings_are_told_as_training_judges_them(own_walk: Walk, decided: pd.DataFrame, ran: Run) -> None:
    home, cut = own_walk.home, built_as_ofs(own_walk.home)[-1]
    late = decided[decided["effective_at"] > pd.Timestamp(cut) - pd.Timedelta(weeks=20)]["account_id"].tolist()
    merged, kept_another = late[:2]
    cohort = read_cohort(home, [cut])
    stay = cohort[(cohort["cohort_status"] == CohortStatus.AT_RISK) & cohort["decision_on"].notna()]
    unpaid, taken_back = stay[~stay["account_id"].isin(decided["account_id"])]["account_id"].tolist()[:2]
    at = cut - timedelta(days=40)
    told = [(merged, "merged_into", at), (unpaid, "terminated_nonpayment", at), (taken_back, "notice_given", at)]
    add_rows(home, "contract_events", events([*told, (taken_back, "notice_withdrawn", at + timedelta(days=3))]))
    second = f"ct-more|2021-01-04T00:00|2021-01-04T00:00|{kept_another}|2021-01-04||12|USD|100000"
    header = "contract_id|valid_from|available_at|account_id|start_on|end_on|term_months|currency|acv_minor"
    add_rows(home, "contracts_history", f"{header}\n{second}")
    counted = outcomes(home, cut, CONFIG)
    assert set(decided["account_id"]) - set(counted["account_id"]) == {merged, kept_another}  # the case is one
    assert counted.loc[~counted["voluntary"], "account_id"].tolist() == [unpaid]

    # With a judged model the labels would differ from its: it was judged before. They are shown without one as well.
    shutil.rmtree(home.reports)
    shutil.rmtree(home.bundles)

    shown = ran(LABELS, home)

    assert "No model has been judged here" in sentences(shown)
    assert f"**{int(counted['voluntary'].sum()):,}** of 600 accounts" in sentences(shown)
    assert "Not in this data" not in sentences(shown)
    fates = next(chart for chart in shown if "What became of every account" in titles([chart])).to_dict()
    (rows,) = fates["datasets"].values()
    found = {row["fate"]: (row["accounts"], row["counts as"]) for row in rows}
    assert found["ended by the vendor"] == (1, "censored")
    assert found["merged into another contract"] == (1, "no loss")
    assert found["lost one contract, kept another"] == (1, "no loss")
    assert found["the notice was taken back"] == (1, "no loss")
    assert found["lost"] == (int(counted["voluntary"].sum()), "a loss")


# --- Homes that lack things ------------------------------------------------------------------------------------------


def test_a_home_without_data_or_features_says_what_to_run(own_walk: Walk, ran: Run, tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="run `pulse ingest DIR`"):
        ran(LABELS, Home(root=tmp_path / "nothing"))
    shutil.rmtree(own_walk.home.snapshots)
    with pytest.raises(MissingStateError, match="run `pulse build`"):
        ran(LABELS, own_walk.home)
