"""Opening a way to a server: its standard streams, streamable HTTP, or SSE."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from agentfly.tools.mcp.config import Program, Remote
from agentfly.tools.mcp.sieve import Sieve
from agentfly.tools.mcp.stdio import LONGEST_LINE, program

_CONNECT_SECONDS = 30.0
_READ_SECONDS = 300.0


class Way:
    """An open way: the SDK's two streams, and what is known when it ends."""

    def __init__(self, read: Sieve, write: Any, complaint: Callable[[], str]) -> None:
        self.read, self.write = read, write
        self.complaint = complaint
        """The server's last words on stderr, empty where there are none."""


@contextlib.asynccontextmanager
async def opened(
    target: Program | Remote, transport: str, changed: Callable[[], None], closed: Callable[[], None]
) -> AsyncIterator[Way]:
    """Open a way; nothing of it is left afterwards.

    Args:
        target: the server.
        transport: ``http`` or ``sse``, for remote ones.
        changed: told that the server changed its tools.
        closed: told that it ended.

    Raises:
        Failed: the program cannot be started.
    """
    if isinstance(target, Program):
        async with program(target) as (process, lines, pen):
            yield Way(Sieve(lines, pen, changed, closed), pen, lambda: process.complaint)
        return
    headers = {"Accept-Encoding": "identity", **target.headers}
    timeout = httpx2.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS)
    hooks = {"response": [_bound]}
    if transport == "sse":

        def client(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
            return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, event_hooks=hooks)

        async with sse_client(target.url, headers, httpx_client_factory=client) as (read, write):
            yield Way(Sieve(read, write, changed, closed), write, lambda: "")
        return
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as session,
        streamable_http_client(target.url, http_client=session) as (read, write),
    ):
        yield Way(Sieve(read, write, changed, closed), write, lambda: "")


async def _bound(response: httpx2.Response) -> None:
    """See to it that no answer is held that is too long. Streams of events have a bound on each event already."""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise httpx2.DecodingError("the server compressed an answer although it was asked not to")
    if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for piece in self._stream:
            taken += len(piece)
            if taken > LONGEST_LINE:
                raise httpx2.ReadError(f"the answer is longer than {LONGEST_LINE // 2**20} MiB")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
