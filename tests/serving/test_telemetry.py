"""What the service tells of itself: right counts, traces, a dashboard that asks for what there is, and no secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from features import audit_log
from features.errors import ConfigError
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.foreign_logs import taken_over
from serving.request_log import json_lines
from serving.tracing import Tracing
from tests.serving.people_case import PASSWORD, START, WRONG, Browser, Place, new_home

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/campaign-pulse.json").read_text())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(new_home(tmp_path))
    yield made
    made.context.close()


def samples(place: Place) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = place.context.metrics.text().decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_the_counts_are_those_of_the_clients_journal_and_name_no_account(place: Place) -> None:
    journal: Counter[tuple[str, str, str]] = Counter()
    browser = place.browser()

    def ask(method: str, path: str, route: str) -> None:
        journal[method, route, str(browser.ask(method, path).status_code)] += 1

    for number in range(40):
        ask("GET", f"/accounts/acc-{number}", "/accounts/{account_id}")
        ask("GET", f"/v1/accounts/acc-{number}/history", "/v1/accounts/{account_id:path}/history")
        ask("GET", f"/made/up/{number}", "unmatched")
        ask("BREW" if number % 2 else "GET", "/sign-in", "/sign-in")
    for password in (WRONG, PASSWORD, WRONG):
        journal["POST", "/sign-in", str(place.browser().sign_in(password=password).status_code)] += 1
    known = {("other" if method == "BREW" else method, route, status) for method, route, status in journal}
    counted = {
        tuple(dict(labels)[name] for name in ("method", "route", "status")): value
        for (name, labels), value in samples(place).items()
        if name == "campaign_pulse_requests_total"
    }
    merged: Counter[tuple[str, ...]] = Counter()
    for (method, _route, status), count in journal.items():
        merged["other" if method == "BREW" else method, status] += count
    told: Counter[tuple[str, ...]] = Counter()
    for (method, _route, status), value in counted.items():
        told[method, status] += int(value)
    assert told == merged
    assert len(counted) <= len(known) + 2
    assert sum(counted.values()) == sum(journal.values())
    outcomes = {
        dict(labels)["outcome"]: value for (name, labels), value in samples(place).items() if "sign_ins_t" in name
    }
    assert outcomes == {"wrong": 2.0, "signed_in": 1.0}
    assert len(samples(place)) <= 500
    assert "acc-" not in place.context.metrics.text().decode()


def test_every_query_of_the_dashboard_asks_for_a_metric_and_labels_that_exist(place: Place) -> None:
    place.browser().sign_in()
    place.browser().get("/")
    place.context.metrics.account("ok")
    known: dict[str, set[str]] = {}
    for name, labels in samples(place):
        known.setdefault(name, {"job", "instance"}).update(dict(labels))
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    queries += [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["name"] == "job"]
    assert len(queries) > 10
    for query in queries:
        names = re.findall(r"\b(?:campaign_pulse|process)_[a-z_]+", query)
        assert names, query
        for name in names:
            assert name in known, query
            wanted = set(re.findall(r"(\w+)=~?\"", query)) | set(re.findall(r"by \(([\w, ]+)\)", query))
            labels = {label.strip() for one in wanted for label in one.split(",")}
            assert labels <= known[name], query
    legends = {target["legendFormat"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert not [legend for legend in legends if re.findall(r"account|person|path", legend)]


CANARIES = {name: f"CANARY{number:02d}secret" for number, name in enumerate((
    "bearer", "basic", "cookie", "session", "header", "query", "path", "json", "form password", "form email", "code",
    "referer", "agent", "forwarded", "host", "origin", "request id", "state", "trace", "method", "filename", "account",
    "url password", "environment", "error",
))}  # fmt: skip


def test_none_of_25_secrets_gets_into_logs_metrics_traces_or_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CANARIES) == 25
    monkeypatch.setenv("PULSE_LIMITS", f"redis://user:{CANARIES['url password']}@127.0.0.1:1/0")
    monkeypatch.setenv("PULSE_OIDC_SECRET", CANARIES["environment"])
    lines: list[str] = []
    spans = InMemorySpanExporter()
    place = Place(new_home(tmp_path))
    place.guard._tracing = Tracing.to(spans)
    place.guard._tell = place.context.door.tell = json_lines(lines.append)
    browser = place.browser(CANARIES["forwarded"])
    _leave_everywhere(browser)
    place.context.door.trail.flush()
    with taken_over(json_lines(lines.append)):
        logging.getLogger("library").error("could not reach %s", CANARIES["error"])
    place.guard._tracing.close()
    told = "".join(lines) + place.context.metrics.text().decode()
    told += "".join(span.to_json() for span in spans.get_finished_spans())
    told += str(audit_log.read(place.home, 1000)) + str(place.context.door.store.lines(1000)) + str(place.events)
    assert len(lines) > 10
    assert [name for name, canary in CANARIES.items() if canary in told] == []
    for line in lines:
        assert isinstance(json.loads(line), dict)
        assert len(line.splitlines()) == 1
    place.context.close()


def _leave_everywhere(browser: Browser) -> None:
    c = CANARIES
    headers = {
        "referer": f"https://x/{c['referer']}",
        "user-agent": c["agent"],
        "x-anything": c["header"],
        "x-forwarded-for": c["forwarded"],
        "x-request-id": f"{c['request id']} not ours",
        "traceparent": f"00-{c['trace']}-00",
        "cookie": f"other={c['cookie']}; pulse_session={c['session']}",
    }
    browser.get(f"/v1/accounts/{c['account']}/history?x={c['query']}", headers=headers)
    browser.get(f"/{c['path']}%0d%0a%1b[31m", headers=headers)
    browser.get("/", headers={**headers, "authorization": f"Bearer {c['bearer']}"})
    browser.get("/", headers={"authorization": f"Basic {c['basic']}"})
    browser.get("/", headers={"host": c["host"]})
    browser.ask(c["method"], "/")
    browser.ask("POST", "/v1/score", json={"account_ids": [c["json"]], c["json"]: 1}, headers=headers)
    browser.ask("POST", "/v1/score", files={"file": (c["filename"], b"x")})
    browser.post("/sign-in", {"email": c["form email"], "password": c["form password"]}, headers=headers)
    browser.post("/sign-in", {"email": "ada@vendor.example", "password": c["form password"]})
    browser.post("/sign-in", {"email": "x"}, headers={"origin": f"http://{c['origin']}"})
    browser.get(f"/sign-up?code={c['code']}")
    browser.get(f"/sign-in/provider/back?state={c['state']}")


def test_a_trace_names_route_status_and_request_and_goes_on_from_the_callers(place: Place) -> None:
    spans = InMemorySpanExporter()
    place.guard._tracing = Tracing.to(spans)
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    place.browser().get("/accounts/acc-7?x=1", headers={"traceparent": caller, "x-request-id": "r-1", "accept": "*/*"})
    place.guard._tracing.close()
    told = {span.name: span for span in spans.get_finished_spans()}
    assert set(told) == {"GET /accounts/{account_id}", "who is it"}
    whole: ReadableSpan = told["GET /accounts/{account_id}"]
    assert whole.context is not None
    assert f"{whole.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert dict(whole.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/accounts/{account_id}",
        "http.response.status_code": 401,
        "pulse.request_id": "r-1",
    }
    assert whole.resource.attributes["service.name"] == "campaign-pulse"


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Something that takes traces by HTTP, on a port of this machine."""
    taken: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_standard_variables_send_traces_to_a_collector(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (address, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "pulse-of-ours")
        place.guard._tracing = Tracing.from_environment()
        place.browser().get("/sign-in")
        place.guard._tracing.close()
    ((path, body),) = taken
    assert path == "/v1/traces"
    assert b"GET /sign-in" in body
    assert b"pulse-of-ours" in body


@pytest.mark.parametrize(
    "environment",
    [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}],
)
def test_without_being_asked_nothing_is_traced(environment: dict[str, str]) -> None:
    assert Tracing.from_environment(environment)._provider is None


