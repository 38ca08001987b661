"""How does a text of this room become Markdown, and Markdown one HTML page?

Input: a template in Markdown and what it says. Output: text whose cells cannot be read as signs of a table or a tag,
and a self-contained page made from it.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from training.report import environment

_SIGNS = str.maketrans({"|": "\\|", "\n": " ", "`": "'", "<": "\\<", "*": "\\*", "_": "\\_", "[": "\\["})


def written(template: str, **said: Any) -> str:
    """A template of Markdown with what it says."""
    # Markdown, not HTML: what could be read as a sign of a table or a tag is escaped by the filter ``cell`` instead.
    writing = Environment(
        loader=PackageLoader("training", "templates"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = {"cell": lambda text: str(text).translate(_SIGNS), "part": lambda name: str(name).replace("_", " ")}
    writing.filters |= environment().filters | own
    return writing.get_template(template).render(**said)


def page_from(markdown: str, *, title: str) -> str:
    """One HTML page without outside references; HTML inside the Markdown stays text."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    framed = body.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    # Rendered from Markdown in which HTML is not allowed.
    return environment().get_template("card.html").render(title=title, body=Markup(framed))  # noqa: S704
