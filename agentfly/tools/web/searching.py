"""The tool `search_web`: one question to a search engine, its answer in one bounded form."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol, runtime_checkable

from agentfly.errors import ToolError
from agentfly.tools.web.addresses import read_url
from agentfly.tools.web.cleaning import one_line
from agentfly.tools.web.reading import today

MOST = 20
"""Results of one search."""
_QUERY = 400
_TITLE = 150
_SNIPPET = 400
_DATE = 40
_URL = 1000
_KEPT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One result, as an engine gives it: nothing in it is trusted or bounded yet."""

    title: str
    url: str
    snippet: str = ""
    date: str = ""


@runtime_checkable
class SearchEngine(Protocol):
    """Finds pages."""

    @property
    def name(self) -> str: ...

    async def search(self, query: str, count: int) -> Sequence[Found]:
        """Ask for pages, the best first.

        Args:
            query: not empty.
            count: how many are wanted; more or fewer may come.

        Raises:
            ToolError: the engine cannot be used now; says what to do instead. Never holds a key.
        """
        ...


class Searches:
    """Searches the web with one engine.

    Args:
        engine: asked once for the same words on the same day.
        seconds: of one call, retries included.
        day: names the day.
    """

    def __init__(self, engine: SearchEngine, *, seconds: float = 60.0, day: Callable[[], str] = today) -> None:
        self._engine = engine
        self._seconds = seconds
        self._day = day
        self._guard = threading.Lock()
        self._known: OrderedDict[tuple[str, int, str], tuple[Found, ...]] = OrderedDict()

    async def search_web(self, query: str, count: int = 8) -> list[dict[str, str]]:
        """Search the web; gives a list of results with title, url, snippet and date. Read a result with fetch_page(url).

        Args:
            query: a few words, as one would give them to a search engine.
            count: how many results, at most 20.
        """
        words = one_line(query, _QUERY)
        if not words:
            raise ToolError("search_web needs words to search for, as in search_web('population of Ghana 2020')")
        count = max(1, min(count, MOST))
        try:
            async with asyncio.timeout(self._seconds * 0.95):
                results = await self._search(words, count)
        except TimeoutError:
            raise ToolError(f"the search engine did not answer within {self._seconds:g} s; try again later") from None
        if not results:
            raise ToolError(f"nothing was found for {words!r}: use fewer or more common words, without quotation marks")
        return [{name: value for name, value in asdict(result).items() if value} for result in results]

    async def _search(self, words: str, count: int) -> tuple[Found, ...]:
        key = (words, count, self._day())
        with self._guard:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        results = tidy(await self._engine.search(words, count), count)
        with self._guard:
            self._known[key] = results
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return results


def tidy(results: Sequence[Found], count: int) -> tuple[Found, ...]:
    """Results that can be fetched, each page once, every text in one bounded line of characters that can be seen."""
    kept: dict[str, Found] = {}
    for result in results:
        try:
            url = read_url(result.url[: _URL + 1]).url
        except ToolError:
            continue
        same = url.partition("://")[2].removeprefix("www.").rstrip("/")
        if len(url) > _URL or same in kept:
            continue
        kept[same] = replace(
            result,
            url=url,
            title=one_line(result.title, _TITLE) or url,
            snippet=one_line(result.snippet, _SNIPPET),
            date=one_line(result.date, _DATE),
        )
        if len(kept) == count:
            break
    return tuple(kept.values())
