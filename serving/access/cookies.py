"""How are cookies given and read?

``HttpOnly``, ``SameSite=Lax``, for the whole site and no other; ``Secure``, with the prefix ``__Host-`` that makes
browsers hold us to it, wherever other machines can reach the service. On loopback there is nothing to encrypt.
"""

from __future__ import annotations

from datetime import timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response

SESSION, DEVICE, FLOW = "pulse_session", "pulse_device", "pulse_flow"
_LONGEST = 4096


def read(headers: Headers, name: str, *, secure: bool) -> str | None:
    """The value of one of our cookies; None where there is none, or several."""
    wanted, found = _named(name, secure=secure), []
    for line in headers.getlist("cookie"):
        if len(line) > _LONGEST:
            return None
        try:
            parsed = SimpleCookie(line)
        except CookieError:
            return None
        found += [parsed[wanted].value] if wanted in parsed else []
    return found[0] if len(found) == 1 and found[0] else None


def give(response: Response, name: str, value: str, *, secure: bool, lives: timedelta) -> None:
    """Give a browser a cookie to keep."""
    response.set_cookie(
        _named(name, secure=secure),
        value,
        max_age=int(lives.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def take(response: Response, name: str, *, secure: bool) -> None:
    """Take a cookie away."""
    response.delete_cookie(_named(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax")


def _named(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
