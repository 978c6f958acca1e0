"""The package ddgs as a search engine: it needs no key."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from agentfly.errors import ToolError
from agentfly.tools.web.searching import Found

Text: TypeAlias = Callable[[str, int], Sequence[Mapping[str, Any]]]
"""Words and how many results; gives mappings with ``title``, ``href`` and ``body``. Blocks."""


def installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("ddgs") is not None


class Ddgs:
    """Asks several public search engines, whichever answer.

    Args:
        seconds: that each engine may take.
        text: makes the search, by default the package.
    """

    name = "ddgs"

    def __init__(self, *, seconds: float = 10.0, text: Text | None = None) -> None:
        self._seconds = seconds
        self._text = text or self._ask

    async def search(self, query: str, count: int) -> Sequence[Found]:
        try:
            from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException
        except ImportError:
            raise ToolError(
                "the web cannot be searched here: the person must run pip install 'agentfly-framework[web]'"
            ) from None
        try:
            found = await asyncio.to_thread(self._text, query, count)
        except (RatelimitException, TimeoutException):
            raise ToolError("the search engines do not answer or are asked too often; try again later") from None
        except DDGSException as error:
            if "no results" in str(error).lower():
                return ()
            raise ToolError(
                "the search engines could not be reached; try again later or go on without a search"
            ) from None
        return [
            Found(
                title=str(item.get("title") or ""), url=str(item.get("href") or ""), snippet=str(item.get("body") or "")
            )
            for item in found
        ]

    def _ask(self, query: str, count: int) -> Sequence[Mapping[str, Any]]:
        from ddgs import DDGS

        return list(DDGS(timeout=max(1, int(self._seconds))).text(query, max_results=count))
