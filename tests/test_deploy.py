"""Is the larger set-up in ``deploy/`` whole, shut where it must be, and does the product run with its very settings?"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest
import yaml

from features.backup import back_up, restore
from features.online_place import OnlinePlace
from features.settings import Home
from features.state_place import StatePlace
from features.store import FeatureStore
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.settings import ServiceSettings
from tests.features.online_servers import PASSWORD, Server, _free_port, postgresql_server, redis_server
from tests.serving.service_case import ids, newest, now, stored_home

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PATIENCE = 120.0
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN_VARIABLES = {"POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS", "REDIS_PASSWORD"}


def asked_for(text: str) -> set[str]:
    """The variables that a compose file is filled in with; ``$$`` stands for a dollar sign."""
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))


def example() -> dict[str, str]:
    """What ``env.example`` names, with what it says."""
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def filled_in(value: str, given: Mapping[str, str]) -> str:
    """A value of the compose file as compose fills it in."""
    return re.sub(r"\$\{([A-Z_]+)(?::[-?]([^}]*))?\}", lambda found: given.get(found[1]) or found[2] or "", value)


def test_every_part_of_the_compose_file_is_known_and_hangs_together() -> None:
    known = {
        "image",
        "build",
        "command",
        "entrypoint",
        "environment",
        "volumes",
        "networks",
        "ports",
        "depends_on",
        "restart",
        "healthcheck",
        "read_only",
        "tmpfs",
        "cap_drop",
        "security_opt",
        "profiles",
        "mem_limit",
        "shm_size",
        "stop_grace_period",
    }
    assert set(COMPOSE) == {"name", "x-pulse", "services", "networks", "volumes"}
    for name, service in SERVICES.items():
        assert set(service) <= known, name
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_file(), volume
            elif not source.startswith("$"):
                assert source in COMPOSE["volumes"], volume
        for waited, how in dict(service["depends_on"]).items() if isinstance(service.get("depends_on"), dict) else ():
            assert how != {"condition": "service_healthy"} or "healthcheck" in SERVICES[waited], name


def test_only_the_proxy_is_reached_from_outside_and_mlflow_stands_alone() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    inside = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal") is True}
    assert inside == {"inner", "models"}
    for name, service in SERVICES.items():
        assert set(service["networks"]) <= inside or name == "proxy", name
    assert [name for name, service in SERVICES.items() if "models" in service["networks"]] == ["mlflow"]
    # The address that is believed is the proxy's, and nobody else's.
    address = SERVICES["proxy"]["networks"]["inner"]["ipv4_address"]
    access = ServiceSettings.from_environment({"PULSE_ACCESS": str(DEPLOY / "access.yaml")}).access
    assert [str(network) for network in access.trusted_proxies] == [f"{address}/32"]


def test_what_runs_our_code_may_do_little() -> None:
    for name in ("service", "pulse", "mlflow"):
        service = SERVICES[name]
        found = (service["read_only"], service["cap_drop"], service["security_opt"])
        assert found == (True, ["ALL"], ["no-new-privileges:true"]), name
    assert all(
        re.search(r":\d[\w.-]*$", service["image"]) or "PULSE_VERSION" in service["image"]
        for service in SERVICES.values()
    )
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "pip install --no-cache-dir --require-hashes --requirement requirements.lock" in dockerfile
    assert re.search(r"^USER pulse$", dockerfile, re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / part).exists() for part in line.split()), line


def test_the_example_names_what_is_asked_for_and_holds_no_secret() -> None:
    named = example()
    assert set(named) == asked_for((DEPLOY / "compose.yaml").read_text())
    assert {name for name, said in named.items() if not said} == {
        "PULSE_STATE_PASSWORD",
        "PULSE_ONLINE_PASSWORD",
        "PULSE_COOKIE_SECRET",
    }
    # Nobody's password stands in the files: only where it comes from.
    settings = {
        name: str(said) for service in SERVICES.values() for name, said in service.get("environment", {}).items()
    }
    for name, said in settings.items():
        if "PASSWORD" in name or "SECRET" in name:
            assert said.startswith("${"), name


def test_every_setting_of_the_service_is_one_that_the_product_knows() -> None:
    rooms = [path for room in ("features", "training", "serving") for path in (ROOT / room).rglob("*.py")]
    known = set(re.findall(r"PULSE_[A-Z_]+", "".join(path.read_text() for path in rooms)))
    assert set(SERVICES["service"]["environment"]) <= known
    assert SERVICES["pulse"]["environment"] == SERVICES["service"]["environment"]
    assert (OnlinePlace.from_environment(environment_of("service")).shown()) == "redis://redis:6379/0"
    assert (StatePlace.from_environment(environment_of("service")).shown()) == "postgresql://postgres:5432/pulse"


def environment_of(name: str, **given: str) -> dict[str, str]:
    """The environment that compose gives a service, from the example and what a person fills in."""
    secrets = {"PULSE_STATE_PASSWORD": PASSWORD, "PULSE_ONLINE_PASSWORD": PASSWORD, "PULSE_COOKIE_SECRET": "c" * 48}
    values = {**example(), **secrets, **given}
    return {key: filled_in(str(said), values) for key, said in SERVICES[name]["environment"].items()}


class Proxy:
    """nginx with the very configuration of the set-up, on ports of this machine."""

    def __init__(self, folder: Path, upstream: str, *, refill: tuple[str, str] = ("rate=", "rate=")) -> None:
        self.port, self.plain = _free_port(), _free_port()
        self._folder = folder
        tls = folder / "tls"
        tls.mkdir()
        order = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", "/CN=pulse.example.com", "-addext", "subjectAltName=DNS:pulse.example.com,DNS:localhost"]
        files = ["-keyout", str(tls / "privkey.pem"), "-out", str(tls / "fullchain.pem"), "-days", "2"]
        subprocess.run([*order, *names, *files], check=True, capture_output=True)
        given = environment_of("proxy") | {
            "PULSE_UPSTREAM": upstream,
            "PULSE_PORT": f"127.0.0.1:{self.port}",
            "PULSE_PLAIN_PORT": f"127.0.0.1:{self.plain}",
            "PULSE_TLS": str(tls),
        }
        server = Template((DEPLOY / "nginx.conf.template").read_text()).safe_substitute(given)
        assert "${" not in server
        assert refill[0] in server
        server = server.replace(*refill)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 1; events {{}}\n"
            f"http {{ access_log off; {temporary}\n{server}}}\n"
        )
        self.context = ssl.create_default_context(cafile=str(tls / "fullchain.pem"))

    def order(self, *more: str) -> list[str]:
        program = shutil.which("nginx") or pytest.fail("the proxy is tested with Debian's nginx: install nginx-light")
        return [program, "-c", str(self._folder / "nginx.conf"), "-p", str(self._folder), "-e", "stderr", *more]

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        child = subprocess.Popen(self.order(), stderr=subprocess.PIPE)
        try:
            with httpx.Client(
                base_url=f"https://localhost:{self.port}", verify=self.context, timeout=PATIENCE
            ) as client:
                client.headers["host"] = "pulse.example.com"
                for _ in range(200):
                    with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                        break
                    time.sleep(0.02)
                yield client
        finally:
            child.send_signal(signal.SIGQUIT)
            child.communicate(timeout=30)


class Upstream(BaseHTTPRequestHandler):
    """Says what reached it."""

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        told = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        status = 404 if self.path == "/own" else 200
        self.send_response(status)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name there
        pass


def test_the_proxy_speaks_tls_keeps_its_limits_and_refuses_in_our_form(tmp_path: Path) -> None:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    # Refilled by the minute, not by the second: so a slow machine meets the limit, too.
    proxy = Proxy(tmp_path, f"127.0.0.1:{upstream.server_address[1]}", refill=("rate=20r/s", "rate=20r/m"))
    assert subprocess.run(proxy.order("-t"), check=False, capture_output=True).returncode == 0
    with proxy.running() as client:
        lies = {"x-forwarded-for": "10.0.0.1", "x-forwarded-proto": "http", "x-real-ip": "10.0.0.1"}
        reached = client.get("/v1/accounts?limit=1", headers=lies).json()
        seen = {name: reached["headers"].get(name) for name in ("host", "x-forwarded-for", "x-forwarded-proto")}
        assert (reached["path"], seen) == (
            "/v1/accounts?limit=1",
            {"host": "pulse.example.com", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
        )
        assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/own").json()["path"] == "/own", "a refusal of the service comes through"
        answers = {
            "/metrics": client.get("/metrics"),
            "large": client.post("/v1/score", content=b"x" * (1 << 20) + b"x"),
        }
        plain = httpx.get(f"http://localhost:{proxy.plain}/v1/models?x=1", headers={"host": "pulse.example.com"})
        assert (plain.status_code, plain.headers["location"]) == (301, "https://pulse.example.com/v1/models?x=1")
        upstream.shutdown()
        upstream.server_close()
        answers["away"] = client.get("/livez")
        burst = [client.get("/livez") for _ in range(80)]
        answers["often"] = next(answer for answer in burst if answer.status_code == 429)
        assert 30 <= sum(answer.status_code == 503 for answer in burst) < 80
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "/metrics": 404, "large": 413, "often": 429, "away": 503,
    }  # fmt: skip
    for answer in answers.values():
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], len(problem["request_id"])) == (answer.status_code, 32)
        assert problem["instance"] == f"urn:campaign-pulse:request:{problem['request_id']}"
        assert answer.headers["server"] == "nginx", "no version is told"
    assert (answers["often"].headers["retry-after"], answers["away"].headers["retry-after"]) == ("1", "5")


_SERVE = """
import sys
from features.settings import Home
from features.vocabulary import parse_moment
from serving.launch import serve
tell = lambda text: print(text, flush=True)
serve(Home.from_environment(), host="0.0.0.0", port=0, as_of=parse_moment(sys.argv[1]), announce=tell)
"""


def settings_of_this_machine(postgresql: Server, redis: Server, home: Path) -> dict[str, str]:
    """The environment of the compose file; the names of its network become addresses of this machine."""
    settings = environment_of("service")
    here = redis.shown.split("//")[1].split("/")[0]
    settings["PULSE_STATE"] = settings["PULSE_STATE"].replace("postgres:5432/pulse", postgresql.shown.split("//")[1])
    for name in ("PULSE_ONLINE", "PULSE_LIMITS"):
        settings[name] = settings[name].replace("redis:6379", here)
    return settings | {"PULSE_HOME": str(home), "PULSE_ACCESS": str(DEPLOY / "access.yaml")}


@contextmanager
def served(log: Path) -> Iterator[str]:
    """The service, as a process with the environment as it is and its log in a file; its port."""
    order = [sys.executable, "-c", _SERVE, now().isoformat()]
    with log.open("w") as stream:
        child = subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip().rsplit(":", 1)[1]
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=PATIENCE)
    assert child.returncode == 0


def test_the_product_runs_with_the_settings_of_the_compose_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = stored_home(tmp_path / "small"), Home(root=tmp_path / "large")
    _, token = KeyStore(small).create("board", [AccessScope.SCORE_READ], who="ada", at=now())
    back_up(small, tmp_path / "moved.tar", now=now())
    (tmp_path / "proxy").mkdir()
    with postgresql_server() as postgresql, redis_server() as redis:
        for name, value in settings_of_this_machine(postgresql, redis, large.root).items():
            monkeypatch.setenv(name, value)
        # Moving to the larger set-up is a restore: the state goes into PostgreSQL, and a build fills Redis.
        restore(large, tmp_path / "moved.tar")
        store = FeatureStore(large)
        store.apply()
        assert store.materialize(newest()) > 0
        (large.feast / "online.db").unlink()
        with served(tmp_path / "log") as port, Proxy(tmp_path / "proxy", f"127.0.0.1:{port}").running() as client:
            until = time.monotonic() + PATIENCE
            while client.get("/readyz").status_code != 200 and time.monotonic() < until:
                time.sleep(0.3)
            asked = {"account_ids": ids()[:2]}
            assert client.post("/v1/score", json=asked).status_code == 401
            answer = client.post("/v1/score", json=asked, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            assert [one["status"] for one in answer.json()["results"]] == ["ok", "ok"]
            assert answer.json()["recorded"] is True
    assert "model live" in (tmp_path / "log").read_text()
    assert PASSWORD not in (tmp_path / "log").read_text()
    assert not list(large.root.glob("state.db*"))
