"""How is the comparison of a shadow with the live model read? As a page (HTML) and as Markdown, of one content.

Nothing is computed here. The page stands alone: styles and the chart are inside.
"""

from __future__ import annotations

from pathlib import Path

from training.rehearsal import HORIZON_DAYS, Rehearsal, latency_words, revenue_words
from training.report import environment

_MARKS: dict[int, str] = {ord(mark): f"\\{mark}" for mark in "|<*_["} | {ord("\n"): " ", ord("`"): "'"}
PAGE, TEXT, DOCUMENT = "shadow.html", "shadow.md", "shadow.json"


def write_rehearsal(told: Rehearsal, folder: Path) -> Path:
    """Write page, Markdown and document into a folder; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    template = environment().get_template(PAGE)
    (folder / PAGE).write_text(
        template.render(
            told=told,
            days=HORIZON_DAYS,
            latency=latency_words(told.latency),
            revenue=[revenue_words(one) for one in told.revenue],
        )
    )
    (folder / TEXT).write_text(markdown(told))
    (folder / DOCUMENT).write_text(told.model_dump_json(indent=1))
    return folder / PAGE


def markdown(told: Rehearsal) -> str:
    """The comparison as Markdown."""
    moves = [f"| {one.band_from} | {one.band_to} | {one.accounts} |" for one in told.moves]
    movers = [
        f"| {_escaped(one.account_id)} | {one.band_from} to {one.band_to} | {one.health_from:.0f} to "
        f"{one.health_to:.0f} | {_value(one.annual_value, one.currency)} |"
        for one in told.movers
    ]
    return "\n".join(
        [
            f"# What version {told.version} would have said beside version {told.served}",
            "",
            f"From {told.first:%Y-%m-%d %H:%M} to {told.last:%Y-%m-%d %H:%M} UTC. Nobody was answered by it.",
            "",
            *(f"- {line.strip()}" for line in told.lines()[:3]),
            *(f"- {revenue_words(one)}" for one in told.revenue),
            f"- {latency_words(told.latency)}",
            "",
            "| Told | Shadow | Accounts |",
            "|---|---|---:|",
            *moves,
            "",
            "Accounts that would be in another band, most value at stake first:"
            if movers
            else "No account would be in another band.",
            *(["", "| Account | Band | Health | Annual value |", "|---|---|---|---:|", *movers] if movers else []),
            "",
        ]
    )


def _value(amount: float | None, currency: str) -> str:
    return "not known" if amount is None else f"{_escaped(currency)} {amount:,.0f}"


def _escaped(text: str) -> str:
    return text.translate(_MARKS)
