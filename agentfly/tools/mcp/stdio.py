"""Speaking to a server over its standard streams, with a bound on everything that it can make us hold.

The SDK's own transport keeps a line of any length, and a task for each message; this one does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

from agentfly.tools.mcp.config import Program
from agentfly.tools.mcp.process import Process, started

LONGEST_LINE = 10 * 2**20
"""Bytes of one message."""
_PIECE = 1 << 16
_ENDS = 2048
"""Bytes at either end of an over-long line that are searched for the request that it answers."""
_ID = re.compile(rb'"id"\s*:\s*(\d{1,18}|"[\w-]{1,64}")')


class Lines:
    """The server's messages, in the shape of the SDK's read stream. Nothing is read ahead of what is asked for."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._buffer = bytearray()
        self._complete: deque[bytes] = deque()
        self._head: bytes | None = None
        """Beginning of an over-long line that is being skipped."""

    async def receive(self) -> SessionMessage | Exception:
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    async def __anext__(self) -> SessionMessage | Exception:
        while not self._complete:
            piece = await self._process.stdout.read(_PIECE)
            if not piece:
                raise StopAsyncIteration
            if (answer := self._take(piece)) is not None:
                return answer
        line = self._complete.popleft()
        try:
            if not line.lstrip().startswith(b"{"):
                raise ValueError("no JSON object")
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            head = line[:_ENDS]
            answers = b'"jsonrpc"' in head and (b'"result"' in head or b'"error"' in head)
            return (_refusal(head, line[-_ENDS:], "cannot be read") if answers else None) or error

    def _take(self, piece: bytes) -> SessionMessage | None:
        """Split what arrived into lines; of one that is too long only its ends are kept.

        Returns:
            An error in place of an over-long answer, so that nobody waits for it.
        """
        answer = None
        if self._head is not None:
            rest, newline, piece = piece.partition(b"\n")
            self._buffer = (self._buffer + rest)[-_ENDS:]
            if not newline:
                return None
            answer = _refusal(self._head, bytes(self._buffer), f"is longer than {LONGEST_LINE // 2**20} MiB")
            self._head, self._buffer = None, bytearray()
        self._buffer += piece
        if b"\n" in piece:
            *lines, last = bytes(self._buffer).split(b"\n")
            self._complete.extend(line for line in lines if line.strip())
            self._buffer = bytearray(last)
        if len(self._buffer) > LONGEST_LINE:
            self._head = bytes(self._buffer[:_ENDS])
            self._buffer = self._buffer[-_ENDS:]
        return answer

    def __aiter__(self) -> Lines:
        return self

    async def aclose(self) -> None:
        """Nothing is held that has to be given back."""

    async def __aenter__(self) -> Lines:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Pen:
    """Messages to the server, in the shape of the SDK's write stream; one at a time, whoever writes."""

    def __init__(self, process: Process) -> None:
        self._process, self._turn = process, asyncio.Lock()
        self._broken = False

    async def send(self, item: SessionMessage) -> None:
        data = item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        async with self._turn:
            if self._broken:
                raise anyio.BrokenResourceError
            self._broken = True  # until all of it is written: half a message would garble the next one
            try:
                await self._process.write(data)
            except OSError:
                raise anyio.BrokenResourceError from None
            self._broken = False

    async def aclose(self) -> None:
        """The pipe is closed with the process."""

    async def __aenter__(self) -> Pen:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _refusal(head: bytes, tail: bytes, why: str) -> SessionMessage | None:
    """An error in place of an answer, found by its id, so that nobody waits for it. A server can only harm its own calls."""
    found = _ID.search(head) or _ID.search(tail)
    if found is None:
        return None
    id: Any = found[1].decode().strip('"') if found[1].startswith(b'"') else int(found[1])
    error = ErrorData(code=INTERNAL_ERROR, message=f"the answer {why} and was dropped")
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=id, error=error))


@contextlib.asynccontextmanager
async def program(spec: Program) -> AsyncIterator[tuple[Process, Lines, Pen]]:
    """Start a server; it and all that came from it are gone afterwards.

    Raises:
        Failed: it cannot be started.
    """
    process = started(spec)
    try:
        await process.open()
        yield process, Lines(process), Pen(process)
    finally:
        # To its end, also when this task is being cancelled: a process must not be left over.
        closing = asyncio.ensure_future(process.close())
        while not closing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(closing)
