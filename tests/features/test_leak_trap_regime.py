"""Does the current-state export tell who has left, in exactly the six planted columns, while the tables stay clean?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from features.events import TABLES
from features.simulator import simulate
from features.simulator.traps import EXPORT, TRAPS
from features.simulator.writer import ARROW_TYPES
from tests.features.simulator_case import START, table

OF_THE_DESIGN = [
    "account_status_current",
    "last_invoice_status",
    "csm_risk_note",
    "renewal_stage_current",
    "auto_renew_current",
    "days_since_last_update",
]
TELLS = {
    "account_status_current": "cancelled",
    "last_invoice_status": "void",
    "csm_risk_note": "leaving",
    "renewal_stage_current": "closed_lost",
    "auto_renew_current": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trap")
    simulate(regime="leak_trap", accounts=250, seed=2, start=START, weeks=104, out=out)
    return out


@pytest.fixture(scope="module")
def export(folder: Path) -> pd.DataFrame:
    rows = table(folder, EXPORT)
    gone = table(folder, "truth/decisions").set_index("account_id")
    rows["decided_at"] = rows["account_id"].map(gone["decided_at"])
    return rows.assign(known_at=rows["account_id"].map(gone["known_at"]))


def told(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows[column] > 60 if column not in TELLS else rows[column] == TELLS[column]


def test_the_six_columns_of_the_design_are_planted_and_declared(folder: Path) -> None:
    stored = pq.read_schema(folder / f"{EXPORT}.parquet")
    assert stored.names == ["account_id", "exported_at", *OF_THE_DESIGN]
    assert [trap.column.name for trap in TRAPS] == OF_THE_DESIGN
    assert all(stored.field(trap.column.name).type == ARROW_TYPES[trap.column.kind] for trap in TRAPS)
    # No canonical table, and so no feature, has such a column.
    declared = {column.name for known in TABLES.values() for column in known.columns}
    assert not declared & set(OF_THE_DESIGN)


def test_the_truth_names_the_planted_columns_with_their_mechanism(folder: Path, export: pd.DataFrame) -> None:
    leaks = table(folder, "truth/leaks").set_index("column")
    assert leaks.index.tolist() == OF_THE_DESIGN
    assert leaks["mechanism"].str.len().min() > 20
    last = export[export["exported_at"] == export["exported_at"].max()]
    for name in OF_THE_DESIGN:
        assert leaks.loc[name, "of_leavers"] == told(last[last["decided_at"].notna()], name).mean()
        assert leaks.loc[name, "of_stayers"] == told(last[last["decided_at"].isna()], name).mean()


@pytest.mark.parametrize("column", OF_THE_DESIGN)
def test_a_planted_column_alone_tells_who_had_left_by_the_export(export: pd.DataFrame, column: str) -> None:
    for moment, rows in export.groupby("exported_at"):
        left = rows["known_at"] < moment - pd.Timedelta(days=120)
        assert left.sum() > 15
        others = rows["decided_at"].isna() | (rows["decided_at"] > moment)
        judged = rows[left | others]
        assert roc_auc_score(left[left | others], told(judged, column)) > 0.85


@pytest.mark.parametrize("column", OF_THE_DESIGN)
def test_a_planted_column_is_edited_after_the_decision_and_not_before(export: pd.DataFrame, column: str) -> None:
    earlier, last = (rows.set_index("account_id") for _, rows in export.groupby("exported_at"))
    between = earlier[earlier["decided_at"] > earlier["exported_at"]].index
    assert len(between) > 10
    before, after = told(earlier.loc[between], column).mean(), told(last.loc[between], column).mean()
    # Some decisions are younger than their trace; a record is edited until the contract ends, and then grows old.
    assert before < 0.15
    assert after > before + (0.15 if column == "days_since_last_update" else 0.35)


def test_accounts_that_had_not_signed_are_in_no_export(folder: Path, export: pd.DataFrame) -> None:
    signed = table(folder, "accounts_history").groupby("account_id")["created_on"].min()
    created = pd.to_datetime(export["account_id"].map(signed)).dt.tz_localize("UTC")
    assert (created < export["exported_at"]).all()
    assert export["exported_at"].nunique() == 2
    assert (export["exported_at"].max() - export["exported_at"].min()).days == 26 * 7
    assert not export.duplicated(["account_id", "exported_at"]).any()
    assert (export["days_since_last_update"] >= 0).all()
