"""Is a question that is answered straight away answered as FastAPI would have it?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from serving.api.ready_route import LONGEST_ID, ReadyRoute
from serving.request_log import silent_tell
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import ids, now, stored_home

ODD = ("crm/12/explanation", "ä b", "a%2Fb", "%00", "a\nb", " ", "x" * LONGEST_ID, "x" * (LONGEST_ID + 1), "ø" * 201)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from _service(tmp_path_factory.mktemp("ready"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    # The same routes, each answered in FastAPI's own way.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ReadyRoute, "get_route_handler", APIRoute.get_route_handler)
        yield from _service(tmp_path_factory.mktemp("plain"))


def _service(root: Path) -> Iterator[Client]:
    moment = now()
    app, context = service_of(stored_home(root), clock=lambda: moment, tell=silent_tell)
    context.live.refresh()
    yield Client(app)
    context.close()


def told(client: Client, account_id: str) -> tuple[int, bytes, dict[str, str]]:
    answer = client.get(f"/v1/accounts/{quote(account_id, safe='')}/explanation?limit=0&account_id=other")
    return answer.status_code, answer.content, dict(answer.headers)


@pytest.mark.parametrize("account_id", ODD)
def test_an_odd_id_is_answered_or_refused_in_the_same_words(ready: Client, plain: Client, account_id: str) -> None:
    assert told(ready, account_id) == told(plain, account_id)
    assert told(ready, account_id)[0] == (422 if len(account_id) > LONGEST_ID else 404)


def test_every_kind_of_account_is_answered_byte_by_byte_the_same(ready: Client, plain: Client) -> None:
    asked = [*ids()[:3], ids("onboarding")[0], "nobody"]
    found = [told(ready, account_id) for account_id in asked]
    assert found == [told(plain, account_id) for account_id in asked]
    assert [status for status, _, _ in found] == [200, 200, 200, 200, 404]


def test_an_address_without_an_id_is_no_question(ready: Client, plain: Client) -> None:
    found, expected = (client.get("/v1/accounts//explanation") for client in (ready, plain))
    assert (found.status_code, found.content) == (expected.status_code, expected.content)
    assert found.status_code == 422
