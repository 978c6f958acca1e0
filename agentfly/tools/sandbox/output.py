"""What a process prints, kept within bounds while it is read."""

from __future__ import annotations

import asyncio
import os

HEAD = 24 * 1024
TAIL = 8 * 1024
FLOOD = 16 * 1024 * 1024
"""Bytes of output within one block after which the process is taken for run away."""


class Output:
    """Reads a pipe whenever something is there: the first `HEAD` and the last `TAIL` bytes are kept."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._head = bytearray()
        self._tail = bytearray()
        self._open = True
        self.total = 0
        self.flooded = asyncio.Event()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def drain(self) -> None:
        """Read what was in the pipe at the time of the call (a pipe holds 64 KiB), not what is written meanwhile."""
        for _ in range(8):
            if not self._read():
                break

    def take(self) -> str:
        """The text since the last call, the middle cut out where it was long."""
        head, tail = bytes(self._head), bytes(self._tail)
        missing = self.total - len(head) - len(tail)
        self._head.clear()
        self._tail.clear()
        self.total = 0
        self.flooded.clear()
        if missing <= 0:
            return (head + tail).decode("utf-8", "replace")
        cut = f"\n... [{missing:,} bytes cut] ...\n"
        return head.decode("utf-8", "replace") + cut + tail.decode("utf-8", "replace")

    def close(self) -> None:
        """Stop reading and close the pipe."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            os.close(self._fd)

    def _read(self) -> bool:
        """Read once; whether there may be more."""
        if not self._open:
            return False
        try:
            data = os.read(self._fd, 64 * 1024)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        self.total += len(data)
        room = HEAD - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[room:])[-TAIL:] if len(data) > room else self._tail
        if self.total > FLOOD:
            self.flooded.set()
