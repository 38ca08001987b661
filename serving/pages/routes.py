"""Which pages are there, and where?

``/`` is the portfolio, ``/accounts/{id}`` one account, ``/static/`` the style sheet. Pages read the ledger and never
score.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from features.vocabulary import HORIZONS_DAYS, Band, Phase
from serving.explain import HEALTH_SCALE
from serving.ledger import Ledger
from serving.pages import words
from serving.pages.charts import points_chart, trend_chart, value_chart
from serving.pages.portfolio import Choice, Portfolio, portfolio_of
from serving.wording import signed_points, written_share

_STATIC = Path(__file__).parent / "static"
_TREND_LENGTH = 52
_LONGEST_WORD = 200
_PAGE_DIGITS = 6


def page_routes(ledger: Ledger) -> list[BaseRoute]:
    """The routes of the pages over one ledger."""
    render = _renderer()

    def portfolio(request: Request) -> HTMLResponse:
        shown = portfolio_of(ledger, _choice(request))
        if shown is None:
            return HTMLResponse(render("empty.html"))
        chart = Markup(value_chart(shown.values, shown.currency)) if shown.values else None  # noqa: S704  our own SVG
        return HTMLResponse(render("portfolio.html", portfolio=shown, chart=chart, link=_link, **_options(shown)))

    def account(request: Request) -> HTMLResponse:
        account_id = request.path_params["account_id"]
        told = ledger.history(account_id, limit=_TREND_LENGTH)
        if not told:
            return HTMLResponse(render("missing.html"), status_code=404)
        entry = told[-1]
        explanation = ledger.explanation(entry.entry_id)
        trend = [(one.as_of, one.score.health, one.score.phase) for one in told]
        return HTMLResponse(
            render(
                "account.html",
                entry=entry,
                explanation=explanation,
                points=Markup(points_chart(explanation.subcategories)),  # noqa: S704  our own SVG
                trend=Markup(trend_chart(trend)) if len(trend) > 1 else None,  # noqa: S704  our own SVG
                told=told,
            )
        )

    return [
        Route("/", portfolio),
        Route("/accounts/{account_id:path}", account),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]


def _choice(request: Request) -> Choice:
    asked = {name: request.query_params.get(name, "")[:_LONGEST_WORD] for name in ("segment", "phase", "band", "owner")}
    page = request.query_params.get("page", "1")
    readable = page.isascii() and page.isdigit() and len(page) <= _PAGE_DIGITS
    return Choice(**asked, page=max(1, int(page)) if readable else 1)


def _options(shown: Portfolio) -> dict[str, list[tuple[str, str]]]:
    return {
        "owner_options": [(owner, owner) for owner in shown.owners],
        "phase_options": [(str(phase), words.PHASE_WORDS[phase]) for phase in Phase],
        "segment_options": [(segment, words.SEGMENT_WORDS.get(segment, segment)) for segment in shown.segments],
        "band_options": [(str(band), words.BAND_WORDS[band]) for band in Band],
    }


def _link(choice: Choice, **changed: Any) -> str:
    asked = {name: getattr(choice, name) for name in ("segment", "phase", "band", "owner", "page")} | changed
    kept = {name: value for name, value in asked.items() if value not in ("", 1)}
    return "/?" + urlencode(kept) if kept else "/"


def _renderer() -> Callable[..., str]:
    environment = Environment(
        loader=PackageLoader("serving.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words, bands=list(Band), phases=list(Phase), horizons=HORIZONS_DAYS, health_scale=HEALTH_SCALE
    )
    environment.filters.update(share=written_share, points=signed_points, idpath=lambda text: quote(text, safe=""))

    def render(name: str, **values: Any) -> str:
        return environment.get_template(name).render(**values)

    return render
