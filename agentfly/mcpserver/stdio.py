"""The server on standard input and output, as desktop programs start it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from mcp.server.lowlevel.server import Server

_CHUNK = 65536


async def serve(server: Server[Any]) -> None:
    """Serve one client until it closes its end or this task is cancelled.

    While it lasts, descriptor 0 is at its end and descriptor 1 leads to standard error, so that neither child processes
    nor prints of libraries get between the protocol's lines.
    """
    from mcp.server.stdio import stdio_server

    with _taken_stdin() as fd:
        lines = cast(Any, Lines(fd))  # all that is asked of the file is to be iterated over
        try:
            async with stdio_server(stdin=lines) as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
        except* BrokenPipeError:
            pass  # the client left without reading its answers


class Lines:
    """Lines of text from a descriptor, read by a thread that nobody has to wait for.

    The SDK's own reader waits in a thread that cannot be interrupted, so that a server told to stop would hang until the
    client writes again.

    Args:
        fd: is read until its end; a last line may lack its line end.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(64)
        self._thread: threading.Thread | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._read, args=(loop,), name="mcp-stdin", daemon=True)
            self._thread.start()
        line = await self._queue.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        # RuntimeError: the loop was closed while this thread waited for the client.
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            for line in self._split():
                asyncio.run_coroutine_threadsafe(self._queue.put(line), loop).result()
            asyncio.run_coroutine_threadsafe(self._queue.put(None), loop).result()

    def _split(self) -> Iterator[str]:
        parts: list[bytes] = []
        while chunk := self._chunk():
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                yield b"".join([*parts, line]).decode("utf-8", "replace")
                parts = []
            parts.append(rest)
        if any(parts):
            yield b"".join(parts).decode("utf-8", "replace")

    def _chunk(self) -> bytes:
        try:
            return os.read(self._fd, _CHUNK)
        except OSError:  # the terminal or socket behind it is gone
            return b""


@contextlib.contextmanager
def _taken_stdin() -> Iterator[int]:
    """Descriptor of the real standard input; descriptor 0 is at its end meanwhile."""
    fd = os.dup(0)  # not inherited by children
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        yield fd
    finally:
        os.dup2(fd, 0)  # and `fd` stays open: the reading thread may still wait on it
