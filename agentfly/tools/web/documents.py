"""What was fetched as text in pages: HTML, documents, plain text; the rest is refused with what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from agentfly.errors import ToolError
from agentfly.tools.paging import CHARS, pages
from agentfly.tools.web.charsets import decode
from agentfly.tools.web.cleaning import clean, one_line
from agentfly.tools.web.extracting import Extracted, extract
from agentfly.tools.web.fetching import Fetched

Convert: TypeAlias = Callable[[bytes, str], Awaitable[str]]
"""Makes Markdown of a document: its bytes, and the suffix of its kind, such as ``.pdf``. Raises `ToolError`."""

_HTML = 6_000_000
"""Characters of HTML that are looked at."""
_TEXT = 2_000_000
"""Characters of text that are kept."""
_TITLE = 200
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS = {
    "application/pdf": ".pdf",
    "application/x-pdf": ".pdf",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    "application/vnd.ms-excel": ".xls",
    "application/epub+zip": ".epub",
}
_TEXTS = ("json", "xml", "javascript", "yaml", "x-yaml", "toml", "x-ndjson", "sql", "x-sh", "x-tex", "x-python")
_UNSAID = ("", "application/octet-stream", "application/download", "binary/octet-stream", "application/x-download")
_TAGS = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A page of the web, ready to be shown.

    Args:
        url: where it was found in the end.
        title: in one line; may be empty.
        pages: at least one.
        links: address and text of link 1 and on; ``⟦n⟧`` in the pages stands for them.
        notes: what to know about how it was read.
    """

    url: str
    title: str
    pages: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def size(self) -> int:
        """Characters that it holds, about."""
        return sum(map(len, self.pages)) + sum(len(url) + len(text) for url, text in self.links)


async def read_document(
    fetched: Fetched, *, convert: Convert | None = None, seconds: float = 12.0, chars: int = CHARS
) -> Document:
    """Make text of what was fetched.

    Args:
        fetched: may be anything.
        convert: for PDF and the like; without it they are refused.
        seconds: for finding the main text of HTML.
        chars: of one page of the result.

    Raises:
        ToolError: it is no text, or cannot be read.
    """
    kind = kind_of(fetched)
    if kind == "html":
        html = await asyncio.to_thread(decode, fetched.body, fetched.charset, True)
        return _from_html(fetched.url, await extract(html[:_HTML], fetched.url, seconds=seconds), len(html), chars)
    if kind == "text":
        return _made(fetched.url, "", await asyncio.to_thread(decode, fetched.body, fetched.charset), chars)
    if convert is None:
        raise ToolError(
            f"this is a {kind[1:]} file, which cannot be read here: the person must run "
            "pip install 'agentfly-framework[files]'; look for a page with the same content"
        )
    return _made(fetched.url, urlsplit(fetched.url).path.rpartition("/")[2], await convert(fetched.body, kind), chars)


def kind_of(fetched: Fetched) -> str:
    """How to read a body: ``html``, ``text``, or the suffix of a document.

    What the bytes say goes before what the server says where both cannot be true.

    Raises:
        ToolError: it is neither.
    """
    told, body = fetched.content_type, fetched.body
    family, _, sub = told.partition("/")
    if body[:1024].lstrip().startswith(b"%PDF-"):
        return ".pdf"
    if told in _DOCUMENTS and _DOCUMENTS[told] != ".pdf":
        return _DOCUMENTS[told]
    suffix = f".{urlsplit(fetched.url).path.rpartition('.')[2].lower()}"
    if body.startswith(b"PK\x03\x04") and suffix in _DOCUMENTS.values():
        return suffix
    if family in ("image", "audio", "video", "font", "model") and sub != "svg+xml":
        raise ToolError(f"this is not a page but {_article(family)} ({told}); fetch a page that tells what it shows")
    readable = family == "text" or sub in _TEXTS or sub.endswith(("+xml", "+json")) or told in _UNSAID
    if not readable or _binary(body, fetched.charset):
        raise ToolError(f"this is no text but {told or 'data of an unknown kind'}; fetch a page with the same content")
    if sub in ("html", "xhtml+xml"):
        return "html"
    return "html" if told in _UNSAID and body[:1024].lstrip().lower().startswith(_TAGS) else "text"


def _article(family: str) -> str:
    return {"image": "an image", "audio": "sound"}.get(family, f"a {family}")


def _binary(body: bytes, charset: str) -> bool:
    return b"\0" in body[:2048] and not charset.startswith("utf-16") and body[:2] not in (b"\xff\xfe", b"\xfe\xff")


def _from_html(url: str, found: Extracted, length: int, chars: int) -> Document:
    notes = [] if found.whole else ["the main text could not be told from the rest: this is all that the page shows"]
    if length > _HTML:
        notes.append("the page is very long and was read only in part")
    return _made(url, one_line(found.title, _TITLE), found.text, chars, found.links, tuple(notes))


def _made(
    url: str,
    title: str,
    text: str,
    chars: int,
    links: tuple[tuple[str, str], ...] = (),
    notes: tuple[str, ...] = (),
) -> Document:
    text = clean(text)
    if len(text) > _TEXT:
        text, notes = text[:_TEXT], (*notes, f"only the first {_TEXT:,} characters are kept")
    if not text:
        notes = (*notes, "no text was found; the page may need a browser that runs scripts")
    return Document(url=url, title=title, pages=pages(text, chars), links=links, notes=notes)
