"""Fetching from servers that misbehave, on loopback through an explicit allowance."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from agentfly.errors import ToolError
from agentfly.tools.web.decoding import Decoder
from agentfly.tools.web.fetching import Fetched, Fetcher, FetchLimits

_OK = b"HTTP/1.1 200 OK\r\n"
_TWICE = gzip.compress(gzip.compress(b"a", mtime=0), mtime=0)  # the time would be in the name of a test
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
    assert b"user-agent: agentfly " in asked
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
        (_OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"") * 2000, "too many pieces"),
        (_OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(bytes(8 << 20)), "larger than"),
        (_OK + b"Content-Encoding: gzip, gzip\r\n\r\n" + _TWICE, "compressed in a way"),
        (_OK + b"X: a\r\n" * 20_000 + b"\r\n", "headers"),
        (_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "could not be fetched"),
        (_OK + b"Content-Length: -1\r\n\r\nab", "could not be fetched"),
        (b"HTTP/1.1 302 F\r\nLocation: gopher://example.org/\r\n\r\n", "only http"),
        (b"HTTP/1.1 302 F\r\nLocation: data:text/html,hello\r\n\r\n", "not a web address"),
        (b"HTTP/1.1 302 F\r\nLocation: http://2130706433/\r\n\r\n", "loopback"),
        (b"HTTP/1.1 302 F\r\nLocation: http://example.org:22/\r\n\r\n", "port 22"),
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
    assert time.monotonic() - started < 6


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


def test_unpacking_stops_at_the_limit_and_not_behind_it() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ToolError, match="larger than 1,000 bytes"):
            Decoder("gzip", 1000).feed(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


async def test_a_body_of_several_gzip_members_is_whole() -> None:
    packed = b"".join(gzip.compress(part) for part in (b"one ", b"", b"two ", b"three")) + b"\0" * 40
    head = _OK + b"Content-Encoding: gzip\r\n\r\n"
    # In small pieces, so that members begin and end in the middle of one.
    async with serving(head, *(packed[i : i + 7] for i in range(0, len(packed), 7))) as server:
        assert (await server.fetch(FetchLimits(seconds=5))).body == b"one two three"


async def test_a_body_longer_than_it_says_is_cut_there() -> None:
    async with serving(_OK + b"Content-Length: 3\r\n\r\nabcdef") as server:
        assert (await server.fetch()).body == b"abc"


async def test_endless_preliminary_answers_are_left_in_time() -> None:
    async with serving(b"HTTP/1.1 103 Early\r\nX: a\r\n\r\n") as server:
        server.endless = True
        started = time.monotonic()
        with pytest.raises(ToolError):
            await server.fetch()
    assert time.monotonic() - started < 6


async def test_a_name_that_is_not_resolved_in_time_is_given_up() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return ("127.0.0.1",)

    started = time.monotonic()
    with pytest.raises(ToolError, match=r"could not be resolved within 0\.1 s"):
        await Fetcher(resolve=resolve).fetch("http://page.example.org/", FetchLimits(connect_seconds=0.1))
    assert time.monotonic() - started < 6


async def test_the_second_address_is_asked_where_the_first_refuses() -> None:
    async with serving(_OK + b"\r\nhello") as server:  # on IPv4 only

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ("::1", "127.0.0.1")

        fetcher = Fetcher(resolve=resolve, allow={("127.0.0.1", server.port), ("::1", server.port)})
        assert (await fetcher.fetch(f"http://page.example.org:{server.port}/")).body == b"hello"


async def test_a_server_on_ipv6_is_reached_only_where_it_is_allowed() -> None:
    server = Server()
    server.pieces = [_OK + b"\r\nsix"]
    try:
        listening = await asyncio.start_server(server, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        page = await Fetcher(allow={("::1", port)}).fetch(f"http://[0:0::1]:{port}/x")
        assert (page.url, page.body) == (f"http://[::1]:{port}/x", b"six")
        assert f"host: [::1]:{port}".encode() in server.asked[0].lower()
        with pytest.raises(ToolError, match="loopback"):
            await Fetcher(allow={("127.0.0.1", port)}).fetch(f"http://[::1]:{port}/x")


async def test_a_name_that_turns_private_between_two_redirects_is_refused() -> None:
    calls = 0

    async def resolve(host: str, port: int) -> Sequence[str]:
        nonlocal calls
        calls += 1
        return ("127.0.0.1",) if calls == 1 else ("10.0.0.7",)

    async with serving(b"HTTP/1.1 302 F\r\nLocation: /next\r\n\r\n") as server:
        fetcher = Fetcher(resolve=resolve, allow={("127.0.0.1", server.port)})
        with pytest.raises(ToolError, match=r"10\.0\.0\.7"):
            await fetcher.fetch(f"http://page.example.org:{server.port}/")
        assert len(server.asked) == 1


async def test_cookies_are_not_kept_and_the_environment_sets_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(_OK + b"\r\nhere") as there, serving() as server:
        moved = f"HTTP/1.1 307 M\r\nSet-Cookie: id=1\r\nLocation: http://127.0.0.1:{there.port}/x\r\n\r\n"
        server.pieces = [moved.encode()]
        fetcher = Fetcher(allow={("127.0.0.1", server.port), ("127.0.0.1", there.port)})
        assert (await fetcher.fetch(f"http://127.0.0.1:{server.port}/")).body == b"here"
        await fetcher.fetch(f"http://127.0.0.1:{server.port}/")
    assert all(b"cookie" not in asked.lower() for asked in server.asked + there.asked)
