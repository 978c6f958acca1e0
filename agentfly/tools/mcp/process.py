"""A server's process: what it is given, its pipes, and its end with everything that came from it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from agentfly.tools.mcp.config import Program
from agentfly.tools.mcp.failures import Failed

_PIECE = 1 << 16
_STDERR_KEPT = 2048
_STDERR_FLOOD = 1 << 20
"""Bytes after which reading stderr pauses, so that a server that floods it waits instead of keeping us busy."""
LEAVE_SECONDS = 0.5
"""How long a server may take to end on its own once its input is closed."""
GONE_SECONDS = 3.0
_INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
)
_KEEPER = Path(__file__).with_name("keeper.py")


def environment(program: Program, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a server finds in its environment: what programs need to run, and what the configuration gives it. No secrets of ours."""
    source = os.environ if environ is None else environ
    return {name: source[name] for name in _INHERITED if name in source} | dict(program.env)


class Process:
    """A running server and its streams."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self._process, self._lifeline = process, lifeline
        self._loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader(limit=_PIECE)
        self._tail = b""
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.BaseTransport] = []

    async def open(self) -> None:
        """Join the pipes to the event loop."""
        stderr = asyncio.StreamReader(limit=_PIECE)
        for pipe, reader in ((self._process.stdout, self.stdout), (self._process.stderr, stderr)):
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await self._loop.connect_read_pipe(lambda made=protocol: made, pipe)  # type: ignore[misc]
            self._transports.append(transport)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._tasks.append(self._loop.create_task(self._listen(stderr)))

    @property
    def complaint(self) -> str:
        """The last line that the server wrote to stderr, shortened."""
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    async def write(self, data: bytes) -> None:
        """Write all of it, waiting for as long as the server does not read.

        Raises:
            OSError: nobody reads any more.
        """
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            raise BrokenPipeError
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(pipe.fileno(), view) :]
            except BlockingIOError:
                await self._writable(pipe.fileno())

    async def close(self) -> None:
        """Close its input; when it has not ended soon after, end it and all that came from it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        ended = await self._ended(LEAVE_SECONDS)
        os.close(self._lifeline)
        if not ended and not await self._ended(GONE_SECONDS):
            self._process.kill()
            await self._ended(1.0)
        if self._tasks:  # none where opening was cut off
            await asyncio.wait(self._tasks, timeout=0.1)  # its last words
        for task in self._tasks:
            task.cancel()
        for transport in self._transports:
            transport.close()

    async def _ended(self, seconds: float) -> bool:
        deadline, pause = self._loop.time() + seconds, 0.002
        while self._process.poll() is None:
            if self._loop.time() > deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True

    async def _writable(self, handle: int) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(handle, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(handle)

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        taken = 0
        while piece := await stderr.read(_PIECE):
            self._tail = (self._tail + piece)[-_STDERR_KEPT:]
            taken += len(piece)
            if taken > _STDERR_FLOOD:
                taken = 0
                await asyncio.sleep(0.05)


def started(spec: Program) -> Process:
    """Start a server, under a keeper; see `agentfly.tools.mcp.keeper`.

    Raises:
        Failed: it cannot be started.
    """
    env = environment(spec)
    command = os.path.expanduser(spec.command)  # noqa: PTH111  # a name alone must not become a path
    if os.sep not in command and shutil.which(command, path=env.get("PATH", os.defpath)) is None:
        raise Failed(f"there is no program {spec.command!r} on PATH")
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER), str(reading), command, *spec.args],
            env=env,
            cwd=spec.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[reading],
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        os.close(writing)
        raise Failed(f"it cannot be started: {error}") from None
    finally:
        os.close(reading)
    return Process(process, writing)
