"""Frames between the worker and its host: four bytes of length, big-endian, then JSON."""

from __future__ import annotations

import json
import select
import struct
from os import close, read, write  # by name: code may put something else into the module `os`

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LENGTH = struct.Struct(">I")
LARGEST = 4 * 1024 * 1024
"""Bytes of the largest frame; the host ends a worker that sends a larger one."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as a frame.

    Raises:
        ValueError: it is larger than `LARGEST`.
    """
    body = json.dumps(message, ensure_ascii=True).encode()
    if len(body) > LARGEST:
        raise ValueError(f"{len(body):,} bytes are too much to hand over; the limit is {LARGEST:,}")
    return LENGTH.pack(len(body)) + body


class Channel:
    """The worker's end. Frames are read whole; no signal handler may raise while one is read (see `execute.Clock`)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd  # no socket object: a worker starts sooner without that module

    def send(self, message: dict[str, Any]) -> None:
        """Send one frame."""
        data = memoryview(pack(message))
        while data:
            data = data[write(self._fd, data) :]

    def receive(self) -> dict[str, Any]:
        """The next frame.

        Raises:
            EOFError: the host is gone.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        message = json.loads(self._exactly(length))
        return message if isinstance(message, dict) else {}

    def fileno(self) -> int:
        """The file descriptor, for who must close it."""
        return self._fd

    def close(self) -> None:
        """Neither read nor write any more."""
        fd, self._fd = self._fd, -1
        close(fd)

    def waiting(self, seconds: float) -> bool:
        """Whether something arrives within `seconds`."""
        return bool(select.select([self._fd], [], [], seconds)[0])

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = read(self._fd, count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)
