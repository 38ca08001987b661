"""Which pages are there, and where?

``/`` is the portfolio, ``/accounts/{id}`` one account, ``/static/`` the style sheet and the icon. Pages read the ledger
and never score; they work without scripts. Whatever a page shows is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from features.vocabulary import HORIZONS_DAYS, Band
from serving.context import caller_of, teams_asking
from serving.explain import HEALTH_SCALE
from serving.leads_priority import LeadsPriority
from serving.ledger import Ledger
from serving.own_accounts import is_own
from serving.pages import words
from serving.pages.account import ChangeTeller, account_page
from serving.pages.portfolio import BANDS_AT_RISK, MISSING, Choice, Portfolio, portfolio_of, value_at_risk
from serving.pages.priority import LEADS_FIRST, leads_view, measured, weights_told
from serving.pages.reading import PortfolioReader

_STATIC = Path(__file__).parent / "static"
_LONGEST_WORD = 200
_PAGE_DIGITS = 6
_FILTERS = {"owner": "CSM", "phase": "Phase", "segment": "Segment", "band": "Band", "currency": "Currency"}

Filter = tuple[str, str, Sequence[tuple[str, str]]]
"""Name, label and options of one filter; an option is a value and its words."""


def page_routes(
    ledger: Ledger, tell: ChangeTeller | None = None, leads: LeadsPriority | None = None
) -> list[BaseRoute]:
    """The routes of the pages over one ledger; ``tell`` says why a score moved, ``leads`` know a second order."""
    render, reader = _renderer(), PortfolioReader(ledger)

    def portfolio(request: Request) -> HTMLResponse:
        shown = portfolio_of(reader, _choice(request), leads)
        if shown is None:
            return HTMLResponse(render("empty.html", reader=caller_of(request)))
        told = render("portfolio.html", portfolio=shown, filters=_filters(shown), reader=caller_of(request))
        return HTMLResponse(told)

    def account(request: Request) -> HTMLResponse:
        account_id = request.path_params["account_id"]
        own = is_own(account_id, teams_asking(request), ledger)
        shown = account_page(ledger, account_id, tell) if own else None
        if shown is None:
            return HTMLResponse(render("missing.html", reader=caller_of(request)), status_code=404)
        view = leads_view(leads, ledger, account_id)
        return HTMLResponse(render("account.html", page=shown, leads=view, reader=caller_of(request)))

    return [
        Route("/", portfolio),
        Route("/accounts/{account_id:path}", account),
        Mount("/static", _StyleFiles(directory=_STATIC)),
    ]


class _StyleFiles(StaticFiles):
    """The files of the pages; kept by the browser, and asked for anew only when they have changed."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["cache-control"] = "no-cache"
        return response


def _choice(request: Request) -> Choice:
    asked = {name: request.query_params.get(name, "")[:_LONGEST_WORD] for name in _FILTERS}
    page = request.query_params.get("page", "")
    readable = page.isascii() and page.isdigit() and len(page) <= _PAGE_DIGITS
    order = LEADS_FIRST if request.query_params.get("order") == LEADS_FIRST else ""
    return Choice(**asked, order=order, page=int(page) if readable else 1, teams=teams_asking(request))


def _filters(shown: Portfolio) -> list[Filter]:
    """The filters to show; what was asked for is among the options even if no account has it."""
    known: dict[str, Mapping[str, str]] = {
        "owner": {MISSING: words.NOBODY},
        "phase": {str(phase): name for phase, name in words.PHASE_NAMES.items()},
        "segment": {MISSING: "not known", **words.SEGMENT_NAMES},
        "band": {str(band): name for band, name in words.BAND_NAMES.items()},
        "currency": {MISSING: "not known"},
    }
    filters: list[Filter] = []
    for name, label in _FILTERS.items():
        values = list(dict.fromkeys([*shown.found.get(name, known[name]), getattr(shown.choice, name)]))
        options = [(value, known[name].get(value, value)) for value in values if value]
        if name != "currency" or len(options) > 1:
            filters.append((name, label, options))
    return filters


def _link(choice: Choice, **changed: Any) -> str:
    page = {"page": str(choice.page)} if choice.page > 1 else {}
    asked = choice.asked() | {"order": choice.order} | page | changed
    kept = {name: value for name, value in asked.items() if value not in ("", 1)}
    return "/?" + urlencode(kept) if kept else "/"


def _renderer() -> Callable[..., str]:
    environment = Environment(
        loader=PackageLoader("serving.pages"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words,
        reader=None,
        bands_at_risk=BANDS_AT_RISK,
        phases=tuple(words.PHASE_NAMES),
        under_notice=Band.LOST_PENDING,
        too_little_data=Band.UNKNOWN,
        horizons=HORIZONS_DAYS,
        health_scale=HEALTH_SCALE,
        link=_link,
        value_at_risk=value_at_risk,
        leads_first=LEADS_FIRST,
        weights_told=weights_told,
        measured=measured,
        zip=zip,
    )
    environment.filters.update(idpath=lambda text: quote(text, safe=""))

    def render(name: str, **values: Any) -> str:
        return environment.get_template(name).render(**values)

    return render
