"""A lock between processes that the system releases when its owner dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """Advisory lock on a file (flock); two objects in one process exclude each other too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._pid = 0

    @property
    def held(self) -> bool:
        """Whether this process has it; a forked child does not."""
        return self._handle is not None and self._pid == os.getpid()

    def take(self) -> bool:
        """Take the lock if it is free; never waits."""
        if self.held:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle, self._pid = handle, os.getpid()
        return True

    def release(self) -> None:
        """Give the lock back. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)  # in a forked child this leaves the parent's lock alone
