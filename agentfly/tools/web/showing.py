"""A page of a document as the model reads it: where it is from, its text, the links in it."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentfly.errors import ToolError
from agentfly.tools.web.cleaning import one_line
from agentfly.tools.web.documents import Document

_MARK = re.compile(r"⟦([0-9]{1,5})⟧")
_SHOWN = 25
"""Links of one page that are listed."""
_FEW = 8
"""Links under which those from around the text are listed as well."""
_LINK_TEXT = 80
_LINK_URL = 300


def show(document: Document, page: int, spell: Callable[[str], str]) -> str:
    """One page of a document.

    Args:
        document: what was read.
        page: from 1 on.
        spell: the one spelling of a link's address; raises `ToolError` where it must not be fetched, and the link is left out.

    Raises:
        ToolError: there is no such page.
    """
    count = len(document.pages)
    if not 1 <= page <= count:
        raise ToolError(f"{document.url} has {count} page{'s' * (count > 1)}; ask for one of them, not {page}")
    text = document.pages[page - 1]
    mentioned = [int(found[1]) for found in _MARK.finditer(text)]
    inside = _listed(document, mentioned, _SHOWN, spell)
    around: dict[int, str] = {}
    if page == 1 and len(inside) < _FEW:
        anywhere = {int(found[1]) for part in document.pages for found in _MARK.finditer(part)}
        others = [n for n in range(1, len(document.links) + 1) if n not in anywhere]
        around = _listed(document, others, _SHOWN - len(inside), spell)
    body = _MARK.sub(lambda found: f" [{int(found[1])}]" if int(found[1]) in inside else "", text)
    parts = ["\n".join(_head(document, page)), body]
    if inside:
        parts.append("Links in this text:\n" + "\n".join(inside.values()))
    if around:
        parts.append("Other links:\n" + "\n".join(around.values()))
    return "\n\n".join(part for part in parts if part)


def _head(document: Document, page: int) -> list[str]:
    lines = [f"Title: {document.title}"] if document.title else []
    lines.append(f"Address: {document.url}")
    count = len(document.pages)
    if count > 1:
        following = f"; page={page + 1} has what follows" if page < count else ", the last"
        lines.append(f"Page {page} of {count}{following}")
    return lines + [f"Note: {note}" for note in document.notes]


def _listed(document: Document, numbers: list[int], most: int, spell: Callable[[str], str]) -> dict[int, str]:
    """Lines for the first links that may be fetched, by number."""
    lines: dict[int, str] = {}
    for number in numbers:
        if len(lines) >= most:
            break
        if number in lines or not 1 <= number <= len(document.links):
            continue
        url, text = document.links[number - 1]
        try:
            address = spell(url)
        except ToolError:
            continue
        if len(address) <= _LINK_URL:
            lines[number] = f"[{number}] {one_line(_MARK.sub('', text), _LINK_TEXT)}: {address}"
    return lines
