"""Are the features of surveys and support what plain Python finds, row by row, in what was known?"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from math import log
from typing import Any

import pytest

from tests.features.made_up_rows import (
    ACCOUNTS,
    COMPANY,
    FIRST,
    Row,
    known_events,
    known_states,
    median,
    share,
    shrunk,
    text_table,
)
from tests.features.made_up_voice import voice_rows
from tests.features.view_case import view_rows

Tables = dict[str, list[Row]]
SEATS = 20


class Known:
    """What was known of surveys and tickets at one moment, whole portfolio."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.today = as_of.date()
        self.responses = known_events(tables["survey_responses"], "response_id", as_of)
        self.invitations = known_events(tables["survey_invitations"], "invitation_id", as_of)
        known = known_states(tables["tickets_history"], "ticket_id", as_of)
        self.tickets = [row for row in known if row["created_at"] < as_of]

    def since(self, day: date, weeks: int) -> bool:
        return self.today - timedelta(weeks=weeks) <= day < self.today

    def scores(self, family: str, weeks: int) -> list[tuple[str, date, float]]:
        """Account, day and score on 0-10."""
        return [
            (row["account_id"], day, 10 * (row["score_raw"] - row["scale_min"]) / (row["scale_max"] - row["scale_min"]))
            for row in self.responses
            if row["survey_family"] == family and row["score_raw"] is not None
            for day in [row["event_at"].date()]
            if self.since(day, weeks)
        ]


def survey_features(known: Known, account: str) -> dict[str, float | None]:
    year = known.scores("nps", 52)
    own = [each for each in year if each[0] == account]
    ages = [(known.today - day).days for owner, day, _ in known.scores("nps", 104) if owner == account]
    last = [score for _, day, score in own if (known.today - day).days == min(ages)]
    half = [score for _, day, score in own if known.since(day, 26)]
    before = [score for _, day, score in own if not known.since(day, 26)]
    ratings = known.scores("csat", 26)
    mine = [score for owner, _, score in ratings if owner == account]
    invited = Counter(
        row["survey_family"]
        for row in known.invitations
        if row["account_id"] == account and row["status"] == "sent" and known.since(row["event_at"].date(), 52)
    )
    answered = Counter(
        row["survey_family"]
        for row in known.responses
        if row["account_id"] == account and known.since(row["event_at"].date(), 52)
    )
    return {
        "nps_last": share(sum(last), len(last)),
        "nps_age_weeks": min(ages) / 7 if ages else None,
        "nps_mean_w52": shrunk(
            sum(score for *_, score in own), len(own), share(sum(score for *_, score in year), len(year)), 2
        ),
        "nps_change": sum(half) / len(half) - sum(before) / len(before) if half and before else None,
        "nps_detractor_share_w52": shrunk(
            sum(score <= 6 for *_, score in own), len(own), share(sum(score <= 6 for *_, score in year), len(year)), 2
        ),
        "survey_response_rate_w52": share(
            sum(min(count, answered[family]) for family, count in invited.items()), invited.total()
        ),
        "csat_bad_share_w26": shrunk(
            sum(score < 5 for score in mine), len(mine), share(sum(score < 5 for *_, score in ratings), len(ratings)), 4
        ),
    }


def settled(row: Row) -> datetime:
    at: datetime = (row.get("solved_at") or row["valid_from"]) if row["status"] == "solved" else row["valid_from"]
    return at


def ticket_features(known: Known, account: str) -> dict[str, float | None]:
    opened = [row for row in known.tickets if known.since(row["created_at"].date(), 26)]
    ended = [
        row
        for row in known.tickets
        if (row["status"] == "solved" or row["reopens"] > 0) and known.since(settled(row).date(), 26)
    ]
    own = [row for row in opened if row["account_id"] == account]
    own_ended = [row for row in ended if row["account_id"] == account]
    times = [
        (settled(row) - row["created_at"]).total_seconds() / 3600
        for row in own_ended
        if row["status"] == "solved" and known.since(settled(row).date(), 13)
    ]
    waiting = [
        (known.today - row["created_at"].date()).days
        for row in known.tickets
        if row["account_id"] == account and row["status"] != "solved"
    ]
    return {
        "tickets_per_100_seats_w13": sum(known.since(row["created_at"].date(), 13) for row in own) / SEATS * 100,
        "urgent_ticket_share_w26": shrunk(
            sum(row["priority"] == "urgent" for row in own),
            len(own),
            share(sum(row["priority"] == "urgent" for row in opened), len(opened)),
            4,
        ),
        "ticket_reopen_rate_w26": shrunk(
            sum(row["reopens"] > 0 for row in own_ended),
            len(own_ended),
            share(sum(row["reopens"] > 0 for row in ended), len(ended)),
            4,
        ),
        "ticket_resolution_hours_w13": median(times),
        "open_ticket_age_days": min(max(waiting, default=0), 180),
    }


def par(tables: Tables, known: Known, account: str) -> float:
    # Everyone has the same seats and no campaign: a segment's rate is its tickets by its seats and weeks so far.
    firsts = [row["available_at"] for row in tables["tickets_history"]]
    first = min(max(at, row["valid_from"]) for at, row in zip(firsts, tables["tickets_history"], strict=True))
    weeks = sum(
        1
        for n in range(1, 200)
        if first <= FIRST + timedelta(weeks=n) and (FIRST + timedelta(weeks=n)).date() <= known.today
    )
    segment = ACCOUNTS[:2] if account in ACCOUNTS[:2] else ACCOUNTS[2:]
    start = (FIRST + timedelta(weeks=max(0, (known.today - FIRST.date()).days // 7 - weeks))).date()
    tickets = [row for row in known.tickets if row["account_id"] in segment and row["created_at"].date() >= start]
    rate = len(tickets) / (SEATS * len(segment) * weeks)
    own = sum(row["account_id"] == account and known.since(row["created_at"].date(), 26) for row in known.tickets)
    return log((own + 1) / (SEATS * min(weeks, 26) * rate + 1))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_feature_is_what_plain_python_finds(seed: int) -> None:
    tables = voice_rows(seed)
    as_ofs = [f"{(FIRST + timedelta(weeks=week)).date()}" for week in (9, 23, 37, 50, 60)]
    case = {name: text_table(rows) for name, rows in (COMPANY | tables).items()}
    found: list[dict[str, Any]] = view_rows("sentiment", case, as_of=as_ofs)
    assert len(found) == len(ACCOUNTS) * len(as_ofs)
    for row in found:
        known, account = Known(tables, row["as_of"]), row["account_id"]
        expected = {**survey_features(known, account), **ticket_features(known, account)}
        expected["tickets_par_w26"] = par(tables, known, account)
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=1e-6), (account, row["as_of"].date(), name)
