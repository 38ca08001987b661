"""Does the service tell of the sources what the command line tells, without reading every table for every call?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from features.settings import Home
from serving.source_board import KEPT_FOR, SourceBoard
from tests.serving.event_case import ARRIVAL, Service, event_home, service, ticket
from tests.walk_case import pulse


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(event_home(tmp_path_factory.mktemp("status") / "home")) as running:
        yield running


def test_the_service_tells_what_the_command_tells(shared: Service) -> None:
    told = pulse("sources", "status", "--as-of", ARRIVAL.isoformat(), home=shared.home.root).document
    answer = shared.get("/v1/sources/status")
    assert answer.status_code == 200
    found = answer.json()
    moments = ("newest_event_at", "newest_available_at", "complete_until")
    for source in (*told["sources"], *found["sources"]):
        source |= {name: source[name] and source[name].replace("+00:00", "Z") for name in moments}
    assert found == {"as_of": "2023-11-08T14:03:00Z", "sources": told["sources"]}
    assert len(found["sources"]) > 10


def test_an_answer_is_kept_for_a_minute_unless_rows_come(tmp_path: Path) -> None:
    home = event_home(tmp_path / "home")
    board = SourceBoard(home)
    first = board.report(ARRIVAL)
    assert board.report(ARRIVAL + KEPT_FOR / 2) is first
    assert board.report(ARRIVAL - timedelta(seconds=1)) is not first
    later = board.report(ARRIVAL + KEPT_FOR)
    assert later.as_of == ARRIVAL + KEPT_FOR
    with service(home) as running:
        running.send([ticket("a1")])
        running.store()
    fresh = board.report(ARRIVAL + KEPT_FOR)
    assert ("api", "tickets_history") in {(each.source_system, each.table) for each in fresh.sources}
    assert fresh is not later


def test_a_home_without_rows_has_no_sources(tmp_path: Path) -> None:
    with service(Home(root=tmp_path / "home")) as running:
        assert running.get("/v1/sources/status").json() == {"as_of": "2023-11-08T14:03:00Z", "sources": []}


def test_stewards_that_cannot_be_read_are_told_as_a_problem_and_in_the_log(tmp_path: Path) -> None:
    home = event_home(tmp_path / "home")
    (home.root / "stewards.yaml").write_text("- no list of stewards")
    with service(home) as running:
        answer = running.get("/v1/sources/status")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The sources cannot be judged: stewards.yaml in the home cannot be used."
        assert "sources not judged" in [event for event, _ in running.told]
