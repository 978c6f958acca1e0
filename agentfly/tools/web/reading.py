"""The tool `fetch_page`: a page fetched, made text, and kept for as long as the agent lives and the day lasts."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from agentfly.errors import ToolError
from agentfly.tools.caching import ContentCache, content_key
from agentfly.tools.paging import CHARS
from agentfly.tools.web.documents import Convert, Document, read_document
from agentfly.tools.web.fetching import Fetcher, FetchLimits
from agentfly.tools.web.showing import show

_DOCUMENTS = 64
_CHARS = 16_000_000
_READER = "web-2"
"""Changes when documents come out otherwise than before, so that what was kept is not used."""


def today() -> str:
    """The day in UTC, as pages are kept for."""
    return datetime.now(UTC).date().isoformat()


class Pages:
    """Reads pages of the web.

    Args:
        fetcher: fetches them.
        convert: makes Markdown of PDF and other documents; without it they are refused.
        cache: keeps what `convert` made, by the bytes that it was made of.
        seconds: of one call, everything included.
        chars: of one page of text.
        day: names the day; what was fetched on another one is fetched again.
    """

    def __init__(
        self,
        fetcher: Fetcher | None = None,
        *,
        convert: Convert | None = None,
        cache: ContentCache | None = None,
        seconds: float = 60.0,
        chars: int = CHARS,
        day: Callable[[], str] = today,
    ) -> None:
        self._fetcher = fetcher or Fetcher()
        self._convert = convert if convert is None or cache is None else _kept(convert, cache)
        self._seconds = seconds
        self._chars = chars
        self._day = day
        self._guard = threading.Lock()  # one agent may be driven from several threads
        self._known: OrderedDict[tuple[str, str], Document] = OrderedDict()

    async def fetch_page(self, url: str, page: int = 1) -> str:
        """Read a page of the public web: its main text as Markdown, with its links numbered and listed.

        Long pages come in parts: the result says how many there are, and `page` chooses one. PDF and office documents are
        read as well.

        Args:
            url: the whole address, as in https://example.org/page
            page: which part of a long page, from 1 on.
        """
        try:
            async with asyncio.timeout(self._seconds * 0.95):
                document = await self._document(url)
        except TimeoutError:
            raise ToolError(f"the page was not read within {self._seconds:g} s; use another source") from None
        return show(document, page, lambda link: self._fetcher.read(link).url)

    async def _document(self, url: str) -> Document:
        key = (self._fetcher.read(url).url, self._day())
        with self._guard:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        fetched = await self._fetcher.fetch(url, FetchLimits(seconds=min(30.0, self._seconds / 2)))
        reading = min(12.0, self._seconds / 5)
        document = await read_document(fetched, convert=self._convert, seconds=reading, chars=self._chars)
        with self._guard:
            self._known[key] = document
            while len(self._known) > _DOCUMENTS or sum(known.size for known in self._known.values()) > _CHARS:
                self._known.popitem(last=False)
        return document


def _kept(convert: Convert, cache: ContentCache) -> Convert:
    async def converted(body: bytes, suffix: str) -> str:
        key = content_key(_READER, suffix, body)
        text = await asyncio.to_thread(cache.get, key)
        if text is None:
            text = await convert(body, suffix)
            await asyncio.to_thread(cache.put, key, text)
        return text

    return converted
