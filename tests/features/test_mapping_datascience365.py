"""Does the real subscription business come in whole, as its mapping says?"""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from features.settings import Home
from features.sources import IngestReport, onboarding_of
from features.warehouse import Warehouse
from tests.features.source_case import stored, take_in

FOLDER_VARIABLE = "PULSE_DATASCIENCE365"
FOLDER = Path(os.environ.get(FOLDER_VARIABLE) or Path(__file__).parents[3] / "shared" / "data" / "datascience365")
MONTHS = {"Monthly": 1, "Quarterly": 3, "Annual": 12}

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason=f"the real data are not here: set {FOLDER_VARIABLE} to the folder of the 365_*.csv files",
)


def source(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"365_{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, IngestReport]:
    home = Home(root=tmp_path_factory.mktemp("real") / "home")
    return home, take_in(home, FOLDER, mapping="datascience365")


@pytest.fixture(scope="module")
def buyers() -> set[str]:
    return {row["student_id"] for row in source("student_purchases")}


def test_every_row_of_a_buyer_is_taken_and_none_is_refused(loaded: tuple[Home, IngestReport], buyers: set[str]) -> None:
    home, report = loaded
    assert report.refused == 0, report.worst
    purchases = len(source("student_purchases"))
    attempts = {
        (row["student_id"], row["date_exam_completed"])
        for row in source("student_exams")
        if row["student_id"] in buyers
    }
    watched = {
        (row["student_id"], row["date_watched"]) for row in source("student_learning") if row["student_id"] in buyers
    }
    engaged = [row for row in source("student_engagement") if row["student_id"] in buyers]
    assert Warehouse(home).loaded_tables() == {
        "accounts_history": len(buyers),
        "contracts_history": purchases,
        "contract_events": purchases,
        "subscription_lines_history": purchases,
        "seat_assignments_history": len(buyers),
        "usage_daily": len(engaged) + len(watched) + len(attempts),
        "tickets_history": sum(row["student_id"] in buyers for row in source("student_hub_questions")),
        "survey_responses": sum(row["student_id"] in buyers for row in source("course_ratings")),
    }


def test_contracts_end_when_their_plan_does(loaded: tuple[Home, IngestReport]) -> None:
    plans = {f"purchase-{row['purchase_id']}": row for row in source("student_purchases")}
    for row in stored(loaded[0], "contracts_history", "contract_id", "account_id", "start_on", "end_on", "term_months"):
        plan = plans[row["contract_id"]]
        start, months = date.fromisoformat(plan["date_purchased"]), MONTHS[plan["purchase_type"]]
        assert (row["account_id"], row["start_on"], row["term_months"]) == (plan["student_id"], start, months)
        # The day before the same day of the month in which the plan ends, or before that month's last day.
        years, month = divmod(start.month - 1 + months, 12)
        first = date(start.year + years, month + 1, 1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        assert row["end_on"] == min(first + timedelta(days=start.day - 1), last) - timedelta(days=1)


def test_seats_begin_with_the_first_purchase(loaded: tuple[Home, IngestReport]) -> None:
    first: dict[str, str] = {}
    for row in source("student_purchases"):
        first[row["student_id"]] = min(first.get(row["student_id"], "9"), row["date_purchased"])
    seats = stored(loaded[0], "seat_assignments_history", "account_id", "assigned_at")
    assert {row["account_id"]: row["assigned_at"].date().isoformat() for row in seats} == first


def test_minutes_and_exams_are_the_sums_of_the_source(loaded: tuple[Home, IngestReport], buyers: set[str]) -> None:
    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    events: Counter[tuple[str, str, str]] = Counter()
    for row in source("student_learning"):
        key = ("lessons", row["student_id"], row["date_watched"])
        minutes[key] += float(row["minutes_watched"])
        events[key] += 1
    for row in source("student_exams"):
        key = ("exams", row["student_id"], row["date_exam_completed"])
        minutes[key] += float(row["exam_completion_time"])
        events[key] += 1
    kept = ("product_sku", "account_id", "usage_date", "active_minutes", "events")
    for row in stored(loaded[0], "usage_daily", *kept):
        key = (row["product_sku"], row["account_id"], row["usage_date"].isoformat())
        if row["product_sku"] != "platform":
            assert row["account_id"] in buyers
            assert row["active_minutes"] == pytest.approx(minutes[key], abs=1e-9)
            assert row["events"] == events[key]


def test_ratings_become_shares_of_the_best(loaded: tuple[Home, IngestReport], buyers: set[str]) -> None:
    said = Counter(int(row["course_rating"]) for row in source("course_ratings") if row["student_id"] in buyers)
    scores = Counter(row["score_01"] for row in stored(loaded[0], "survey_responses", "score_01"))
    assert scores == {(stars - 1) / 4: count for stars, count in said.items()}


def test_everything_is_known_after_its_day_and_within_three(loaded: tuple[Home, IngestReport]) -> None:
    for table in Warehouse(loaded[0]).loaded_tables():
        with Warehouse(loaded[0]).engine(threads=1) as engine:
            lags = engine.fetch(
                f"SELECT MIN(available_at - event_at) AS low, MAX(available_at - event_at) AS high FROM {table}"
            )
        low, high = (lags.column(name)[0].as_py() for name in ("low", "high"))
        assert timedelta(days=1) <= timedelta(days=low.days, microseconds=low.nanoseconds // 1000)
        assert timedelta(days=high.days, microseconds=high.nanoseconds // 1000) <= timedelta(days=3)


def test_accounts_of_this_source_are_scored_from_their_first_week(loaded: tuple[Home, IngestReport]) -> None:
    assert onboarding_of(loaded[0]) == timedelta(0)


def test_the_second_time_nothing_is_new(loaded: tuple[Home, IngestReport]) -> None:
    again = take_in(loaded[0], FOLDER, mapping="datascience365")
    assert (again.new, {table.skipped for table in again.tables}) == (0, {True})
    assert set(again.unmatched_files) == {
        "365_course_info.csv",
        "365_exam_info.csv",
        "365_quiz_info.csv",
        "365_student_quizzes.csv",
    }
