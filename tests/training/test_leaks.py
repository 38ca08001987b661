"""Does the leak check name every column that knows the outcome, no honest one, and pass nothing that it cannot ask?"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.catalogue import MODEL_FEATURES
from features.errors import LeakFound, NoUsableSignal, UsageError, exit_code
from training.candidates import read_candidates
from training.config import TrainingConfig
from training.leak_report import LIMITS, Evidence, LeakReport
from training.leaks import Candidates, look_for_leaks
from training.material import Material

from .bundle_case import features_of
from .portfolio_case import portfolio

CONFIG = TrainingConfig()
HONEST = MODEL_FEATURES[3]


@cache
def material(seed: int = 7, accounts: int = 400) -> Material:
    """A made-up portfolio whose features see a little of a state that fades."""
    world = portfolio(accounts, seed=seed)
    cohort = world.cohort.reset_index(drop=True)
    return Material(cohort, features_of(world, cohort), world.decided, (), world.data_cut)


def export(made: Material, *, seed: int = 1, told: float = 0.95) -> pd.DataFrame:
    """A current-state export at the cut, as a CRM gives it: edited after each account decided; and harmless columns."""
    draw = np.random.default_rng(seed)
    accounts = sorted(made.cohort["account_id"].unique())
    gone = pd.Series(accounts).isin(made.decided["account_id"]).to_numpy() & (draw.random(len(accounts)) < told)
    wrong = draw.random(len(accounts)) < 0.01
    lost = gone | wrong
    age = np.where(lost, draw.integers(60, 900, len(accounts)), draw.integers(0, 30, len(accounts)))
    return pd.DataFrame(
        {
            "account_id": accounts,
            "status": np.where(lost, "cancelled", "active"),
            "note": np.where(lost, "leaving", np.where(draw.random(len(accounts)) < 0.5, "fine", None)),
            "renews": ~lost,
            "days_since_update": age,
            "only_of_survivors": np.where(lost, np.nan, draw.normal(size=len(accounts))),
            "own_id": [f"crm-{account}" for account in accounts],
            "dice": draw.normal(size=len(accounts)),
            "colour": draw.choice(["red", "green", "blue"], len(accounts)),
            "always": "same",
            "never": None,
        }
    )


LEAKS = ["days_since_update", "note", "only_of_survivors", "renews", "status"]


def joined(made: Material, rows: pd.DataFrame) -> Candidates:
    """The careless join: by account alone, to every date."""
    return Candidates("crm", made.snapshots[["account_id"]].merge(rows, how="left").drop(columns="account_id"))


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_no_honest_feature_is_called_a_leak(seed: int) -> None:
    report = look_for_leaks(material(seed), CONFIG)
    assert (report.findings, report.failure()) == ((), None)
    assert (report.columns, report.questions) == (len(MODEL_FEATURES), ("near", "far"))
    report.require_none()


def test_every_column_edited_after_the_outcome_is_named_and_no_harmless_one() -> None:
    made = material()
    report = look_for_leaks(made, CONFIG, candidates=joined(made, export(made)))
    assert sorted(finding.column for finding in report.findings) == LEAKS
    assert {finding.origin for finding in report.findings} == {"crm"}
    assert report.columns == len(MODEL_FEATURES) + 10
    refusal = report.failure()
    assert isinstance(refusal, LeakFound)
    assert exit_code(refusal) == 11
    assert all(f"{name} (crm)" in refusal.found for name in LEAKS)
    assert [line.split()[0] for line in report.lines()[1:]] == [finding.column for finding in report.findings]
    document = report.document()
    assert [leak["column"] for leak in document["leaks"]] == [finding.column for finding in report.findings]
    with pytest.raises(LeakFound):
        report.require_none()


def test_a_feature_that_looks_ahead_is_named_as_one_of_the_catalogue() -> None:
    # As a step would leak that reads usage of the weeks after the snapshot: silence once the account has decided.
    made = material()
    ahead = pd.to_datetime(
        made.snapshots["account_id"].map(made.decided.set_index("account_id")["decided_at"]), utc=True
    )
    gone = (ahead - made.snapshots["as_of"]) <= pd.Timedelta(days=90)
    noise = np.random.default_rng(3).normal(size=len(gone))
    leaking = made.snapshots.assign(**{HONEST: np.where(gone, -9.0, noise)})
    report = look_for_leaks(replace(made, snapshots=leaking), CONFIG)
    ((finding,),) = (report.findings,)
    assert (finding.column, finding.origin) == (HONEST, "catalogue")
    assert [each.question for each in finding.evidence if each.is_leak] == ["near"]


def test_the_measure_is_the_auc_of_an_account_weighted_row_in_each_half() -> None:
    made = material()
    column = np.random.default_rng(5).normal(size=len(made.snapshots))
    column[::2] = np.nan
    status = pd.Series(np.where(np.isnan(column), None, np.where(column > 0, "up", "down")), dtype=object)
    decided = made.decided.set_index("account_id")["decided_at"]
    rows = made.snapshots[["account_id", "as_of"]].assign(status=status, risk=made.cohort["cohort_status"])
    rows["days"] = (pd.to_datetime(rows["account_id"].map(decided), utc=True) - rows["as_of"]) / pd.Timedelta(days=1)
    seen = (pd.Timestamp(made.data_cut) - rows["as_of"] - CONFIG.settling) / pd.Timedelta(days=1)
    rows = rows[(rows["risk"] == "at_risk") & ~(rows["days"] <= 180) & (seen >= 545)]
    weight = 1 / rows["account_id"].map(rows["account_id"].value_counts())
    left = (rows["days"] <= 545).astype(float)
    expected = _by_hand(rows, left, weight)
    candidates = Candidates("crm", pd.DataFrame({"status": status}))
    kept = {**LIMITS}
    try:
        LIMITS["far"] = -1.0  # every column is told, so that the number can be read
        report = look_for_leaks(made, CONFIG, candidates=candidates)
    finally:
        LIMITS.update(kept)
    (found,) = (finding for finding in report.findings if finding.origin == "crm")
    (far,) = (each for each in found.evidence if each.question == "far")
    assert far.value == pytest.approx(expected, abs=1e-12)
    assert far.leavers == rows["account_id"][left > 0].nunique()
    assert far.low < far.value


def _by_hand(rows: pd.DataFrame, left: pd.Series[float], weight: pd.Series[float]) -> float:
    """Each half's values ranked by the share that left in the other half, graded by scikit-learn."""
    from training.leaks import _halves  # noqa: PLC0415  which half is chance; only the sides matter

    half = _halves(rows["account_id"])
    words = rows["status"].fillna("none").to_numpy()
    found = []
    for judged, by in ((half, ~half), (~half, half)):
        part = pd.DataFrame({"word": words[by], "left": (left * weight)[by], "all": weight[by]})
        sums = part.groupby("word").sum()
        share = sums["left"].sum() / sums["all"].sum()
        rate = (sums["left"] + 5 * share) / (sums["all"] + 5)
        score = pd.Series(words[judged]).map(rate)
        found.append(roc_auc_score(left[judged], score, sample_weight=weight[judged]))
    return float(np.mean(found))


