"""A file that is only ever appended to."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agentfly.errors import InputError


class AppendedFile:
    """A file that is only ever appended to, in whole lines.

    Args:
        path: the file, made where it is missing.
        end: where its last line begins if that is torn; it is cut off there.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, end: int | None) -> None:
        self._path = path
        self._handle: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if end is not None:
            os.ftruncate(self._handle, end)
        self._end = os.fstat(self._handle).st_size

    def append(self, lines: bytes) -> None:
        """Put lines on disk, all or none: when this returns, they stay.

        Raises:
            InputError: the disk refuses, or the file is closed.
        """
        if self._handle is None:
            raise InputError(f"{self._path} is closed")
        try:
            written = 0
            while written < len(lines):
                written += os.write(self._handle, lines[written:])
            os.fsync(self._handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}") from None
        self._end += len(lines)

    def close(self) -> None:
        """Close the file. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
