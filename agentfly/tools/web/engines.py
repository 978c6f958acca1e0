"""Search engines with an API: SearxNG, Tavily, Serper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentfly.errors import ToolError
from agentfly.tools.web.asking import Refused, ask
from agentfly.tools.web.searching import Found


class Searxng:
    """A SearxNG instance, which may well be one of the person's own network: it was configured, not found.

    Args:
        address: of the instance, as a browser would open it.
        seconds: of one try.
    """

    name = "searxng"

    def __init__(self, address: str, *, seconds: float = 15.0) -> None:
        self._url = address.rstrip("/") + "/search"
        self._seconds = seconds

    async def search(self, query: str, count: int) -> Sequence[Found]:
        params = {"q": query, "format": "json"}
        try:
            answer = await ask(self.name, "GET", self._url, params=params, seconds=self._seconds)
        except Refused as error:
            if error.status == 403:
                raise ToolError(
                    "the SearxNG instance does not answer in JSON: the person must list `json` under `search.formats` in "
                    "its settings.yml; go on without a search"
                ) from None
            raise _unusable(self.name, error) from None
        return _read(answer.get("results"), url="url", snippet="content", date="publishedDate")


class Tavily:
    """Tavily's search API.

    Args:
        key: of the person's account.
        base: another address, for tests.
        seconds: of one try.
    """

    name = "tavily"

    def __init__(self, key: str, *, base: str = "https://api.tavily.com", seconds: float = 15.0) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}
        self._url = base.rstrip("/") + "/search"
        self._seconds = seconds

    async def search(self, query: str, count: int) -> Sequence[Found]:
        body = {"query": query, "max_results": count, "search_depth": "basic"}
        try:
            answer = await ask(self.name, "POST", self._url, headers=self._headers, body=body, seconds=self._seconds)
        except Refused as error:
            raise _unusable(self.name, error, "TAVILY_API_KEY") from None
        return _read(answer.get("results"), url="url", snippet="content", date="published_date")


class Serper:
    """Serper's API for Google.

    Args:
        key: of the person's account.
        base: another address, for tests.
        seconds: of one try.
    """

    name = "serper"

    def __init__(self, key: str, *, base: str = "https://google.serper.dev", seconds: float = 15.0) -> None:
        self._headers = {"X-API-KEY": key}
        self._url = base.rstrip("/") + "/search"
        self._seconds = seconds

    async def search(self, query: str, count: int) -> Sequence[Found]:
        body = {"q": query, "num": count}
        try:
            answer = await ask(self.name, "POST", self._url, headers=self._headers, body=body, seconds=self._seconds)
        except Refused as error:
            raise _unusable(self.name, error, "SERPER_API_KEY") from None
        box = answer.get("answerBox")
        first = [{**box, "snippet": box.get("snippet") or box.get("answer")}] if isinstance(box, dict) else []
        found = answer.get("organic")
        return _read([*first, *found] if isinstance(found, list) else first, url="link", snippet="snippet", date="date")


def _read(results: Any, *, url: str, snippet: str, date: str) -> list[Found]:
    """Results under the names that an engine has for their parts; what is no result is left out."""
    found = results if isinstance(results, list) else []
    return [
        Found(title=_text(item, "title"), url=_text(item, url), snippet=_text(item, snippet), date=_text(item, date))
        for item in found[:100]
        if isinstance(item, Mapping)
    ]


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _unusable(name: str, error: Refused, key: str = "") -> ToolError:
    """What to do after a status that stays; the engine's own words are not passed on, for they may repeat the key."""
    if error.status in (402, 432, 433) or "credit" in error.body.lower():
        why = "has no searches left on the person's plan"
    elif key and error.status in (401, 403):
        why = f"refuses its key: the person must set a valid {key}"
    elif error.status in (400, 422):
        return ToolError(f"the search engine {name} cannot read this query; use fewer and plainer words")
    else:
        why = f"answered with status {error.status}"
    return ToolError(f"the search engine {name} {why}; go on without a search")
