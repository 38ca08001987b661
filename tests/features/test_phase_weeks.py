"""The weekly phase of the SQL steps against the plain-Python calendar, on random calendars and beliefs."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from features.campaigns import CampaignWindow, phase_at, windows_from
from features.vocabulary import Phase
from tests.features.histories import text_table
from tests.features.sql_case import rows_of, step_rows
from tests.features.view_case import COMPANY

AS_OF = "2023-09-25"
STRENGTH = (Phase.ACTIVE, Phase.POST, Phase.PRE)


@st.composite
def calendars(draw: st.DrawFn) -> dict[str, str]:
    def known() -> str:
        return (datetime(2023, 1, 1) + timedelta(hours=draw(st.integers(0, 24 * 200)))).isoformat()  # noqa: DTZ001

    zones = st.sampled_from(["America/New_York", "Asia/Tokyo", "UTC", "America/Los_Angeles"])
    runs, parts = [], []
    for number in range(draw(st.integers(1, 4))):
        name = f"i{number}"
        for _ in range(draw(st.integers(1, 2))):
            first = date(2022, 9, 1) + timedelta(days=draw(st.integers(0, 360)))
            last = first + timedelta(days=draw(st.integers(0, 30)))
            status = draw(st.sampled_from(["confirmed", "confirmed", "moved", "cancelled"]))
            runs.append((name, known(), "c", name, first, last, "event_tz", draw(zones), 14, 21, status))
        for _ in range(draw(st.integers(1, 2))):
            trust = draw(st.sampled_from([0.2, 0.5, 1.0]))
            parts.append(("a1", name, known(), draw(st.sampled_from(["declared", "inferred", "declined"])), trust))
    return {
        "campaign_instances_history": text_table(
            "campaign_instance_id|known_from|campaign_id|label|active_start_local|active_end_local|tz_policy|event_tz"
            "|pre_days|post_days|status",
            runs,
        ),
        "account_campaigns_history": text_table(
            "account_id|campaign_instance_id|known_from|participation|confidence", parts
        ),
    }


def expected_week(windows: list[CampaignWindow], week: datetime) -> dict[str, Any]:
    as_of = week + timedelta(weeks=1)
    noons = [week + timedelta(hours=12 + 24 * day) for day in range(7)]
    days = Counter(phase_at(windows, noon, believed_at=as_of).phase for noon in noons)
    now = phase_at(windows, as_of)
    quiet = 7 - sum(days[phase] for phase in STRENGTH)
    # Whether a quiet week is off or none is asked once, when it closes.
    remembered = any(
        window.takes_part
        and window.believed_at(as_of)
        and window.active_start <= as_of < window.active_end + timedelta(days=400)
        for window in windows
    )
    phase = next((each for each in STRENGTH if days[each] >= max(*(days[other] for other in STRENGTH), quiet)), None)
    return {
        "days": tuple(days[each] for each in STRENGTH),
        "phase": phase or (Phase.OFF if remembered else Phase.NONE),
        "counts": (now.n_pre, now.n_active, now.n_post),
        "phase_at_end": now.phase,
    }


@settings(max_examples=25, deadline=None)
@given(calendar=calendars())
def test_a_week_has_the_phase_that_the_calendar_gives_most_of_its_days(calendar: dict[str, str]) -> None:
    tables = {**COMPANY, **calendar}
    read = {name: rows_of(name, tables[name]).to_pylist() for name in (*calendar, "accounts_history")}
    windows = list(windows_from({"campaigns": [], **read}))
    weeks = [row for row in step_rows(tables, "phase_weeks", as_of=AS_OF) if row["account_id"] == "a1"]
    assert len(weeks) == 38
    for row in weeks:
        expected = expected_week(windows, row["week_start"])
        assert (row["active_days"], row["post_days"], row["pre_days"]) == expected["days"]
        assert (row["n_pre"], row["n_active"], row["n_post"]) == expected["counts"]
        assert row["phase_at_end"] == expected["phase_at_end"]
        assert row["phase"] == expected["phase"]
