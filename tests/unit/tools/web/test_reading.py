"""The tool `fetch_page`, against a site on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from unit.tools.web.loopback import Site

from agentfly.config import ToolSettings
from agentfly.errors import ToolError
from agentfly.protocols import Tool, origin_of
from agentfly.tools.caching import ContentCache
from agentfly.tools.web import offer
from agentfly.tools.web.offer import web_tools
from agentfly.tools.web.reading import Pages

WORDS = "The bridge was opened in 1932 and carries two roads. " * 5


def reader(site: Site, **options: object) -> Pages:
    return Pages(site.fetcher, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("html_can_be_read")
async def test_a_page_comes_with_its_title_address_text_and_links(site: Site) -> None:
    url = site.page(
        "/bridge",
        f"<title>A\u200b bridge</title><nav><a href='/home'>Home</a></nav><article><h1>Bridge</h1><p>{WORDS}"
        f"<a href='/plan'>The plan</a> and <a href='http://10.0.0.1/admin'>the admin</a>.</p><p>{WORDS}</p></article>",
    )
    shown = await reader(site).fetch_page(url)
    head, _, rest = shown.partition("\n\n")
    assert head == f"Title: A bridge\nAddress: {url}"
    assert "The plan [1] and the admin." in rest
    assert f"Links in this text:\n[1] The plan: {site.base}/plan\n" in rest
    assert rest.endswith(f"Other links:\n[3] Home: {site.base}/home")
    assert "10.0.0.1" not in shown


@pytest.mark.usefixtures("html_can_be_read")
async def test_a_page_whose_kind_is_not_said_is_known_by_its_beginning(site: Site) -> None:
    url = site.page("/", f"\n<!DOCTYPE HTML><title>Bridges</title><p>{WORDS}</p>", "application/octet-stream")
    assert (await reader(site).fetch_page(url)).startswith("Title: Bridges\n")


async def test_a_long_text_comes_in_pages_that_together_are_the_whole(site: Site) -> None:
    text = "\n\n".join(f"Paragraph {n}. {WORDS}" for n in range(100)).strip()
    url = site.page("/long.txt", text, "text/plain")
    pages = reader(site)
    first = await pages.fetch_page(url)
    assert "Page 1 of 4; page=2 has what follows" in first
    parts = [(await pages.fetch_page(url, page)).split("\n\n", 1)[1] for page in (1, 2, 3, 4)]
    assert all(len(part) <= 8000 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert "Page 4 of 4, the last" in await pages.fetch_page(url, 4)
    for page in (0, 5, -1):
        with pytest.raises(ToolError, match="has 4 pages; ask for one of them"):
            await pages.fetch_page(url, page)
    assert len(site.asked) == 1


async def test_a_page_is_fetched_again_on_another_day(site: Site) -> None:
    day = ["1"]
    pages = reader(site, day=lambda: day[0])
    url = site.page("/now", "old", "text/plain")
    assert "old" in await pages.fetch_page(url)
    site.page("/now", "new", "text/plain")
    assert "old" in await pages.fetch_page(url.replace("http://127.0.0.1", "HTTP://127.1") + "#part")
    day[0] = "2"
    assert "new" in await pages.fetch_page(url)


async def test_what_could_not_be_fetched_is_not_kept(site: Site) -> None:
    pages = reader(site)
    with pytest.raises(ToolError, match="404"):
        await pages.fetch_page(f"{site.base}/later")
    site.page("/later", "here", "text/plain")
    assert "here" in await pages.fetch_page(f"{site.base}/later")


async def test_json_and_other_text_come_as_they_are(site: Site) -> None:
    data = json.dumps({"price": 1.10, "names": ["é"]}, ensure_ascii=False)
    for kind in ("application/json", "application/ld+json; charset=utf-8", "text/csv", "", "application/octet-stream"):
        assert data in await reader(site).fetch_page(site.page("/data", data, kind))
    shown = await reader(site).fetch_page(site.page("/hidden", "a\u202eb\U000e0041c\x1b[0m", "text/plain"))
    assert shown.endswith("abc[0m")


async def test_marks_of_links_in_plain_text_are_not_links(site: Site) -> None:
    assert (await reader(site).fetch_page(site.page("/t", "see ⟦1⟧ and ⟦99999⟧", "text/plain"))).endswith("see  and ")


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n\0\0", "an image .image/png.; fetch a page that tells"),
        ("audio/mpeg", b"ID3", "sound"),
        ("video/mp4", b"\0\0", "a video"),
        ("application/zip", b"PK\x03\x04", "no text but application/zip"),
        ("text/html", b"\x7fELF\0\0\0", "no text but text/html"),
        ("", b"\0\1\2", "data of an unknown kind"),
        ("application/pdf", b"%PDF-1.7", r"agentfly-framework\[files\]"),
        ("text/html", b"%PDF-1.7", "a pdf file"),
    ],
)
async def test_what_is_no_text_is_refused_with_what_to_do(site: Site, kind: str, body: bytes, says: str) -> None:
    with pytest.raises(ToolError, match=says):
        await reader(site).fetch_page(site.page("/x", body, kind))


@pytest.mark.parametrize(
    ("path", "kind", "body", "suffix"),
    [
        ("/a", "application/pdf", b"%PDF-1.7 x", ".pdf"),
        ("/a.pdf?x=1", "application/octet-stream", b"%PDF-1.7 x", ".pdf"),
        ("/r", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04", ".xlsx"),
        ("/r.docx", "application/octet-stream", b"PK\x03\x04", ".docx"),
    ],
)
async def test_documents_go_through_the_converter_once(
    site: Site, tmp_path: Path, path: str, kind: str, body: bytes, suffix: str
) -> None:
    converted: list[tuple[bytes, str]] = []

    async def convert(data: bytes, what: str) -> str:
        converted.append((data, what))
        return "# Report\n\nAll\u200b is well."

    cache = ContentCache(tmp_path / "cache")
    site.page(path.partition("?")[0], body, kind)
    for _ in range(2):  # two agents' lives, one cache
        shown = await reader(site, convert=convert, cache=cache).fetch_page(site.base + path)
        assert shown.endswith("# Report\n\nAll is well.")
    assert converted == [(body, suffix)]


def test_without_the_packages_for_html_pages_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer, "installed", lambda: False)
    assert [tool.name for tool in web_tools(ToolSettings(searxng="http://10.0.0.5"), {})] == ["search_web"]


async def test_a_slow_page_ends_within_the_time_of_a_call(site: Site) -> None:
    async def never(data: bytes, what: str) -> str:
        await asyncio.sleep(30)
        return ""

    with pytest.raises(ToolError, match=r"not read within 0\.5 s"):
        await reader(site, convert=never, seconds=0.5).fetch_page(site.page("/p", b"%PDF-1", "application/pdf"))


async def test_as_a_tool_it_reaches_the_network_and_brings_what_is_not_trusted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offer, "installed", lambda: True)
    tools: Sequence[Tool] = web_tools(ToolSettings(searxng=site.base), {}, fetcher=site.fetcher)
    assert [(tool.name, tool.risk, origin_of(tool)) for tool in tools] == [
        ("fetch_page", "network", "web"),
        ("search_web", "network", "web"),
    ]
    fetch = tools[0]
    assert "ok" in await fetch.call({"url": site.page("/p", "ok", "text/plain")})
    assert list(fetch.schema["properties"]) == ["url", "page"]
    for wrong in ({"url": "http://127.0.0.1:9/"}, {"url": "http://localhost/"}, {"url": "x"}, {}, {"url": 3}):
        with pytest.raises(ToolError):
            await fetch.call(wrong)
