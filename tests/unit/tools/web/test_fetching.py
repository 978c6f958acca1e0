"""Fetching from servers that misbehave, on loopback through an explicit allowance."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from agentfly.errors import ToolError
from agentfly.tools.web.fetching import Fetched, Fetcher, FetchLimits

_OK = b"HTTP/1.1 200 OK\r\n"
_BOMB = gzip.compress(bytes(8 << 20))
_SMALL = FetchLimits(seconds=0.5, wire_bytes=1 << 20, body_bytes=1 << 20)


class Server:
    """Sends fixed bytes (a piece at a time, the last for ever if told), and knows what it was asked."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.pause = 0.0
        self.endless = self.hold = False
        self.asked: list[bytes] = []
        self.closed = asyncio.Event()
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            pieces = list(self.pieces)
            while pieces:
                writer.write(pieces[0])
                await writer.drain()
                await asyncio.sleep(self.pause)
                if len(pieces) > 1 or not self.endless:
                    pieces.pop(0)
            if self.hold:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()

    async def fetch(self, limits: FetchLimits = _SMALL, names: Sequence[str] = ("127.0.0.1",)) -> Fetched:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return names if host == "page.example.org" else ("10.0.0.1",)

        fetcher = Fetcher(resolve=resolve, allow={("127.0.0.1", self.port)})
        return await fetcher.fetch(f"http://page.example.org:{self.port}/a?b", limits)


@asynccontextmanager
async def serving(*pieces: bytes) -> AsyncIterator[Server]:
    server = Server()
    server.pieces = list(pieces)
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def test_a_page_comes_with_type_and_charset_and_the_request_says_little() -> None:
    head = b"Content-Type: text/html; charset=ISO-8859-1\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n"
    async with serving(_OK + head + b"\xe9!") as server:
        page = await server.fetch()
    assert (page.body, page.content_type, page.charset) == (b"\xe9!", "text/html", "iso-8859-1")
    asked = server.asked[0].lower()
    assert asked.startswith(b"get /a?b http/1.1")
    assert f"host: page.example.org:{server.port}".encode() in asked
    assert b"user-agent: agentfly\r\n" in asked
    assert b"cookie" not in asked


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda d: zlib.compress(d)[2:-4]])
async def test_compressed_pages_are_unpacked(pack: Callable[[bytes], bytes]) -> None:
    coding = b"gzip" if pack is gzip.compress else b"deflate"
    async with serving(_OK + b"Content-Encoding: " + coding + b"\r\n\r\n" + pack(b"hello" * 1000)) as server:
        assert (await server.fetch()).body == b"hello" * 1000


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_OK + b"Content-Encoding: gzip\r\n\r\n" + _BOMB, "larger than"),
        (_OK + b"Content-Encoding: gzip\r\n\r\n" + _BOMB[:400], "ended in the middle"),
        (_OK + b"Content-Encoding: gzip\r\n\r\nrubbish", "damaged"),
        (_OK + b"Content-Encoding: br\r\n\r\nx", "compressed in a way"),
        (_OK + b"Content-Length: 10\r\n\r\nabc", "could not be fetched"),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "could not be fetched"),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "could not be fetched"),
        (_OK + b"X: " + b"a" * 60_000 + b"\r\n\r\n", "headers"),
        (_OK + b"X: " + b"a" * 400_000 + b"\r\n\r\n", "could not be fetched"),
        (b"rubbish\r\n\r\n", "could not be fetched"),
        (b"", "could not be fetched"),
        (b"HTTP/1.1 404 No\r\n\r\nbody", "404"),
        (b"HTTP/1.1 429 No\r\nRetry-After: 30\r\n\r\n", "after '30'"),
        (b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "loopback"),
        (b"HTTP/1.1 302 F\r\nLocation: http://[::ffff:127.0.0.1]/\r\n\r\n", "loopback"),
        (b"HTTP/1.1 302 F\r\nLocation: //other.example.org/\r\n\r\n", "10.0.0.1"),
        (b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n", "only http"),
        (b"HTTP/1.1 302 F\r\nLocation: /a?b\r\n\r\n", "circle"),
    ],
)
async def test_bad_answers_are_told_in_one_line(answer: bytes, says: str) -> None:
    async with serving(answer) as server:
        with pytest.raises(ToolError, match=says) as caught:
            await server.fetch(FetchLimits(seconds=5, body_bytes=1 << 20))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pieces",
    [[b"H"], [_OK, b"X: a\r\n"], [_OK + b"\r\n", b"a"], [_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"]],
)
async def test_slow_servers_are_left_in_time(pieces: list[bytes]) -> None:
    async with serving(*pieces) as server:
        server.pause, server.endless = 0.05, True
        started = time.monotonic()
        with pytest.raises(ToolError, match=r"within 0\.5 s|could not be fetched"):
            await server.fetch()
    assert time.monotonic() - started < 2


async def test_an_endless_body_is_stopped_by_its_size() -> None:
    async with serving(_OK + b"\r\n", b"a" * 65536) as server:
        server.endless = True
        with pytest.raises(ToolError, match="larger than 1,048,576"):
            await server.fetch(FetchLimits(seconds=10, wire_bytes=1 << 20))


async def test_a_name_with_one_private_address_is_refused_and_never_asked() -> None:
    async with serving(_OK + b"\r\n") as server:
        with pytest.raises(ToolError, match=r"10\.0\.0\.1"):
            await server.fetch(names=("127.0.0.1", "10.0.0.1"))
    assert server.asked == []


async def test_a_name_is_resolved_once_so_that_it_cannot_change_its_meaning() -> None:
    calls: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        calls.append(host)
        return ("192.0.2.1",) if len(calls) > 1 else ("127.0.0.1",)

    async with serving(_OK + b"\r\nhello") as server:
        fetcher = Fetcher(resolve=resolve, allow={("127.0.0.1", server.port)})
        assert (await fetcher.fetch(f"http://page.example.org:{server.port}/")).body == b"hello"
    assert calls == ["page.example.org"]


async def test_cancelling_closes_the_connection() -> None:
    async with serving(_OK + b"\r\nabc") as server:
        server.hold = True
        task = asyncio.create_task(server.fetch(FetchLimits(seconds=30)))
        while not server.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.closed.wait(), 2)


async def test_redirects_are_followed_up_to_the_limit() -> None:
    async with serving(_OK + b"\r\nhere") as there, serving() as server:
        # The names' addresses are the same, so the second server needs an allowance of its own.
        server.pieces = [f"HTTP/1.1 301 M\r\nLocation: http://127.0.0.1:{there.port}/x\r\n\r\n".encode()]
        fetcher = Fetcher(allow={("127.0.0.1", server.port), ("127.0.0.1", there.port)})
        start = f"http://127.0.0.1:{server.port}/"
        page = await fetcher.fetch(start)
        assert (page.url, page.body) == (f"http://127.0.0.1:{there.port}/x", b"here")
        with pytest.raises(ToolError, match="moved more than 0 times"):
            await fetcher.fetch(start, FetchLimits(redirects=0))
