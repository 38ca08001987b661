"""Are the voices of decision makers, pulses, texts and sponsors what plain Python finds in what was known?"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from features.campaigns import windows_from
from tests.features.made_up_rows import (
    ACCOUNTS,
    COMPANY,
    FIRST,
    Row,
    event,
    known_events,
    known_states,
    moment,
    share,
    shrunk,
    text_table,
)
from tests.features.made_up_usage import usage_rows
from tests.features.made_up_voice import voice_rows
from tests.features.sql_case import rows_of
from tests.features.usage_oracle import World
from tests.features.view_case import view_rows

Tables = dict[str, list[Row]]
CALENDAR = ("campaign_instances_history", "account_campaigns_history")
SEGMENTS = {str(row["account_id"]): str(row["segment"]) for row in COMPANY["accounts_history"]}
ROLES = ("producer", "creator")
RISKS = {"price", "competitor", "missing_feature"}


def talk(seed: int) -> Tables:
    """What is said, by whom, around which campaigns and notices."""
    usage = usage_rows(seed)
    seats = [
        row | {"role": "admin" if row["role"] == "freelancer" else ROLES[int(row["seat_id"][1:]) % 2]}
        for row in usage["seat_assignments_history"]
    ]
    calendar = {name: usage[name] for name in CALENDAR}
    tables = voice_rows(seed)
    # Most surveys are pulses: few weeks lie after a campaign.
    as_pulse = {"survey_family": "review_pulse", "scale_min": 1, "scale_max": 5}
    pulses = [
        row | as_pulse | {"response_id": f"p-{row['response_id']}", "score_raw": (row["score_raw"] or 2) % 5 + 1}
        for row in tables["survey_responses"]
    ]
    said = {"survey_responses": tables["survey_responses"] + pulses, "contract_events": notices(seed)}
    return {**tables, **calendar, **said, "seat_assignments_history": seats}


def notices(seed: int) -> list[Row]:
    """Notices that take effect only after the last snapshot, some of them withdrawn."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    rows: list[Row] = []
    for number in range(6):
        name = random.choice(ACCOUNTS)
        cells = {"contract_id": f"c-{name}", "account_id": name, "effective_on": "2026-12-31"}
        said = random.choice(("notice_given", "notice_given", "notice_withdrawn", "expanded"))
        rows += event(random, moment(random), {}, contract_event_id=f"n{number}", type=said, **cells)
    return rows


def phases_of(seed: int) -> World:
    """The weeks of the accounts with their phases."""
    tables = COMPANY | usage_rows(seed)
    read = {name: rows_of(name, text_table(tables[name])).to_pylist() for name in (*CALENDAR, "accounts_history")}
    windows = list(windows_from({"campaigns": [], **read}))
    return World({}, windows, segments=SEGMENTS, seats=20, span=(FIRST, FIRST + timedelta(weeks=62)))


class Known:
    """What was known of all that is said at one moment, whole portfolio."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.as_of, self.today = as_of, as_of.date()
        self.responses = [
            row
            for row in known_events(tables["survey_responses"], "response_id", as_of)
            if row["score_raw"] is not None and self.since(row["event_at"], 52)
        ]
        self.seats = known_states(tables["seat_assignments_history"], "seat_id", as_of)
        self.texts = [row for row in known_events(tables["texts"], "text_id", as_of) if self.since(row["event_at"], 26)]
        self.reviews = known_events(tables["interventions"], "intervention_id", as_of)
        said = known_events(tables["contract_events"], "contract_event_id", as_of)
        self.said = [row for row in said if row["type"] != "expanded"]

    def since(self, at: datetime, weeks: int) -> bool:
        return self.as_of - timedelta(weeks=weeks) <= at < self.as_of


def critical(known: Known, account: str) -> float | None:
    who = {row["user_key"] for row in known.seats if row["account_id"] == account and row["role"] != "creator"}
    scores: dict[str, tuple[Any, float]] = {}
    for row in known.responses:
        if row["survey_family"] == "nps" and row["account_id"] == account and row["respondent_key"] in who:
            said = (row["event_at"].date(), -row["score_raw"])
            scores[row["respondent_key"]] = max(said, scores.get(row["respondent_key"], said))
    return float(any(-score <= 6 for _, score in scores.values())) if scores else None


def written(known: Known, account: str) -> dict[str, float | None]:
    said = [row for row in known.said if row["account_id"] == account]
    last = max(said, key=lambda row: (row["event_at"], row["available_at"]), default=None)
    until = last["event_at"] if last and last["type"] == "notice_given" else known.as_of
    texts = [row for row in known.texts if row["account_id"] == account and row["event_at"] < until]
    tones = [row["sentiment"] for row in texts if row["sentiment"] is not None]
    topics = [set(row["topics"].split()) for row in texts if row["topics"] is not None]
    return {
        "text_sentiment_w26": share(sum(tones), len(tones)),
        "text_risk_topic_share_w26": share(sum(bool(each & RISKS) for each in topics), len(topics)),
    }


def pulses(known: Known, world: World, name: str, account: str) -> list[float]:
    """Scores from 0 to 10 given in weeks of post phase; ``name`` is what the account is called in ``world``."""
    found = []
    for row in known.responses:
        midnight = row["event_at"].replace(hour=0, minute=0)
        week = midnight - timedelta(days=midnight.weekday())
        if row["survey_family"] != "review_pulse" or row["account_id"] != account:
            continue
        days = world.days(name, week)
        post = days["post"] + days["both"]
        # A week that is not over has no phase yet, but its answers do not count yet either.
        if days["active"] < max(post, days["pre"], days["quiet"]) and post >= max(days["pre"], days["quiet"]):
            found.append(10 * (row["score_raw"] - 1) / 4)
    return found


def sponsor_days(known: Known, account: str) -> float | None:
    days = [
        (row["ended_at"] or row["started_at"]).date()
        for row in known.reviews
        if row["account_id"] == account
        and row["kind"] == "exec_review"
        and row["customer_response"] == "will stay"
        and (row["ended_at"] or row["started_at"]) < known.as_of
    ]
    return min((known.today - max(days)).days, 365) if days else None


def said_by(known: Known, account: str) -> dict[str, float | None]:
    """Every feature but the pulse, which needs the calendar."""
    return {
        "decision_maker_detractor_flag": critical(known, account),
        "exec_contact_days": sponsor_days(known, account),
        **written(known, account),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_feature_is_what_plain_python_finds(seed: int) -> None:
    tables, world = talk(seed), phases_of(seed)
    as_ofs = [FIRST + timedelta(weeks=week) for week in (9, 23, 37, 50, 60)]
    case = {name: text_table(rows) for name, rows in (COMPANY | tables).items()}
    found: list[dict[str, Any]] = view_rows("sentiment", case, as_of=[f"{as_of.date()}" for as_of in as_ofs])
    assert len(found) == len(ACCOUNTS) * len(as_ofs)
    valued = set()
    for row in found:
        known, account = Known(tables, row["as_of"]), row["account_id"]
        scores = {name: pulses(known, world, name, name) for name in ACCOUNTS}
        every = [score for own in scores.values() for score in own]
        own = scores[account]
        expected = said_by(known, account)
        expected["review_pulse_mean_post_w52"] = shrunk(sum(own), len(own), share(sum(every), len(every)), 2)
        valued |= {name for name, value in expected.items() if value is not None}
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=1e-6), (account, row["as_of"].date(), name)
    assert len(valued) == len(expected)
