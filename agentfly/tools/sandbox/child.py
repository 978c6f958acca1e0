"""One confined process as its host sees it: a channel, its output, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentfly.errors import SandboxError
from agentfly.folders import remove_tree
from agentfly.tools.sandbox.inside.channel import LARGEST, LENGTH, pack
from agentfly.tools.sandbox.output import Output
from agentfly.tools.sandbox.spec import Command

GONE_SECONDS = 1.0


class Broken(Exception):
    """The channel ended, or what came over it is not of the protocol."""


class Child:
    """A started process. Must be made in the thread that lives as long as it does: its death signal is tied to that thread."""

    def __init__(self, prepare: Callable[[int], Command], *, gentle: bool) -> None:
        """Start a process.

        Args:
            prepare: what to start, given the file descriptor of its end of the channel.
            gentle: whether a keeper is to be asked to end the family (see `inside.keeper`).

        Raises:
            SandboxError: it cannot be started.
        """
        self._gentle = gentle
        self._loop = asyncio.get_running_loop()
        self._connection, theirs = socket.socketpair()
        self._scratch: Path | None = None
        fds: tuple[int, ...] = ()
        reading, writing = os.pipe()
        with theirs:
            try:
                command = prepare(theirs.fileno())
                self._scratch, fds = command.scratch, command.fds
                self._process = subprocess.Popen(
                    command.argv,
                    env=dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    pass_fds=[theirs.fileno(), *fds],
                    start_new_session=True,
                )
            except OSError as error:
                self._connection.close()
                os.close(reading)
                self._tidy()
                raise SandboxError(f"the code sandbox cannot be started: {error}") from None
            finally:
                for fd in (writing, *fds):
                    os.close(fd)
        self._connection.setblocking(False)
        self.output = Output(reading)

    @property
    def scratch(self) -> Path | None:
        """The folder for temporary files that was made for this process; None where it sees one of its own."""
        return self._scratch

    @property
    def pid(self) -> int:
        """Process id of the outermost process."""
        return self._process.pid

    async def send(self, message: dict[str, Any]) -> None:
        """Send one frame.

        Raises:
            Broken: nobody reads it.
            ValueError: it is too large.
        """
        try:
            await self._loop.sock_sendall(self._connection, pack(message))
        except OSError as error:
            raise Broken(str(error)) from None

    async def receive(self) -> dict[str, Any]:
        """The next frame.

        Raises:
            Broken: the process is gone or sent something that is no frame.
        """
        (length,) = LENGTH.unpack(await self._exactly(LENGTH.size))
        if length > LARGEST:
            raise Broken("a frame is too large")
        body = await self._exactly(length)
        try:
            message = _plain(json.loads(body))
        except (ValueError, RecursionError):
            raise Broken("a frame is not JSON") from None
        if not isinstance(message, dict):
            raise Broken("a frame is not an object")
        return message

    async def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                piece = await self._loop.sock_recv(self._connection, min(count - len(data), 1 << 16))
            except OSError as error:
                raise Broken(str(error)) from None
            if not piece:
                raise Broken("the process ended")
            data += piece
        return bytes(data)

    def kill(self) -> None:
        """End everything, now. Returns at once; see `gone`."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if self._gentle:
                    self._process.send_signal(signal.SIGTERM)
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Kill, and wait until no process is left that holds the channel or the output."""
        self.kill()
        deadline = self._loop.time() + GONE_SECONDS
        pause = 0.001
        while self._process.poll() is None and self._loop.time() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(max(deadline, self._loop.time() + 0.1)):
                while await self._drained():
                    pass
        self._process.poll()
        await asyncio.to_thread(self._tidy)

    async def _drained(self) -> bool:
        """Whether the channel is still open at its other end, after taking what arrived."""
        try:
            return bool(await self._loop.sock_recv(self._connection, 1 << 16))
        except OSError:
            return False

    def release(self) -> None:
        """Give back the file descriptors. The process must have been killed before."""
        self.kill()
        self.output.close()
        self._connection.close()
        self._tidy()

    def _tidy(self) -> None:
        """Remove what was made for the process alone."""
        if self._scratch is not None:
            remove_tree(self._scratch)
            self._scratch = None


def _plain(value: Any) -> Any:
    """JSON data without what cannot be written anywhere: half characters, and numbers that are none."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
