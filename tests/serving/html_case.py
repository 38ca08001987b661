"""A page as a tree, read with the standard library: strict about tags that are left open or closed twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "input", "br", "hr"}
_HIDDEN = {"title", "style", "script", "option", "svg"}
_IN_A_LINE = {"a", "bdi", "strong", "span", "code"}


@dataclass
class Node:
    """One element: its tag, its attributes and what is inside it, text among it."""

    tag: str
    attributes: dict[str, str]
    inside: list[Node | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Node]:
        """The element itself and all within it, in the order of the page."""
        yield self
        for one in self.inside:
            if isinstance(one, Node):
                yield from one

    def all(self, tag: str, **wanted: str) -> list[Node]:
        """The elements of a tag with these attributes (``class_``, ``aria_label``: Python's names for them)."""
        named = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [one for one in self if one.tag == tag and named.items() <= one.attributes.items()]

    def one(self, tag: str, **wanted: str) -> Node:
        """The only such element."""
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def text(self) -> str:
        """What a reader sees, spaces put together and minus signs made plain; shapes and closed lists left out."""
        return " ".join("".join(self._words()).replace("\N{MINUS SIGN}", "-").split())

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, row by row."""
        return [[cell.text for cell in row if cell.tag in ("th", "td")] for row in self.all("tr")]

    def _words(self) -> Iterator[str]:
        for one in self.inside:
            if isinstance(one, str):
                yield one
            elif one.tag not in _HIDDEN:
                apart = "" if one.tag in _IN_A_LINE else " "
                yield from (apart, *one._words(), apart)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("page", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def parsed(html: str) -> Node:
    """The tree of a whole page; its only element is the page itself."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], f"left open: {[node.tag for node in reader.open[1:]]}"
    return reader.root