def test_an_exporter_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="otlp, console or none in OTEL_TRACES_EXPORTER"):
        Tracing.from_environment({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_what_libraries_and_crashes_say_is_told_without_their_words() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    before = (sys.excepthook, threading.excepthook, list(logging.getLogger().handlers))
    with taken_over(lambda event, facts: told.append((event, dict(facts)))):
        try:
            raise RuntimeError("acc-0001 owes 5")
        except RuntimeError:
            logging.getLogger("some.library").exception("acc-0001 again")
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("acc-0001", stacklevel=1)
        crash = threading.Thread(target=lambda: {}["acc-0001"])
        crash.start()
        crash.join()
        logging.getLogger("some.library").info("not worth a line")
    assert [(event, facts.get("kind"), facts.get("logger")) for event, facts in told] == [
        ("library", "RuntimeError", "some.library"),
        ("defect", "RuntimeError", None),
        ("library", None, "py.warnings"),
        ("defect", "KeyError", None),
    ]
    assert all(re.fullmatch(r"[\w.]+:\d+", facts["where"]) for _, facts in told)
    assert "acc-0001" not in str(told)
    assert (sys.excepthook, threading.excepthook, list(logging.getLogger().handlers)) == before


def test_a_session_is_named_in_the_log_by_the_persons_id(place: Place) -> None:
    browser = place.browser()
    browser.sign_in()
    browser.get("/")
    person = place.context.door.desk.people.require("ada@vendor.example")
    told = [facts for event, facts in place.events if event == "request"]
    assert told[-1]["person"] == person.id
    # Ids are drawn: three letters of a name may stand in them by luck.
    plain = [{name: fact for name, fact in facts.items() if name not in {"request_id", "person"}} for facts in told]
    assert len(plain[-1]) > 3
    assert "ada" not in json.dumps(plain).lower()


def test_a_key_of_the_environment_is_never_told(place: Place) -> None:
    _, token = KeyStore(place.home).create("bot", [AccessScope.ADMIN], who="user root", at=START)
    place.browser().get("/v1/levers", headers={"authorization": f"Bearer {token}"})
    assert token.split("_", 2)[2] not in json.dumps(place.events)
