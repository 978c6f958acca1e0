"""What a browser would see of a page, as far as tests ask."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

_VOID = {"meta", "input", "br", "img", "link"}


class Page(HTMLParser):
    """A page that was read: its tags, attributes, ids and text, and end tags that fit no beginning."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.ids = Counter[str](), Counter[str]()
        self.attributes, self.problems = list[tuple[str, str, str]](), list[str]()
        self.open, self.texts, self.scripts = list[str](), list[str](), list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids.update(value or "" for name, value in attrs if name == "id")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    @property
    def text(self) -> str:
        """Everything that is not script, with single spaces."""
        return " ".join("".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value for _, found, value in self.attributes if found == name]
