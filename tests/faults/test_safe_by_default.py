"""Row 68: is a service that nobody configured closed to others, silent, and without a way in that everybody knows?"""

from __future__ import annotations

import ast
import ipaddress
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import ConfigError
from features.settings import Home
from serving.access.people import PeopleStore
from serving.access.store import KeyStore
from serving.access.tables import PeopleTables
from serving.launch import address_to_bind
from tests.faults.reporter import report
from tests.serving.test_service_process import LISTENING, Process

SPOKEN_TO = ("socket.connect", "socket.sendto", "socket.getaddrinfo")
OTHERS = ("192.0.2.1", "2001:db8::1", "::", "example.org")
FINE = {
    "/livez": 200,
    "/readyz": 503,
    "/metrics": 200,
    "/v1/openapi.json": 200,
    "/v1/models": 503,
    "/v1/accounts": 200,
    "/": 200,
}
"""What a service that knows nothing yet answers."""

WELL_KNOWN = (("admin", "admin"), ("admin@example.com", "password"), ("root", "root"), ("pulse", "pulse"), ("", ""))


def others_are_refused(home: Home) -> bool:
    """Is every address that others could reach refused while nobody could come in?"""
    for host in OTHERS:
        try:
            address_to_bind(host, home)
        except ConfigError:
            continue
        return False
    return True


def nobody_comes_in(process: Process) -> bool:
    """Does no name and password of the kind that everybody tries open anything?"""
    headers = {"origin": str(process.client.base_url), "content-type": "application/x-www-form-urlencoded"}
    for email, password in WELL_KNOWN:
        form = {"email": email, "password": password}
        answer = process.client.post("/sign-in", data=form, headers=headers)
        if answer.status_code < 400 or "set-cookie" in answer.headers:
            return False
    return True


def on_loopback(told: str) -> bool:
    """Is an address, as a process told it, one of this machine?"""
    place = ast.literal_eval(told)
    return isinstance(place, tuple) and ipaddress.ip_address(place[0]).is_loopback


@pytest.mark.timeout(600)
def test_row_68_without_any_word_a_service_is_closed_silent_and_knows_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULSE_HOME", "PULSE_HOSTS", "PULSE_EXPOSED", "PULSE_ACCESS", "PULSE_LIMITS", "PULSE_STATE"):
        monkeypatch.delenv(name, raising=False)
    home = Home(root=tmp_path / "home")
    with Process(home, tmp_path / "elsewhere") as running:
        statuses = {path: running.client.get(path).status_code for path in FINE}
        found = {
            "it answers": statuses == FINE,
            "no well-known password opens it": nobody_comes_in(running),
            "it stops": running.stop(signal.SIGTERM) == ("ended\n", 0),
        }
    bound = running.addresses("socket.bind")
    found |= {
        "it binds loopback alone": len(bound) > 0 and all(map(on_loopback, bound)),
        "it speaks to nobody": running.addresses(*SPOKEN_TO) == [],
        "others are refused": others_are_refused(home),
        "its home is its owner's": home.root.stat().st_mode & 0o777 == 0o700,
        "its secrets are its owner's": all(
            path.stat().st_mode & 0o077 == 0 for path in home.root.iterdir() if "secret" in path.name
        ),
        "it has no keys": not KeyStore(home).usable(),
        "it has no people": not PeopleStore(PeopleTables(home)).everyone(),
    }
    wrong = [name for name, holds in found.items() if not holds]
    assert wrong == [], (statuses, bound, running.addresses(*SPOKEN_TO))
    report(68, len(wrong), len(found), "things that are not safe in a service that nobody configured")


def test_whoever_speaks_to_others_is_heard() -> None:
    # A datagram socket that connects sends nothing.
    speaks = "import socket\nwith socket.socket(type=socket.SOCK_DGRAM) as one:\n    one.connect(('192.0.2.1', 9))\n"
    code = LISTENING + speaks
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == '{"event": "socket.connect", "address": "(\'192.0.2.1\', 9)"}\n'
    assert not on_loopback("('192.0.2.1', 9)")
    assert on_loopback("('127.0.0.1', 80)")
