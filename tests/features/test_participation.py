"""Who takes part without having said so: signs by example, laws, and precision and recall on a made-up company."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.calendars.believed import BelievedInstance
from features.calendars.evidence import infer, known_at
from features.calendars.inference import Guess, Known, Part, guesses, previous_of
from features.events import TABLES
from features.settings import Home
from features.simulator import simulate
from features.vocabulary import parse_moment
from features.warehouse import empty_table_query, open_engine
from tests.features.campaign_case import done, join, vendor
from tests.features.source_case import stored, take_in, write_text

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
MONDAY = date(2026, 3, 2)


def instance(name: str, first: date, **facts: Any) -> BelievedInstance:
    usual: dict[str, Any] = {
        "campaign_id": name.rsplit("_", 1)[0],
        "label": name,
        "family": "sports",
        "last": first + timedelta(days=20),
        "zone": "",
        "pre_days": 28,
        "post_days": 42,
        "status": "confirmed",
        "known_at": LONG_AGO,
        "source": None,
        "accounts": {},
    }
    return BelievedInstance(campaign_instance_id=name, first=first, **(usual | facts))


THIS = instance("gala_2026", MONDAY)
LAST = instance("gala_2025", date(2025, 3, 3))
TOOK_PART = {("a1", "gala_2025"): Part("declared", 1.0)}
PROJECT = frozenset({("a1", "gala_2026")})


def usage(*ramp: float, usual: float = 10.0) -> dict[date, float]:
    """Half a year as usual, then the weeks of the ramp, the first of which begins four weeks before the campaign."""
    begins = MONDAY - timedelta(days=28)
    weeks = {begins - timedelta(weeks=back): usual for back in range(1, 27)}
    return weeks | {begins + timedelta(weeks=number): actions for number, actions in enumerate(ramp)}


def known(**facts: Any) -> Known:
    usual: dict[str, Any] = {
        "as_of": datetime(2026, 3, 9, tzinfo=UTC),
        "instances": (LAST, THIS),
        "segments": {"a1": "studio"},
    }
    return Known(**(usual | facts))


def guess(**facts: Any) -> Guess | None:
    return next(iter(guesses(known(**facts))), None)


LIFTED = {"a1": usage(10, 10, 15, 20)}


@pytest.mark.parametrize(
    ("facts", "signs", "confidence"),
    [
        pytest.param({"tagged": PROJECT, "activity": LIFTED}, ("project", "usage"), 0.7, id="project and usage"),
        pytest.param({"tagged": PROJECT, "parts": TOOK_PART}, ("project", "previous"), 0.7, id="project and habit"),
        pytest.param({"activity": LIFTED, "parts": TOOK_PART}, ("usage", "previous"), 0.7, id="usage and habit"),
        pytest.param(
            {"tagged": PROJECT, "activity": LIFTED, "parts": TOOK_PART}, ("project", "usage", "previous"), 0.9, id="all"
        ),
    ],
)
def test_two_signs_of_three_are_taken_for_a_part(
    facts: dict[str, Any], signs: tuple[str, ...], confidence: float
) -> None:
    assert guess(**facts) == Guess("a1", "gala_2026", "inferred", confidence, signs, LONG_AGO)


def test_where_projects_name_their_campaigns_none_for_this_one_speaks_against_it() -> None:
    signs = {"activity": LIFTED, "parts": TOOK_PART}
    found = [guess(**signs, tagged=frozenset({tag})) for tag in (("a2", "gala_2026"), ("a1", "fair_2025"))]
    assert [each and each.participation for each in found] == ["inferred", "prior"]


@pytest.mark.parametrize("facts", [{"tagged": PROJECT}, {"activity": LIFTED}, {}])
def test_one_sign_is_none(facts: dict[str, Any]) -> None:
    assert guess(**facts) is None


@pytest.mark.parametrize(
    ("activity", "is_lifted"),
    [
        pytest.param(usage(10, 10, 15, 15), True, id="two weeks at half as much again"),
        pytest.param(usage(10, 10, 14.9, 15), False, id="one week"),
        pytest.param(usage(10, 10, 10, 15, 15), True, id="ramp and campaign count together"),
        pytest.param(usage(15, usual=0), False, id="no usual level"),
        pytest.param({}, False, id="no usage"),
        # The week that runs at as_of is not closed.
        pytest.param(usage(10, 10, 10, 10, 15, 99), False, id="a week that is not over"),
    ],
)
def test_usage_speaks_from_two_lifted_weeks_on(activity: dict[date, float], is_lifted: bool) -> None:
    found = guess(tagged=PROJECT, activity={"a1": activity})
    assert (found is not None) is is_lifted


@pytest.mark.parametrize(
    "part", [Part("declared", 1.0), Part("declined", 1.0), Part("inferred", 0.6)], ids=lambda part: part.participation
)
def test_what_was_said_is_never_guessed_again(part: Part) -> None:
    assert guess(tagged=PROJECT, activity=LIFTED, parts={("a1", "gala_2026"): part}) is None


def test_a_guess_from_the_segment_gives_way_to_signs_but_not_to_another_one() -> None:
    prior = {("a1", "gala_2026"): Part("prior", 0.3)}
    found = guess(tagged=PROJECT, activity=LIFTED, parts=prior)
    assert found is not None
    assert found.participation == "inferred"
    assert guess(parts=prior | TOOK_PART) is None


@pytest.mark.parametrize(("of_ten", "expected"), [(0, None), (1, 0.1), (4, 0.4), (10, 0.49)])
def test_the_share_of_the_segment_that_took_part_last_time_is_the_prior(of_ten: int, expected: float | None) -> None:
    others = {f"b{number}": "studio" for number in range(9)}
    parts = {(name, "gala_2025"): Part("declared", 1.0) for name in list(others)[: min(of_ten, 9)]}
    if of_ten == 10:
        parts |= TOOK_PART
    found = {
        each.account_id: each
        for each in guesses(known(segments={"a1": "studio", "z": "agency", **others}, parts=parts))
    }
    assert (found["a1"].confidence if "a1" in found else None) == expected
    # Another segment's habits say nothing, and no prior ever puts an account into a phase.
    assert "z" not in found
    assert all(each.confidence < 0.5 for each in found.values())


@pytest.mark.parametrize(
    ("as_of", "is_live"),
    [("2026-02-01", False), ("2026-02-02", True), ("2026-05-03", True), ("2026-05-04", False)],
)
def test_only_what_is_live_is_guessed_at(as_of: str, is_live: bool) -> None:
    found = guess(as_of=parse_moment(as_of), tagged=PROJECT, parts=TOOK_PART)
    assert (found is not None) is is_live


def test_the_edition_before_is_the_last_one_that_was_not_cancelled() -> None:
    cancelled = instance("gala_2025", date(2025, 3, 3), status="cancelled")
    older = instance("gala_2024", date(2024, 3, 4))
    other = instance("fair_2025", date(2025, 9, 1))
    assert previous_of(THIS, (THIS, cancelled, older, other)) == older
    assert previous_of(older, (THIS, older)) is None


def test_a_declined_or_doubtful_part_last_time_is_no_habit() -> None:
    for part in (Part("declined", 1.0), Part("prior", 0.4)):
        assert guess(tagged=PROJECT, parts={("a1", "gala_2025"): part}) is None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three customers; a1 works for the gala of 2026 in a project and above its usual."""
    home = vendor(tmp_path)
    rows = ("gala,2025-03-03,2025-03-23,2024-06-01", "gala,2026-03-02,2026-03-22,2025-06-01")
    file = write_text(tmp_path, "gala.csv", "campaign_id,active_start_local,active_end_local,known_from", *rows)
    done(home, "import", file, "--backfill", now="2026-01-05")
    write_text(
        tmp_path / "work",
        "projects_history.csv",
        "project_id,valid_from,account_id,kind,campaign_instance_id,status_canonical",
        "p1,2026-02-01T00:00:00Z,a1,campaign,gala_2026,active",
    )
    days = [(week, actions) for account in (usage(10, 10, 15, 20),) for week, actions in account.items()]
    write_text(
        tmp_path / "work",
        "usage_daily.csv",
        "account_id,product_sku,feature_code,usage_date,events",
        *(f"{name},suite,core,{day},{int(n) if name == 'a1' else 10}" for name in ("a1", "a2") for day, n in days),
    )
    assert take_in(home, tmp_path / "work", now=parse_moment("2026-03-05")).refused == 0
    return home


