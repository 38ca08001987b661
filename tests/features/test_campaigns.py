"""What the calendar means: hand-written cases of phase and overlap, revision, zones; and the laws behind them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.campaigns import CampaignWindow, phase_at, phase_on, windows_from
from features.errors import DataContractError
from features.vocabulary import Phase

LONG_AGO = "2019-01-01T00:00Z"
NEW_YORK = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def belief(**row: Any) -> dict[str, Any]:
    known = at(row.pop("known", LONG_AGO))
    return {
        "known_from": known,
        "available_at": at(row.pop("seen", known.isoformat())),
        "row_hash": 1,
        "op": "upsert",
    } | row


def instance(name: str, first: str, last: str, **row: Any) -> dict[str, Any]:
    facts = {
        "campaign_instance_id": name,
        "campaign_id": row.pop("campaign", name),
        "label": name,
        "active_start_local": date.fromisoformat(first),
        "active_end_local": date.fromisoformat(last),
        "tz_policy": "event_tz",
        "event_tz": NEW_YORK,
        "pre_days": None,
        "post_days": None,
        "status": "confirmed",
    }
    return belief(**(facts | row))


def joins(name: str, account: str = "a1", **row: Any) -> dict[str, Any]:
    facts = {
        "account_id": account,
        "campaign_instance_id": name,
        "participation": "declared",
        "confidence": 1.0,
        "own_active_start_local": None,
        "own_active_end_local": None,
    }
    return belief(**(facts | row))


def account(name: str = "a1", zone: str = NEW_YORK, **row: Any) -> dict[str, Any]:
    state = belief(account_id=name, hq_tz=zone, **row)
    return state | {"valid_from": state["known_from"]}


def windows(*rows: dict[str, Any], accounts: Iterable[dict[str, Any]] = ()) -> list[CampaignWindow]:
    return list(
        windows_from(
            {
                "campaigns": [row for row in rows if "default_pre_days" in row],
                "campaign_instances_history": [row for row in rows if "label" in row],
                "account_campaigns_history": [row for row in rows if "participation" in row],
                "accounts_history": list(accounts) or [account()],
            }
        )
    )


# March Madness 2022: Monday before Selection Sunday to the Sunday before the final; clocks went forward on 13 March.
MADNESS = (instance("madness", "2022-03-07", "2022-04-03"), joins("madness"))
# The 94th Oscars fell inside it: nominations to ceremony.
OSCARS = (instance("oscars", "2022-02-08", "2022-03-27", event_tz="America/Los_Angeles"), joins("oscars"))
UPFRONTS = (instance("upfronts", "2022-05-16", "2022-05-20"), joins("upfronts"))


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        pytest.param("2022-02-07T04:59:59Z", "none", id="the second before pre begins"),
        pytest.param("2022-02-07T05:00:00Z", "pre", id="midnight of New York four weeks before"),
        pytest.param("2022-03-07T04:59:59Z", "pre", id="the last second of pre"),
        pytest.param("2022-03-07T05:00:00Z", "active", id="active begins at its own midnight, winter time"),
        pytest.param("2022-03-13T12:00:00Z", "active", id="the day the clocks change"),
        pytest.param("2022-04-04T03:59:59Z", "active", id="the last day is included"),
        pytest.param("2022-04-04T04:00:00Z", "post", id="post begins at midnight, summer time"),
        pytest.param("2022-05-16T03:59:59Z", "post", id="the last second of post"),
        pytest.param("2022-05-16T04:00:00Z", "off", id="six weeks after, off"),
        pytest.param("2023-05-09T03:59:59Z", "off", id="off for 400 days after the end"),
        pytest.param("2023-05-09T04:00:00Z", "none", id="then none"),
    ],
)
def test_one_campaign_passes_through_its_phases(moment: str, phase: str) -> None:
    answer = phase_at(windows(*MADNESS), at(moment))
    assert answer.phase == phase
    assert answer.n_pre + answer.n_active + answer.n_post == len(answer.live) == int(phase in ("pre", "active", "post"))
    assert not answer.conflict


@pytest.mark.parametrize(
    ("moment", "phase", "counts", "conflict"),
    [
        pytest.param("2022-02-20T00:00Z", "active", (1, 1, 0), True, id="Oscars run, Madness comes up"),
        pytest.param("2022-03-20T00:00Z", "active", (0, 2, 0), False, id="both run"),
        pytest.param("2022-03-28T07:00:00Z", "active", (0, 1, 1), True, id="Oscars over at midnight of Los Angeles"),
        pytest.param("2022-03-28T06:59:59Z", "active", (0, 2, 0), False, id="and not before"),
        pytest.param("2022-04-20T00:00Z", "post", (1, 0, 2), True, id="post comes before pre"),
        pytest.param("2022-05-12T00:00Z", "post", (1, 0, 1), True, id="Oscars' six weeks are over"),
        pytest.param("2022-05-17T00:00Z", "active", (0, 1, 0), False, id="only the upfronts are left"),
    ],
)
def test_where_campaigns_overlap_the_strongest_phase_leads(
    moment: str, phase: str, counts: tuple[int, int, int], conflict: bool
) -> None:
    answer = phase_at(windows(*MADNESS, *OSCARS, *UPFRONTS), at(moment))
    assert (answer.phase, (answer.n_pre, answer.n_active, answer.n_post)) == (phase, counts)
    assert answer.conflict is conflict
    assert ("overlap" in answer.rule) is conflict


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("Asia/Tokyo", "2022-03-06T15:00Z"),
        ("Pacific/Kiritimati", "2022-03-06T10:00Z"),
        ("America/New_York", "2022-03-07T05:00Z"),
        ("Pacific/Pago_Pago", "2022-03-07T11:00Z"),
        ("Australia/Sydney", "2022-03-06T13:00Z"),
        ("Asia/Kathmandu", "2022-03-06T18:15Z"),
    ],
)
def test_a_campaign_on_local_time_begins_at_each_accounts_own_midnight(zone: str, begins: str) -> None:
    rows = windows(
        instance("fall", "2022-03-07", "2022-03-20", tz_policy="account_local"),
        joins("fall"),
        accounts=[account(zone=zone)],
    )
    assert phase_at(rows, at(begins)).phase is Phase.ACTIVE
    assert phase_at(rows, at(begins) - timedelta(microseconds=1)).phase is Phase.PRE


def test_across_the_date_line_one_moment_is_two_phases() -> None:
    rows = windows(
        instance("fall", "2022-03-07", "2022-03-20", tz_policy="account_local"),
        joins("fall", "tokyo"),
        joins("fall", "new_york"),
        accounts=[account("tokyo", "Asia/Tokyo"), account("new_york", NEW_YORK)],
    )
    moment = at("2022-03-06T20:00Z")
    assert phase_at([row for row in rows if row.account_id == "tokyo"], moment).phase is Phase.ACTIVE
    assert phase_at([row for row in rows if row.account_id == "new_york"], moment).phase is Phase.PRE


def test_a_campaign_of_another_zone_ignores_the_accounts_zone() -> None:
    rows = windows(*MADNESS, accounts=[account(zone="Asia/Tokyo")])
    assert phase_at(rows, at("2022-03-07T04:59Z")).phase is Phase.PRE
    assert phase_at(rows, at("2022-03-07T05:00Z")).phase is Phase.ACTIVE


@pytest.mark.parametrize(
    ("zone", "first_active", "last_active"),
    [
        # From midnight of New York: 14:00 in Tokyo, 18:00 in Auckland and Pago Pago, 19:00 on Kiritimati. The clocks of
        # New York go forward in between: it ends an hour earlier in the day.
        pytest.param(NEW_YORK, "2022-03-07", "2022-04-03", id="at home"),
        pytest.param("Europe/Paris", "2022-03-07", "2022-04-03", id="Paris"),
        pytest.param("Asia/Tokyo", "2022-03-08", "2022-04-04", id="Tokyo: pre until 14:00, active until 13:00"),
        pytest.param("Pacific/Auckland", "2022-03-08", "2022-04-04", id="Auckland"),
        pytest.param("Pacific/Kiritimati", "2022-03-08", "2022-04-04", id="beyond the date line"),
        pytest.param("Pacific/Pago_Pago", "2022-03-07", "2022-04-03", id="on the other side of it"),
    ],
)
def test_an_account_day_is_a_day_of_its_own_zone_in_the_phase_of_its_noon(
    zone: str, first_active: str, last_active: str
) -> None:
    rows = windows(*MADNESS, accounts=[account(zone=zone)])

    def on(day: date) -> str:
        return str(phase_on(rows, day, zone=zone).phase)

    first, last = date.fromisoformat(first_active), date.fromisoformat(last_active)
    step = timedelta(days=1)
    assert [on(first - step), on(first), on(last), on(last + step)] == ["pre", "active", "active", "post"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe"])
def test_a_campaign_on_local_time_has_the_same_account_days_everywhere(zone: str) -> None:
    local = instance("fall", "2022-03-07", "2022-03-20", tz_policy="account_local")
    rows = windows(local, joins("fall"), accounts=[account(zone=zone)])
    days = [date(2022, 1, 1) + timedelta(days=number) for number in range(150)]
    phases = [phase_on(rows, day, zone=zone, believed_at=at("2022-01-01T00:00Z")).phase for day in days]
    assert {phase: phases.count(phase) for phase in ("pre", "active", "post")} == {"pre": 28, "active": 14, "post": 42}


def test_a_revised_date_counts_from_when_it_was_known() -> None:
    # Announced in 2019 for 27 February; moved to 27 March in May 2021.
    rows = windows(
        instance("oscars", "2022-01-18", "2022-02-27", known="2019-06-11T00:00Z", status="tentative"),
        instance("oscars", "2022-02-08", "2022-03-27", known="2021-05-24T00:00Z", status="moved"),
        joins("oscars"),
    )
    moment = at("2022-03-10T00:00Z")
    assert phase_at(rows, moment).phase is Phase.ACTIVE
    assert phase_at(rows, moment, believed_at=at("2021-05-23T00:00Z")).phase is Phase.POST
    assert phase_at(rows, moment, believed_at=at("2019-06-10T00:00Z")).phase is Phase.NONE


def test_an_old_belief_that_arrives_late_does_not_replace_a_newer_one() -> None:
    rows = windows(
        instance("oscars", "2022-02-08", "2022-03-27", known="2021-05-24T00:00Z"),
        instance("oscars", "2022-01-18", "2022-02-27", known="2019-06-11T00:00Z", seen="2022-03-01T00:00Z"),
        joins("oscars"),
    )
    assert phase_at(rows, at("2022-03-10T00:00Z")).phase is Phase.ACTIVE


@pytest.mark.parametrize(("moment", "phase"), [("2022-03-09T00:00Z", "active"), ("2022-03-10T00:00Z", "none")])
def test_a_cancelled_campaign_ends_when_the_news_comes(moment: str, phase: str) -> None:
    cancelled = instance("madness", "2022-03-07", "2022-04-03", known="2022-03-10T00:00Z", status="cancelled")
    assert phase_at(windows(*MADNESS, cancelled), at(moment)).phase == phase


@pytest.mark.parametrize(
    ("part", "phase"),
    [
        pytest.param({"participation": "declined"}, "none", id="declined"),
        pytest.param({"participation": "prior", "confidence": 0.49}, "none", id="a guess"),
        pytest.param({"participation": "inferred", "confidence": 0.5}, "active", id="trusted"),
        pytest.param({"known": "2022-03-21T00:00Z"}, "none", id="learnt later"),
        pytest.param({"known": "2022-03-20T00:00Z"}, "active", id="learnt at this moment"),
        pytest.param({"seen": "2022-03-21T00:00Z"}, "none", id="recorded then, received later"),
    ],
)
def test_participation_counts_when_it_is_trusted_and_known(part: dict[str, Any], phase: str) -> None:
    rows = windows(MADNESS[0], joins("madness", **part))
    assert phase_at(rows, at("2022-03-20T00:00Z")).phase == phase


def test_a_participation_taken_back_is_none_from_then_on() -> None:
    rows = windows(*MADNESS, joins("madness", known="2022-03-15T00:00Z", op="delete"))
    assert phase_at(rows, at("2022-03-14T23:59Z")).phase is Phase.ACTIVE
    assert phase_at(rows, at("2022-03-15T00:00Z")).phase is Phase.NONE


def test_what_is_taken_back_and_said_again_has_a_gap() -> None:
    rows = windows(
        *MADNESS,
        joins("madness", known="2022-03-15T00:00Z", op="delete"),
        joins("madness", known="2022-03-20T00:00Z"),
    )
    phases = [phase_at(rows, at(f"2022-03-{day}T00:00Z")).phase for day in (14, 15, 19, 20)]
    assert phases == ["active", "none", "none", "active"]


@pytest.mark.parametrize(
    ("own", "begins", "ends"),
    [
        pytest.param({}, "2022-03-07T05:00Z", "2022-04-04T04:00Z", id="none"),
        pytest.param(
            {"own_active_start_local": date(2022, 3, 14)}, "2022-03-13T15:00Z", "2022-04-04T04:00Z", id="start"
        ),
        pytest.param({"own_active_end_local": date(2022, 3, 27)}, "2022-03-07T05:00Z", "2022-03-27T15:00Z", id="end"),
        pytest.param(
            {"own_active_start_local": date(2022, 3, 1), "own_active_end_local": date(2022, 3, 1)},
            "2022-02-28T15:00Z",
            "2022-03-01T15:00Z",
            id="one day of its own",
        ),
    ],
)
def test_an_accounts_own_dates_win_and_stand_in_its_own_zone(own: dict[str, date], begins: str, ends: str) -> None:
    (window,) = windows(MADNESS[0], joins("madness", **own), accounts=[account(zone="Asia/Tokyo")])
    assert (window.active_start, window.active_end) == (at(begins), at(ends))


def test_the_instances_days_win_over_its_campaigns_and_those_over_the_usual_ones() -> None:
    kind = belief(campaign_id="madness", default_pre_days=14, default_post_days=21)
    usual = windows(*MADNESS)[0]
    of_campaign = windows(*MADNESS, kind)[0]
    of_instance = windows(instance("madness", "2022-03-07", "2022-04-03", pre_days=0, post_days=7), MADNESS[1], kind)[0]
    lengths = [
        (row.active_start - row.pre_start, row.post_end - row.active_end) for row in (usual, of_campaign, of_instance)
    ]
    assert lengths == [
        (timedelta(days=28), timedelta(days=42)),
        (timedelta(days=14), timedelta(days=21)),
        (timedelta(0), timedelta(days=7)),
    ]


def test_pre_and_post_are_counted_in_local_days_over_a_change_of_the_clocks() -> None:
    (window,) = windows(instance("spring", "2022-03-14", "2022-03-20", pre_days=7), joins("spring"))
    # 23 hours are missing nothing: seven local days, one of them an hour short.
    assert window.active_start - window.pre_start == timedelta(days=7, hours=-1)


def test_an_account_that_moves_takes_its_midnight_along() -> None:
    rows = windows(
        instance("fall", "2022-03-07", "2022-03-20", tz_policy="account_local"),
        joins("fall"),
        accounts=[account(zone=NEW_YORK), account(zone="Asia/Tokyo", known="2022-03-10T00:00Z")],
    )
    assert phase_at(rows, at("2022-03-06T20:00Z")).phase is Phase.PRE
    assert phase_at(rows, at("2022-03-20T16:00Z")).phase is Phase.POST


def test_a_change_that_no_window_shows_makes_no_new_row() -> None:
    states = [account(), account(known="2021-05-01T00:00Z"), account(known="2021-06-01T00:00Z")]
    assert len(windows(*MADNESS, accounts=states)) == 1


def test_a_leap_day_is_a_day() -> None:
    (window,) = windows(instance("leap", "2024-02-01", "2024-02-29"), joins("leap"))
    assert window.active_end == at("2024-03-01T05:00Z")


def test_an_end_before_its_start_is_no_campaign() -> None:
    rows = windows(instance("typo", "2022-03-07", "2022-03-01"), joins("typo"))
    assert [row.takes_part for row in rows] == [0]
    assert phase_at(rows, at("2022-03-05T00:00Z")).phase is Phase.NONE


def test_a_participation_in_an_unknown_instance_waits_for_the_instance() -> None:
    rows = windows(instance("madness", "2022-03-07", "2022-04-03", known="2022-03-10T00:00Z"), joins("madness"))
    assert [row.known_at for row in rows] == [at("2022-03-10T00:00Z")]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(DataContractError, match="Mars/Olympus"):
        windows(instance("madness", "2022-03-07", "2022-04-03", event_tz="Mars/Olympus"), joins("madness"))


HOURS = st.integers(0, 24 * 60).map(lambda hours: at("2021-12-01T00:00Z") + timedelta(hours=hours))
DAYS = st.integers(0, 60).map(lambda days: date(2022, 1, 1) + timedelta(days=days))


@st.composite
def beliefs(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for number in range(draw(st.integers(1, 5))):
        known, seen = draw(HOURS), draw(HOURS)
        first = draw(DAYS)
        rows.append(
            instance("madness", first.isoformat(), (first + timedelta(days=draw(st.integers(0, 20)))).isoformat())
            | {
                "known_from": known,
                "available_at": seen,
                "row_hash": number,
                "op": draw(st.sampled_from(["upsert"] * 4 + ["delete"])),
            }
        )
    return rows


@settings(max_examples=150, deadline=None)
@given(rows=beliefs(), moments=st.lists(HOURS, min_size=1, max_size=8))
def test_at_every_moment_the_strongest_belief_known_is_the_one_in_force(
    rows: list[dict[str, Any]], moments: list[datetime]
) -> None:
    found = windows(*rows, joins("madness"))
    for moment in moments:
        seen = [row for row in rows if row["known_from"] <= moment and row["available_at"] <= moment]
        best = max(seen, key=lambda row: (row["known_from"], row["available_at"], -row["row_hash"]), default=None)
        expected = [] if best is None or best["op"] == "delete" else [best["active_start_local"]]
        in_force = [window for window in found if window.believed_at(moment)]
        # Midnight of New York in winter is five o'clock.
        assert [(window.active_start - timedelta(hours=5)).date() for window in in_force] == expected
