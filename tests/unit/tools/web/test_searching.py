"""Searching the web: engines that answer on loopback, well and badly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import pytest
from unit.tools.web.loopback import Site

from agentfly.config import ToolSettings
from agentfly.errors import ConfigError, ToolError
from agentfly.tools.web import asking, choosing
from agentfly.tools.web.asking import seconds_after
from agentfly.tools.web.choosing import choose_engine
from agentfly.tools.web.engines import Searxng, Serper, Tavily
from agentfly.tools.web.metasearch import Ddgs, installed
from agentfly.tools.web.offer import web_tools
from agentfly.tools.web.searching import Found, SearchEngine, Searches, tidy

KEY = "tvly-SECRET-123"
ENGINES: dict[str, Callable[[str], SearchEngine]] = {
    "searxng": lambda base: Searxng(base + "/", seconds=5),
    "tavily": lambda base: Tavily(KEY, base=base, seconds=5),
    "serper": lambda base: Serper(KEY, base=base, seconds=5),
}
ANSWERS: dict[str, Mapping[str, Any]] = {
    "searxng": {
        "results": [{"title": "A", "url": "https://a.org/x", "content": "about a", "publishedDate": "2024-01-02"}, 7]
    },
    "tavily": {
        "results": [{"title": "A", "url": "https://a.org/x", "content": "about a", "published_date": "2024-01-02"}]
    },
    "serper": {
        "organic": [{"title": "A", "link": "https://a.org/x", "snippet": "about a", "date": "2024-01-02"}, None]
    },
}
each_engine = pytest.mark.parametrize("name", list(ENGINES))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_backoff", lambda state: 0.0)


def answer(status: int, body: object = "", **fields: str) -> bytes:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n{lines}\r\n".encode() + data


@each_engine
async def test_an_engine_is_asked_as_it_wants_and_its_results_are_read(site: Site, name: str) -> None:
    site.paths["/search"] = answer(200, ANSWERS[name])
    found = await Searches(ENGINES[name](site.base)).search_web("  river\nlength ", count=3)
    assert found == [{"title": "A", "url": "https://a.org/x", "snippet": "about a", "date": "2024-01-02"}]
    head = site.asked[0].lower()
    if name == "searxng":
        assert head.startswith("get /search?q=river+length&format=json http")
    else:
        asked = json.loads(site.bodies[0])
        assert asked.get("query", asked.get("q")) == "river length"
        assert asked.get("max_results", asked.get("num")) == 3
        told = {"tavily": f"authorization: bearer {KEY}", "serper": f"x-api-key: {KEY}"}[name]
        assert told.lower() in head


async def test_the_direct_answer_comes_first(site: Site) -> None:
    box = {"title": "T", "answer": "42 km", "link": "https://b.org/"}
    site.paths["/search"] = answer(200, {**ANSWERS["serper"], "answerBox": box})
    found = await Searches(ENGINES["serper"](site.base)).search_web("x")
    assert [result.get("snippet") for result in found] == ["42 km", "about a"]


@each_engine
@pytest.mark.parametrize("bad", [answer(429), answer(500), answer(503, "x", Retry_After="0"), b"", b"rubbish\r\n\r\n"])
async def test_what_passes_is_tried_again(site: Site, name: str, bad: bytes) -> None:
    tries = [bad, bad, answer(200, ANSWERS[name])]
    site.paths["/search"] = lambda head, body: tries.pop(0)
    assert await Searches(ENGINES[name](site.base)).search_web("x")
    assert tries == []


@each_engine
async def test_what_does_not_pass_is_given_up_after_three_tries(site: Site, name: str) -> None:
    site.paths["/search"] = answer(429, KEY)
    with pytest.raises(ToolError, match=f"{name} is asked too often; try again later") as caught:
        await Searches(ENGINES[name](site.base)).search_web("x")
    assert len(site.asked) == 3
    assert KEY not in str(caught.value)


async def test_the_wait_that_an_engine_asks_for_is_kept_to_or_not_begun(site: Site) -> None:
    tries = [answer(429, Retry_After="1"), answer(200, ANSWERS["tavily"])]
    site.paths["/search"] = lambda head, body: tries.pop(0)
    started = time.monotonic()
    assert await Searches(ENGINES["tavily"](site.base)).search_web("x")
    assert time.monotonic() - started > 0.9
    site.paths["/search"] = answer(429, Retry_After="3600")
    with pytest.raises(ToolError, match="too often"):
        await Searches(ENGINES["tavily"](site.base)).search_web("y")
    assert len(site.asked) == 3


def test_waits_are_read_in_seconds_and_as_dates() -> None:
    assert seconds_after("7") == 7
    soon = seconds_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert soon is not None
    assert 25 < soon <= 30
    assert seconds_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [seconds_after(text) for text in ("", "soon", "-1", "1.5", "٣")] == [None] * 5


@pytest.mark.parametrize(
    ("name", "status", "body", "says"),
    [
        ("searxng", 403, "", "`json` under `search.formats`"),
        ("searxng", 404, "", "status 404"),
        ("searxng", 302, "", "status 302"),
        ("tavily", 401, {"detail": f"bad key {KEY}"}, "valid TAVILY_API_KEY"),
        ("tavily", 432, "", "no searches left"),
        ("tavily", 400, "", "fewer and plainer words"),
        ("serper", 403, {"message": "Unauthorized."}, "valid SERPER_API_KEY"),
        ("serper", 400, {"message": "Not enough credits"}, "no searches left"),
    ],
)
async def test_a_refusal_says_who_must_do_what_and_shows_no_key(
    site: Site, name: str, status: int, body: object, says: str
) -> None:
    site.paths["/search"] = answer(status, body, Location="http://127.0.0.1:9/")
    with pytest.raises(ToolError, match=says) as caught:
        await Searches(ENGINES[name](site.base)).search_web("x")
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(site.asked) == 1


@each_engine
@pytest.mark.parametrize("body", ["<html>", "[]", "null", "[" * 100_000, '"x"'])
async def test_an_answer_that_is_none_is_told(site: Site, name: str, body: str) -> None:
    site.paths["/search"] = answer(200, body)
    with pytest.raises(ToolError, match="not a result"):
        await Searches(ENGINES[name](site.base)).search_web("x")


@each_engine
@pytest.mark.parametrize("body", [{}, {"results": None, "organic": 3}, {"results": [{}], "organic": [{"link": 5}]}])
async def test_nothing_found_says_what_to_try(site: Site, name: str, body: object) -> None:
    site.paths["/search"] = answer(200, body)
    with pytest.raises(ToolError, match="nothing was found for 'x': use fewer"):
        await Searches(ENGINES[name](site.base)).search_web("x")


async def test_a_silent_or_endless_engine_is_left_in_time(site: Site) -> None:
    site.paths["/search"] = b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * (6 << 20)
    with pytest.raises(ToolError, match="too long"):
        await Searches(ENGINES["tavily"](site.base)).search_web("x")

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ToolError, match=r"did not answer within 0\.1 s"):
            await Searches(Tavily(KEY, base=base, seconds=0.1)).search_web("x")
        with pytest.raises(ToolError, match=r"did not answer within 0\.2 s"):
            await Searches(Tavily(KEY, base=base, seconds=9), seconds=0.2).search_web("x")


async def test_an_engine_that_is_not_there_is_told(unused_tcp_port: int) -> None:
    with pytest.raises(ToolError, match="searxng could not be reached"):
        await Searches(Searxng(f"http://127.0.0.1:{unused_tcp_port}")).search_web("x")


class Fixed:
    """An engine that always finds the same, and counts."""

    name = "fixed"

    def __init__(self, found: Sequence[Found]) -> None:
        self.found = found
        self.calls: list[tuple[str, int]] = []

    async def search(self, query: str, count: int) -> Sequence[Found]:
        self.calls.append((query, count))
        return self.found


async def test_the_same_search_is_made_once_a_day_and_wrong_ones_never() -> None:
    day = ["1"]
    engine = Fixed([Found(title="A", url="https://a.org")])
    searches = Searches(engine, day=lambda: day[0])
    for query in ("a  b", "a b"):
        await searches.search_web(query)
    assert len(engine.calls) == 1
    day[0] = "2"
    await searches.search_web("a b")
    await searches.search_web("a b", 99)
    await searches.search_web("x" * 1000, -3)
    assert [(len(query), count) for query, count in engine.calls] == [(3, 8), (3, 8), (3, 20), (400, 1)]
    for empty in ("", " \n", "\u200b"):
        with pytest.raises(ToolError, match="needs words"):
            await searches.search_web(empty)


def test_results_are_bounded_clean_once_each_and_all_can_be_fetched() -> None:
    results = [
        Found(title="Loc", url="http://localhost/x"),
        Found(title="Priv", url="http://192.168.0.1/"),
        Found(title="Mail", url="mailto:a@b.org"),
        Found(
            title="One\u202e\n" + "t" * 500,
            url="https://www.Example.org/a/",
            snippet="s\x1b" + "s" * 9000,
            date="2024\n",
        ),
        Found(title="Twice", url="http://example.org/a"),
        Found(title="", url="https://example.org/b?q=1"),
        Found(title="Long", url="https://example.org/" + "x" * 2000),
        Found(title="Third", url="https://example.org/c"),
    ]
    kept = tidy(results, 2)
    assert [result.url for result in kept] == ["https://www.example.org/a/", "https://example.org/b?q=1"]
    assert kept[0].title.startswith("One ttt")
    assert len(kept[0].title) == 150
    assert len(kept[0].snippet) == 400
    assert kept[1].title == "https://example.org/b?q=1"


@pytest.mark.parametrize(
    ("searxng", "environ", "name"),
    [
        ("http://10.0.0.5:8888", {"TAVILY_API_KEY": "a", "SERPER_API_KEY": "b"}, "searxng"),
        (None, {"TAVILY_API_KEY": "a", "SERPER_API_KEY": "b"}, "tavily"),
        (None, {"TAVILY_API_KEY": " ", "SERPER_API_KEY": "b"}, "serper"),
        (None, {}, "ddgs"),
    ],
)
def test_what_is_configured_is_taken_in_order(
    searxng: str | None, environ: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "installed", lambda: True)
    engine = choose_engine("auto", searxng, environ)
    assert engine is not None
    assert engine.name == name
    named = choose_engine(name, searxng, environ)
    assert named is not None
    assert named.name == name


def test_what_was_named_and_cannot_be_used_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "installed", lambda: False)
    assert choose_engine("auto", None, {}) is None
    assert "search_web" not in [tool.name for tool in web_tools(ToolSettings(), {})]
    for name, says in (
        ("searxng", "tools.searxng"),
        ("tavily", "TAVILY_API_KEY"),
        ("serper", "SERPER"),
        ("ddgs", "pip install"),
    ):
        with pytest.raises(ConfigError, match=says):
            choose_engine(name, None, {})
    for address in (
        "localhost:8888",
        "ftp://x.org",
        "http://",
        "http://x.org:99999",
        "http://x.org/?q=1",
        "http://[",
        "",
    ):
        with pytest.raises(ConfigError, match=r"tools\.searxng"):
            choose_engine("searxng", address, {})
    with pytest.raises(ConfigError, match="TAVILY_API_KEY") as caught:
        choose_engine("auto", None, {"TAVILY_API_KEY": "tvly-\nSECRET"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.skipif(not installed(), reason="ddgs is not installed")
async def test_the_package_ddgs_is_asked_and_its_failures_are_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from ddgs import engines
    from ddgs.base import BaseSearchEngine
    from ddgs.results import TextResult

    class Local(BaseSearchEngine[TextResult]):
        name = "local"
        category = "text"
        provider = "local"
        search_url = site.base + "/find"
        search_method = "GET"
        items_xpath = "//li"
        elements_xpath: ClassVar[Mapping[str, str]] = {
            "title": ".//b//text()",
            "href": ".//a/@href",
            "body": ".//i//text()",
        }

        def build_payload(self, query: str, *args: object, **kwargs: object) -> dict[str, Any]:
            return {"q": query}

    monkeypatch.setitem(engines.ENGINES, "text", {"local": Local})
    searches = Searches(Ddgs(seconds=2))
    site.paths["/find"] = answer(
        200,
        "<ul><li><b>River</b><a href='https://a.org/r'>x</a><i>a river is long</i></li></ul>",
        Content_Type="text/html",
    )
    found = await searches.search_web("river", 3)
    assert found == [{"title": "River", "url": "https://a.org/r", "snippet": "a river is long"}]
    site.paths["/find"] = answer(200, "<p>nothing</p>", Content_Type="text/html")
    with pytest.raises(ToolError, match="nothing was found"):
        await searches.search_web("lake", 3)
    site.paths["/find"] = b""
    with pytest.raises(ToolError, match=r"could not be reached|nothing was found"):
        await searches.search_web("sea", 3)
