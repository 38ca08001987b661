"""How does a person sign in, set a password, and sign out?

``/sign-in``, ``/sign-up``, ``/sign-out``, and the way to a provider and back. Plain forms: they work without scripts,
with a keyboard and with a screen reader. What went wrong is said in words above the form and read out.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from features.errors import ServiceUnavailable, UsageError
from serving.access import cookies
from serving.access.desk import DEVICE_LIVES, Admission, Attempt, Outcome
from serving.access.door import Door
from serving.access.origin import ADDRESS, SECURE
from serving.access.passwords import SHORTEST
from serving.access.provider import FLOW_LIVES, Provider
from serving.access.provider_people import person_of
from serving.access.rules import PROVIDER, PROVIDER_BACK, SIGN_IN, SIGN_OUT, SIGN_UP

_SEE_OTHER = 303
_LONGEST_FIELD = 1000
_WRONG = "This address and password do not belong together. Look at both, and try again."
_LIMITED = (
    "Too often tried in the last hour. Wait a while, use a browser that you have signed in with before, or ask whoever "
    "runs campaign-pulse here for a link that sets a new password."
)
_DIFFERENT = "The two passwords differ. Type the same one twice."
_SILENT = "Signing in does not work at the moment. Try again in a minute."
_NOTICES = {
    "ended": "You were signed out, because some time went by. Sign in to go on.",
    "out": "You are signed out.",
}


class SignInPages:
    """The pages of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._desk = door.desk
        environment = Environment(
            loader=PackageLoader("serving.pages"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(reader=None, shortest=SHORTEST)
        self._template = environment.get_template

    def routes(self) -> list[BaseRoute]:
        """Every address of signing in and out."""
        return [
            Route(SIGN_IN, self._show, methods=["GET"]),
            Route(SIGN_IN, self._sign_in, methods=["POST"]),
            Route(SIGN_UP, self._show_link, methods=["GET"]),
            Route(SIGN_UP, self._set_password, methods=["POST"]),
            Route(SIGN_OUT, self._sign_out, methods=["POST"]),
            Route(PROVIDER, self._to_provider, methods=["GET"]),
            Route(PROVIDER_BACK, self._from_provider, methods=["GET"]),
        ]

    def _show(self, request: Request) -> Response:
        notice = _NOTICES.get(request.query_params.get("why", ""), "")
        return self._page(onward=_own(request.query_params.get("next")), notice=notice)

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request)
        attempt = Attempt(
            email=form.get("email", ""),
            password=form.get("password", ""),
            address=str(request.scope.get(ADDRESS, "")),
            device=_cookie(request, cookies.DEVICE),
            session=_cookie(request, cookies.SESSION),
        )
        onward = _own(form.get("next"))
        try:
            admission = await run_in_threadpool(self._desk.sign_in, attempt)
        except ServiceUnavailable:
            return self._page(onward=onward, email=attempt.email, trouble=_SILENT, status=503)
        if admission.outcome is Outcome.SIGNED_IN:
            return self._admitted(request, admission, onward)
        limited = admission.outcome is Outcome.LIMITED
        words, status = (_LIMITED, 429) if limited else (_WRONG, 401)
        response = self._page(onward=onward, email=attempt.email, trouble=words, status=status)
        if limited:
            response.headers["retry-after"] = "600"
        return response

    async def _show_link(self, request: Request) -> Response:
        code = request.query_params.get("code", "")[:_LONGEST_FIELD]
        person = await run_in_threadpool(self._desk.people.of_link, code, at=self._desk.clock())
        return self._link_page(code, person.email) if person else self._link_page("", "", status=404)

    async def _set_password(self, request: Request) -> Response:
        form = await _form(request)
        code, password = form.get("code", ""), form.get("password", "")
        person = await run_in_threadpool(self._desk.people.of_link, code, at=self._desk.clock())
        if person is None:
            return self._link_page("", "", status=404)
        if password != form.get("again", ""):
            return self._link_page(code, person.email, trouble=_DIFFERENT, status=422)
        held = _cookie(request, cookies.SESSION)
        try:
            admission = await run_in_threadpool(self._desk.set_password, code, password, session=held)
        except UsageError as weak:
            words = f"This password cannot be taken: {weak.expected} are needed."
            return self._link_page(code, person.email, trouble=words, status=422)
        if admission is None:
            return self._link_page("", "", status=404)
        return self._admitted(request, admission, "/")

    async def _sign_out(self, request: Request) -> Response:
        session = _cookie(request, cookies.SESSION)
        if session is not None:
            await run_in_threadpool(self._desk.sign_out, session)
        response = RedirectResponse(f"{SIGN_IN}?why=out", _SEE_OTHER)
        cookies.take(response, cookies.SESSION, secure=request.scope[SECURE])
        return response

    async def _to_provider(self, request: Request) -> Response:
        provider, onward = self._door.provider, _own(request.query_params.get("next"))
        if provider is None:
            return self._page(onward=onward, status=404)
        try:
            departure = await run_in_threadpool(provider.begin, _back(request), onward)
        except ServiceUnavailable as trouble:
            self._door.tell("provider does not answer", trouble.facts())
            return self._page(onward=onward, trouble=_SILENT, status=503)
        response = RedirectResponse(departure.address, _SEE_OTHER)
        cookies.give(response, cookies.FLOW, departure.kept, secure=request.scope[SECURE], lives=FLOW_LIVES)
        return response

    async def _from_provider(self, request: Request) -> Response:
        provider = self._door.provider
        if provider is None:
            return self._page(onward="/", status=404)
        try:
            admission, onward = await run_in_threadpool(self._vouched_for, provider, request)
            response = self._admitted(request, admission, onward)
        except UsageError as refusal:
            self._desk.count(Outcome.NOT_ALLOWED)
            words = f"You cannot be signed in this way: {refusal.expected} is needed. {refusal.todo.capitalize()}."
            response = self._page(onward="/", trouble=words, status=403)
        except ServiceUnavailable as trouble:
            self._door.tell("provider does not answer", trouble.facts())
            response = self._page(onward="/", trouble=_SILENT, status=503)
        cookies.take(response, cookies.FLOW, secure=request.scope[SECURE])
        return response

    def _vouched_for(self, provider: Provider, request: Request) -> tuple[Admission, str]:
        vouched = provider.finish(dict(request.query_params), _cookie(request, cookies.FLOW), _back(request))
        person = person_of(vouched, self._desk.people, at=self._desk.clock())
        admission = self._desk.admit(person, how="provider", session=_cookie(request, cookies.SESSION))
        self._desk.count(Outcome.SIGNED_IN)
        return admission, _own(vouched.onward)

    def _admitted(self, request: Request, admission: Admission, onward: str) -> Response:
        response, secure = RedirectResponse(onward, _SEE_OTHER), request.scope[SECURE]
        lives = self._door.settings.sessions.longest
        cookies.give(response, cookies.SESSION, admission.session or "", secure=secure, lives=lives)
        cookies.give(response, cookies.DEVICE, admission.device or "", secure=secure, lives=DEVICE_LIVES)
        return response

    def _page(
        self, *, onward: str, email: str = "", trouble: str = "", notice: str = "", status: int = 200
    ) -> HTMLResponse:
        settings = self._door.settings
        told: dict[str, Any] = {"onward": onward, "email": email[:_LONGEST_FIELD], "trouble": trouble, "notice": notice}
        provider = settings.provider.name if settings.provider else ""
        told |= {"passwords": settings.passwords and self._desk.people.anybody(), "provider": provider}
        return HTMLResponse(self._template("sign_in.html").render(told), status)

    def _link_page(self, code: str, email: str, *, trouble: str = "", status: int = 200) -> HTMLResponse:
        told = {"code": code, "email": email, "trouble": trouble}
        return HTMLResponse(self._template("sign_up.html").render(told), status)


async def _form(request: Request) -> dict[str, str]:
    # The guard let in no other kind of body, and no more of it than it allows.
    fields = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0][:_LONGEST_FIELD] for name, values in fields.items()}


def _cookie(request: Request, name: str) -> str | None:
    return cookies.read(request.headers, name, secure=request.scope[SECURE])


def _back(request: Request) -> str:
    scheme = "https" if request.scope[SECURE] else "http"
    return f"{scheme}://{request.headers['host']}{PROVIDER_BACK}"


def _own(address: str | None) -> str:
    """Where to go on: a page of ours, whatever was asked for."""
    text = (address or "/")[:_LONGEST_FIELD]
    parts = urlsplit(text)
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if plain and not (parts.scheme or parts.netloc) else "/"