def parts(home: Home) -> list[tuple[Any, ...]]:
    columns = ("account_id", "participation", "confidence", "evidence_ids", "available_at", "source_system")
    return [tuple(row.values()) for row in stored(home, "account_campaigns_history", *columns)]


def test_a_guess_is_a_row_known_from_its_date_and_made_once(home: Home) -> None:
    told = done(home, "infer", "--as-of", "2026-03-03", now="2026-03-05")
    assert told.document["guesses"] == {"inferred": 1}
    row = ("a1", "inferred", 0.7, "project usage", parse_moment("2026-03-03"), "campaign_inference")
    assert parts(home) == [row]
    again = done(home, "infer", "--as-of", "2026-03-03", now="2026-03-05")
    assert again.out.startswith("as known on 2026-03-03: no new guess")
    assert parts(home) == [row]
    for day, phase in (("2026-03-02", "none"), ("2026-03-03", "active")):
        assert done(home, "as-of", day, "--account", "a1", now="2026-03-05").document["phase"] == phase


def test_what_an_account_says_later_is_stronger_than_the_guess(home: Home, tmp_path: Path) -> None:
    done(home, "infer", "--as-of", "2026-03-03", now="2026-03-05")
    join(home, tmp_path, "gala_2026", "a1,declined,1", now="2026-03-06")
    told = done(home, "as-of", "2026-03-06", "--account", "a1", now="2026-03-07")
    assert (told.document["phase"], told.document["campaigns"][0]["participation"]) == ("none", "declined")
    assert infer(home, parse_moment("2026-03-07"), now=parse_moment("2026-03-07")).counts == {}


