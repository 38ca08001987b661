"""How does a service ask which models there are, and change which one is live, as the command line does?

A door of this room. The lifecycle loads libraries that take seconds and hundreds of megabytes and that serving has no
other use for, so it is run in a process of its own: ``python -m training.in_child`` reads one order as JSON and writes
one answer. A failure of ours comes back as the same failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from features import errors
from features.audit_log import within_request
from features.errors import PulseError, ServiceUnavailable
from features.settings import Home

PATIENCE = timedelta(seconds=60)
"""Loading takes some seconds and the proof of a bundle a few more; what takes longer hangs."""

_FAILURES = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, PulseError)
}


def promote(
    home: Home, version: str, *, who: str, why: str, at: datetime, request_id: str | None = None
) -> dict[str, Any]:
    """:func:`training.lifecycle.promote` in a process of its own: action, from, to, who, why, at.

    ``request_id`` is the HTTP request it is done for, for the audit log.

    Raises:
        PulseError: as the lifecycle does.
        ServiceUnavailable: the process died or took too long.
    """
    said = _said(who, why, at, request_id)
    return _asked({"do": "promote", "home": str(home.root), "version": version, **said})


def rollback(home: Home, *, who: str, why: str, at: datetime, request_id: str | None = None) -> dict[str, Any]:
    """:func:`training.lifecycle.rollback` in a process of its own; answers and raises as :func:`promote`."""
    return _asked({"do": "rollback", "home": str(home.root), **_said(who, why, at, request_id)})


def models(home: Home) -> dict[str, Any]:
    """:func:`training.lifecycle.models` in a process of its own: live, versions, promotions; raises as above."""
    return _asked({"do": "models", "home": str(home.root)})


def main() -> None:
    """Do the order on standard input; the last line of standard output is the answer."""
    order = json.load(sys.stdin)
    try:
        answer = _done(order)
    except PulseError as failure:
        answer = {"failure": failure.facts()}
    sys.stdout.write(f"\n{json.dumps(answer, default=str)}\n")


def _done(order: dict[str, Any]) -> dict[str, Any]:
    from training import lifecycle  # noqa: PLC0415  what this process is there for

    home = Home(root=Path(order["home"]))
    if order["do"] == "models":
        return lifecycle.models(home).document()
    said = {"who": order["who"], "why": order["why"], "at": datetime.fromisoformat(order["at"])}
    with within_request(order.get("request_id")):
        if order["do"] == "promote":
            done = lifecycle.promote(home, order["version"], **said)
        else:
            done = lifecycle.rollback(home, **said)
    facts = {"action": done.action, "from": done.version_from, "to": done.version_to}
    return {**facts, "who": done.who, "why": done.why, "at": done.at.isoformat()}


def _said(who: str, why: str, at: datetime, request_id: str | None) -> dict[str, str]:
    said = {"who": who, "why": why, "at": at.isoformat()}
    return said if request_id is None else said | {"request_id": request_id}


def _asked(order: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "training.in_child"]
    try:
        ended = subprocess.run(  # noqa: S603  our own module
            command, check=True, input=json.dumps(order), capture_output=True, text=True, timeout=PATIENCE.seconds
        )
        answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as cause:
        raise _silent(f"a process that ran over {PATIENCE}") from cause
    except (subprocess.CalledProcessError, ValueError, IndexError) as cause:
        raise _silent("a process that ended without an answer") from cause
    if (failure := answer.pop("failure", None)) is not None:
        kind = _FAILURES[failure.pop("error")]
        raise kind(failure.pop("title"), **failure)
    return answer


def _silent(found: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        "the registry of models does not answer",
        expected="an answer of the lifecycle",
        found=found,
        todo="run `pulse models` on the machine of the service to see what is wrong",
    )


if __name__ == "__main__":
    main()
