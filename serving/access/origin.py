"""Where does a request come from: which address, and which page?

An address that is forwarded is believed of a proxy that the settings name, and of nobody else. A request that changes
something and comes with what a browser sends by itself (a cookie, or nothing) must come from a page of ours: browsers
say so in ``Sec-Fetch-Site`` and ``Origin``, and a page of another site cannot change that.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from serving.access.rules import FORMS
from serving.access.settings import AccessSettings
from serving.exchange import Scope
from serving.problems import Problem

ADDRESS, SECURE = "pulse.address", "pulse.secure"
"""Where in the scope the routes find who asks, and whether cookies must be kept to encrypted connections."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OUR_OWN = frozenset({"same-origin", "none"})
FOREIGN = "This was sent by a page of another site, or by a browser that does not say by which."
NOT_ENCRYPTED = (
    "Signing in needs an encrypted connection: open this page by its https:// address. Whoever runs the service puts "
    "a proxy that speaks TLS in front of it."
)


def address_of(scope: Scope, headers: Headers, settings: AccessSettings) -> str:
    """The address that asks: the one that is connected, or the nearest one that is no proxy of ours."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    if "x-forwarded-for" not in headers:
        return address
    forwarded = [one.strip() for one in ",".join(headers.getlist("x-forwarded-for")).split(",")]
    while forwarded and settings.trusts(address):
        if not (nearer := forwarded.pop()):
            break
        address = nearer
    return address


def foreign(scope: Scope, headers: Headers, *, secure: bool) -> Problem | None:
    """Why a request that changes something is not believed to come from us; None where it may pass."""
    if scope["method"] in _SAFE or "authorization" in headers:
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in _OUR_OWN:
        return Problem.of(403, FOREIGN)
    by_browser = "cookie" in headers or scope["path"] in FORMS
    if origin is None or (origin == "null" and site == "same-origin"):
        return Problem.of(403, FOREIGN) if by_browser and site is None else None
    page = urlsplit(origin)
    if page.netloc.lower() != headers.get("host", "").lower():
        return Problem.of(403, FOREIGN)
    return Problem.of(403, NOT_ENCRYPTED) if secure and by_browser and page.scheme != "https" else None