def test_nothing_later_than_its_date_is_read(home: Home) -> None:
    # A law: deciding by the whole season is the usual leak. On 23 February only one lifted week has closed.
    assert infer(home, parse_moment("2026-02-23"), now=parse_moment("2026-03-05")).counts == {}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Known, set[str]]]:
    """A company of which nobody told who takes part in March Madness 2022, by what was known at its end."""
    folder = tmp_path_factory.mktemp("company")
    simulate(regime="campaign", accounts=150, seed=6, start=date(2021, 1, 4), weeks=70, out=folder)
    run = "march_madness_2022"
    file = folder / "account_campaigns_history.parquet"
    rows = pq.read_table(file)
    pq.write_table(rows.filter(pc.not_equal(rows["campaign_instance_id"].cast("string"), run)), file)
    with open_engine(threads=1) as engine:
        for name in TABLES:
            path = folder / f"{name}.parquet"
            if path.exists():
                engine.name(f"_{name}", [path])
                engine.name_query(
                    name,
                    f"SELECT *, 'upsert' AS op, HASH({', '.join(TABLES[name].key)}) % 1000 AS row_hash FROM _{name}",
                )
            else:
                engine.name_query(name, empty_table_query(name))
        truth = pq.read_table(folder / "truth" / "participation.parquet").to_pylist()
        joined = {row["account_id"] for row in truth if row["campaign_instance_id"] == run}
        yield known_at(engine, parse_moment("2022-04-04")), joined


def test_guesses_find_four_of_five_and_are_right_four_times_of_five(made_up: tuple[Known, set[str]]) -> None:
    company, joined = made_up
    found = {
        each.account_id
        for each in guesses(company)
        if each.participation == "inferred" and each.campaign_instance_id == "march_madness_2022"
    }
    there = joined & set(company.segments)
    assert len(there) >= 25
    assert len(found & joined) / len(found) >= 0.85
    assert len(found & there) / len(there) >= 0.8