def test_too_few_outcomes_pass_nothing() -> None:
    made = material()
    few = made.decided.iloc[:5]
    with pytest.raises(NoUsableSignal, match="too few outcomes to look for leaks"):
        look_for_leaks(replace(made, decided=few), CONFIG)


def test_the_bound_is_wide_where_few_accounts_speak() -> None:
    # 60 accounts of which 25 say nearly all the same: not enough to be called.
    widths = []
    for accounts in (150, 400):
        made = material(7, accounts)
        report = look_for_leaks(made, CONFIG, candidates=joined(made, export(made)))
        (status,) = (finding for finding in report.findings if finding.column == "status")
        (far,) = (each for each in status.evidence if each.question == "far")
        widths.append(far.value - far.low)
    assert widths[0] > 1.4 * widths[1]
    assert not Evidence("far", 0.95, 0.74, 20, 20).is_leak
    assert Evidence("far", 0.95, 0.76, 20, 20).is_leak


def write(folder: Path, rows: pd.DataFrame, name: str = "crm.parquet") -> Path:
    path = folder / name
    rows.to_csv(path, index=False) if name.endswith("csv") else rows.to_parquet(path)
    return path


def found_in(path: Path, made: Material) -> LeakReport:
    return look_for_leaks(made, CONFIG, candidates=read_candidates(path, made.snapshots))


@pytest.mark.parametrize("name", ["crm.parquet", "crm.csv"])
def test_an_export_is_read_as_it_is_and_joined_by_account(tmp_path: Path, name: str) -> None:
    made = material()
    report = found_in(write(tmp_path, export(made), name), made)
    assert sorted(finding.column for finding in report.findings) == LEAKS
    assert report.findings[0].origin == name


def test_two_exports_tell_which_columns_were_edited_when_accounts_left(tmp_path: Path) -> None:
    made = material()
    cut = pd.Timestamp(made.data_cut)
    early = cut - pd.Timedelta(weeks=78)
    late, then = export(made), export(made)
    still = ~then["account_id"].isin(made.decided[made.decided["decided_at"] <= early]["account_id"])
    then.loc[still, ["status", "renews", "note"]] = ["active", True, "fine"]
    both = pd.concat([then.assign(exported_at=early), late.assign(exported_at=cut)])
    report = found_in(write(tmp_path, both), made)
    (status,) = (finding for finding in report.findings if finding.column == "status")
    (edited,) = (each for each in status.evidence if each.question == "edited")
    left = made.decided[(made.decided["decided_at"] > early) & (made.decided["decided_at"] <= cut)]
    assert edited.leavers == left["account_id"].isin(late["account_id"]).sum()
    assert edited.value > 0.85
    assert edited.is_leak
    assert "dice" not in {finding.column for finding in report.findings}


def test_a_file_with_a_row_per_date_is_joined_to_its_dates(tmp_path: Path) -> None:
    made = material()
    own = made.snapshots[["account_id", "as_of", HONEST]].rename(columns={HONEST: "own"})
    candidates = read_candidates(write(tmp_path, own.sample(frac=1.0, random_state=1)), made.snapshots)
    pd.testing.assert_series_equal(candidates.values["own"], made.snapshots[HONEST], check_names=False)
    assert candidates.edits is None


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no account", {"account": ["a"], "x": [1]}, "account_id"),
    ("nothing to judge", {"account_id": ["a"]}, "account_id"),
    ("doubled", {"account_id": ["a", "a"], "x": [1, 2]}, "one row per account_id"),
    ("no moment", {"account_id": ["a"], "exported_at": ["soon"], "x": [1]}, "moments in exported_at"),
]


@pytest.mark.parametrize(("columns", "expected"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_file_that_cannot_be_judged_is_refused(tmp_path: Path, columns: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match="cannot be judged") as refusal:
        read_candidates(write(tmp_path, pd.DataFrame(columns)), material().snapshots)
    assert expected in refusal.value.expected


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.csv"):
        (tmp_path / name).write_bytes(b"" if name.endswith("csv") else b"no parquet")
        with pytest.raises(UsageError, match="cannot be judged"):
            read_candidates(tmp_path / name, material().snapshots)
    with pytest.raises(UsageError, match="cannot be judged"):
        read_candidates(tmp_path / "nowhere.parquet", material().snapshots)
