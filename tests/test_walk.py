"""What stands after the whole job: laws over every score, every account and every document of the walk."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalogue import FEATURES
from features.cohort import built_as_ofs, read_cohort
from features.store import FeatureStore
from features.vocabulary import WEEK, Band, Phase, Subcategory, parse_moment
from serving.schemas import ExplanationResponse
from serving.scorer import Scorer
from tests.features.snapshot_case import bits
from tests.serving.http_case import Client, service_of
from tests.walk_case import ACCOUNTS, FIRST, LAST, TRIALS, WHY, Walk
from training import promotions
from training.evaluation import Evaluation
from training.registry import ModelRegistry
from training.verdict import GATE_CODES

pytestmark = pytest.mark.timeout(1800)

COLUMNS = (
    "account_id",
    "as_of",
    "risk_30",
    "risk_60",
    "risk_90",
    "risk_180",
    "interval_days",
    "interval_p0",
    "interval_p1",
    "interval_low",
    "interval_high",
    "health",
    "band",
    "grade",
    "phase",
    "base_points",
    "points_engagement",
    "points_campaign",
    "points_output_quality",
    "points_financial",
    "points_sentiment",
    "points_market",
    "points_context",
    "clip_adjust",
    "shrink_adjust",
    "model_version",
)
"""The columns of a score file, as promised to whoever reads one."""

PARTS = ["base_points", *(name for name in COLUMNS if name.startswith("points_")), "clip_adjust", "shrink_adjust"]
NUMBERS = {"health", *PARTS, *(name for name in COLUMNS if name.startswith(("risk_", "interval_")))} - {"interval_days"}


@pytest.fixture(scope="module")
def scores(walked: Walk) -> pd.DataFrame:
    return walked.scores


@pytest.fixture(scope="module")
def cohort(walked: Walk) -> pd.DataFrame:
    return read_cohort(walked.home, [walked.last])


def test_a_score_file_has_exactly_the_promised_columns_and_types(walked: Walk) -> None:
    schema = pq.read_schema(walked.scored)
    assert tuple(schema.names) == COLUMNS
    for name in COLUMNS:
        wanted = pa.float64() if name in NUMBERS else pa.int64() if name == "interval_days" else pa.string()
        assert schema.field(name).type == (pa.timestamp("us", tz="UTC") if name == "as_of" else wanted), name


def test_everybody_who_could_still_leave_has_one_row_and_nobody_else(
    scores: pd.DataFrame, cohort: pd.DataFrame
) -> None:
    could_leave = cohort[cohort["cohort_status"].isin(["at_risk", "lost_pending"])]
    assert scores["account_id"].tolist() == could_leave["account_id"].tolist()
    assert set(scores["as_of"]) == {pd.Timestamp(LAST, tz="UTC")}
    assert (cohort["cohort_status"] == "onboarding").any()
    assert len(scores) > ACCOUNTS / 2


def test_no_cell_of_a_score_file_is_empty_and_every_word_is_known(scores: pd.DataFrame) -> None:
    assert not scores.isna().any(axis=None)
    assert np.isfinite(scores[sorted(NUMBERS)]).all(axis=None)
    assert set(scores["band"]) <= set(Band)
    assert set(scores["phase"]) <= set(Phase)
    assert set(scores["grade"]) <= set("ABCD")
    assert set(scores["model_version"]) == {"1"}
    assert scores["health"].between(0, 100).all()
    # A company of this size has accounts of every kind; a constant would pass what stands above.
    assert len(set(scores["band"])) >= 4
    assert len(set(scores["phase"])) >= 2
    assert scores["health"].std() > 5


def test_risk_never_falls_with_the_horizon(scores: pd.DataFrame) -> None:
    risks = scores[["risk_30", "risk_60", "risk_90", "risk_180"]].to_numpy()
    assert (np.diff(risks, axis=1) >= 0).all()
    assert ((risks > 0) & (risks < 1)).all()


def test_the_points_add_up_to_the_health_score(scores: pd.DataFrame) -> None:
    gap = (scores[PARTS].sum(axis=1) - scores["health"]).abs()
    assert gap.max() < 1e-6
    assert (scores["clip_adjust"].eq(0) | scores["health"].isin([0.0, 100.0]) | scores["shrink_adjust"].ne(0)).all()


def test_notice_given_is_a_band_of_its_own(scores: pd.DataFrame, cohort: pd.DataFrame) -> None:
    pending = cohort.loc[cohort["cohort_status"] == "lost_pending", "account_id"].tolist()
    assert pending
    assert scores.loc[scores["band"] == Band.LOST_PENDING, "account_id"].tolist() == pending


def test_online_features_equal_offline_features_for_every_account(walked: Walk, cohort: pd.DataFrame) -> None:
    # Law 6, over the whole cohort (those too new to be scored, too) and every feature.
    store, names = FeatureStore(walked.home), [feature.name for feature in FEATURES]
    offline = store.historical(cohort[["account_id", "as_of"]])
    online = store.online(cohort["account_id"].tolist())
    assert online["found"].all()
    assert set(online["as_of"]) == {pd.Timestamp(LAST, tz="UTC")}
    assert bits(online, names) == bits(offline, names)
    assert offline[[feature.name for feature in FEATURES if not feature.is_text]].notna().any().mean() > 0.9


def test_the_batch_equals_the_endpoint(own_walk: Walk, scores: pd.DataFrame) -> None:
    # Law 7, through JSON: shortest decimal numbers read back to the same double.
    app, context = service_of(own_walk.home, clock=lambda: own_walk.last, tell=lambda *_: None)
    context.live.refresh()
    try:
        asked = {"account_ids": scores["account_id"].tolist()}
        answer = Client(app).post("/v1/score", json=asked).json()
    finally:
        context.close()
    assert answer["model_version"] == "1"
    told = pd.DataFrame([_row(one["account_id"], one["score"]) for one in answer["results"]])
    pd.testing.assert_frame_equal(told, scores[told.columns.tolist()], check_exact=True)
    assert set(told.columns) == set(COLUMNS) - {"as_of", "model_version"}


def _row(account_id: str, score: dict[str, Any]) -> dict[str, Any]:
    risks = {f"risk_{days.removeprefix('days_')}": risk for days, risk in score.pop("risk").items()}
    points = {f"points_{part}": amount for part, amount in score.pop("points").items()}
    spread = score.pop("risk_range")
    assert spread.pop("width") == spread["high"] - spread["low"]
    interval = {f"interval_{name}": value for name, value in spread.items()}
    return {"account_id": account_id, **risks, **interval, **points, **score}


def test_the_explanation_on_the_command_line_adds_up_and_is_the_scored_one(walked: Walk, scores: pd.DataFrame) -> None:
    document = walked.told["explain"].document
    score = document["score"]
    row = scores.set_index("account_id").loc[walked.explained]
    assert math.isclose(
        score["base_points"] + sum(score["points"].values()) + score["clip_adjust"] + score["shrink_adjust"],
        score["health"],
        abs_tol=1e-6,
    )
    assert score["health"] == row["health"]
    assert score["points"] == {part: row[f"points_{part}"] for part in Subcategory}
    assert score["risk"] == {days: row[f"risk_{days}"] for days in ("30", "60", "90", "180")}
    parts = document["explanation"]["subcategories"]
    assert [(part["subcategory"], part["points"]) for part in parts] == list(score["points"].items())
    assert document["facts"]["annual_value"] > 0


def test_every_account_can_be_explained_with_reasons_from_the_catalogue(walked: Walk) -> None:
    # And the two that the calibration tells apart: its offsets by phase and by segment.
    labels = {feature.label for feature in FEATURES} | {"Segment", "Campaign phase"}
    told = Scorer.open(walked.home).assess_cohort(walked.last)
    silent = [one for one in told if not one.explanation.lowers and not one.explanation.raises]
    assert len(silent) <= len(told) / 50
    for one in told:
        for reason in (*one.explanation.lowers, *one.explanation.raises):
            assert reason.label in labels
            assert reason.actual in reason.sentence
            assert not re.search(r"\bnan\b|\binf\b|None|[{}]", reason.sentence), reason.sentence


def test_the_explanation_over_http_has_its_schema(own_walk: Walk) -> None:
    app, context = service_of(own_walk.home, clock=lambda: own_walk.last, tell=lambda *_: None)
    context.live.refresh()
    try:
        answer = Client(app).get(f"/v1/accounts/{own_walk.explained}/explanation")
    finally:
        context.close()
    assert answer.status_code == 200
    told = ExplanationResponse.model_validate_json(answer.content)
    assert told.account_id == own_walk.explained


def test_the_lines_of_an_explanation_are_for_people(walked: Walk) -> None:
    lines = walked.told["explain"].stdout.splitlines()
    assert re.match(r".+ at 2024-01-01: health \d+ \((red|amber|green|unknown), grade [A-D]\)$", lines[0])
    assert lines[1].startswith("health is 0 to 100; 100 = healthy")
    assert lines[2].startswith("risk of leaving within 30 days")


def test_the_evaluation_is_kept_as_it_was_told(walked: Walk) -> None:
    document = walked.told["train"].document
    kept = walked.home.reports / "1"
    assert json.loads((kept / "evaluation.json").read_text()) == document["evaluation"]
    assert json.loads((kept / "verdict.json").read_text()) == document["verdict"]
    evaluation = Evaluation.model_validate(document["evaluation"])
    assert evaluation.headline.auc_window.value is not None
    assert evaluation.truth is not None
    assert [gate["code"] for gate in document["verdict"]["gates"]] == list(GATE_CODES)
    assert document["verdict"]["passed"] is True
    assert "model version 1 passed every gate" in walked.told["train"].stdout


def test_the_report_stands_alone_and_shows_what_moves_the_score(walked: Walk) -> None:
    report = (walked.home.reports / "1" / "report.html").read_text()
    assert re.findall(r"(?:https?:)?//[^\s\"'<>]+", re.sub(r"base64,[^\"]+", "", report)) == []
    assert not re.search(r"<(?:script|link|iframe)\b|@import|url\((?!data:)", report)
    assert len(re.findall(r'<img[^>]+src="data:image/png;base64,', report)) == report.count("<img") >= 6
    pictures = re.findall(r'<img[^>]+alt="([^"]+)"', report)
    for begin in ("Bars of AUC", "Reliability curve", "Beeswarm of health points", "Scatter plots of health points"):
        assert any(alt.startswith(begin) for alt in pictures), begin
    assert all(gate["title"] in report for gate in walked.told["train"].document["verdict"]["gates"])


def test_mlflow_holds_the_version_its_trials_and_both_aliases(walked: Walk) -> None:
    registry = ModelRegistry(walked.home)
    (version,) = registry.versions()
    assert (version.version, version.judged) == ("1", "passed")
    assert version.verdict == walked.told["train"].document["verdict"]
    runs = registry._client.search_runs([registry._experiment()])
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == version.run_id]
    assert len(nested) == TRIALS == len(runs) - 1
    assert {run.info.status for run in nested} <= {"FINISHED", "KILLED"}
    for alias in ("champion", "challenger"):
        assert str(registry._client.get_model_version_by_alias("campaign-pulse", alias).version) == "1"
    names = {entry.path for entry in registry._client.list_artifacts(version.run_id)}
    assert {"bundle", "report", "verdict.json"} <= names


def test_the_promotion_log_says_who_put_it_live_and_why(walked: Walk) -> None:
    (entry,) = promotions.log(walked.home)
    assert (entry.action, entry.version_from, entry.version_to, entry.why) == ("promote", None, "1", WHY)
    assert entry.verdict["passed"] is True
    assert entry.who
    assert (datetime.now(UTC) - entry.at).total_seconds() >= 0
    assert walked.told["promote"].document == {"action": "promote", "from": None, "to": "1", "why": WHY}


def test_a_snapshot_was_built_for_every_week_asked_for(walked: Walk) -> None:
    built = built_as_ofs(walked.home)
    assert (built[0], built[-1]) == (parse_moment(FIRST), parse_moment(LAST))
    assert {later - earlier for earlier, later in pairwise(built)} == {WEEK}
    document = walked.told["build"].document
    assert document["snapshots"] == len(built)
    assert set(document["rows"].values()) == {document["rows"]["cohort"]}


def test_every_command_kept_stdout_for_its_lines(walked: Walk) -> None:
    for name, told in walked.told.items():
        assert told.stdout.strip(), name
        for noise in ("━", "Warning", "INFO", "Traceback", "\x1b", "0:00"):
            assert noise not in told.stdout, name
        assert "Traceback" not in told.stderr, name
    for name in ("simulate", "ingest", "build", "train", "score"):
        assert "━" in walked.told[name].stderr, name


def test_the_documents_of_the_walk_fit_each_other(walked: Walk, cohort: pd.DataFrame) -> None:
    told = walked.told
    rows = told["simulate"].document["rows"]
    taken = {table["table"]: table for table in told["ingest"].document["tables"]}
    assert {name: table["new"] for name, table in taken.items()} == rows
    assert told["ingest"].document["refused"] == 0
    # Who left within the last week is still online, as of the Monday before.
    lately = read_cohort(walked.home, [walked.last - WEEK, walked.last])
    assert told["build"].document["online"] == lately["account_id"].nunique() >= len(cohort)
    scored = told["score"].document
    assert scored["scored"] == len(walked.scores) == scored["added"] == sum(scored["bands"].values())
    assert scored["onboarding"] == int((cohort["cohort_status"] == "onboarding").sum())
