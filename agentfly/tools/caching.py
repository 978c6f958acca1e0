"""Texts kept on disk under the hash of what they were made from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from pathlib import Path

PRUNED_TO = 0.8
"""Share of the room that is left in use when entries have to go, so that not each further one makes another go."""
RESCANNED = 64
"""Entries written after which the folder is measured again: other processes write there too."""
STRAY_SECONDS = 3600.0
"""Age from which on an unfinished entry is taken for one that a killed process left."""
_DIGEST = 64
_SUFFIX = ".txt"


def content_key(*parts: bytes | str) -> str:
    """The key of what is made from these contents and parameters: SHA-256 of the parts and their lengths, 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


class ContentCache:
    """Texts by key, of which the least recently used go when the room is full.

    Several processes may use one folder. Entries appear whole or not at all; a damaged one counts as absent. A cache is
    never in the way: where its folder cannot be written, nothing is kept and nothing is raised.

    Args:
        folder: made when the first entry is written.
        megabytes: room for all entries together; one may take a quarter of it.
    """

    def __init__(self, folder: Path, megabytes: float = 200) -> None:
        self._folder = folder
        self._room = int(megabytes * 1024 * 1024)
        self._guard = threading.Lock()
        self._used = 0
        """Bytes in the folder, as far as this process knows."""
        self._unmeasured = RESCANNED
        """Entries written since the folder was measured; at first it has to be."""

    def get(self, key: str) -> str | None:
        """The text under a key of `content_key`; None where there is none."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        told, body = data[:_DIGEST], data[_DIGEST:]
        if hashlib.sha256(body).hexdigest().encode() != told:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
        return body.decode("utf-8", "surrogatepass")

    def put(self, key: str, text: str) -> None:
        """Keep a text under a key of `content_key`, in place of what is there."""
        body = text.encode("utf-8", "surrogatepass")
        if len(body) + _DIGEST > self._room // 4:
            return
        with self._guard, contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(self._path(key), hashlib.sha256(body).hexdigest().encode() + body)
            self._used += len(body) + _DIGEST
            self._unmeasured += 1
            if self._used > self._room or self._unmeasured > RESCANNED:
                self._prune()

    def _path(self, key: str) -> Path:
        if len(key) != _DIGEST or not key.isalnum():
            raise ValueError(f"{key!r} is not a key: make one with content_key")
        return self._folder / (key + _SUFFIX)

    def _write(self, path: Path, data: bytes) -> None:
        handle, unfinished = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(unfinished).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink()
            raise

    def _prune(self) -> None:
        """Measure the folder; where it is too full, remove what was used longest ago."""
        entries: list[tuple[float, int, str]] = []
        now = time.time()
        with os.scandir(self._folder) as found:
            for entry in found:
                with contextlib.suppress(FileNotFoundError):  # another process prunes as well
                    told = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(_SUFFIX):
                        entries.append((told.st_mtime, told.st_size, entry.path))
                    elif entry.name.endswith(".part") and now - told.st_mtime > STRAY_SECONDS:
                        Path(entry.path).unlink()
        self._used = sum(size for _, size, _ in entries)
        self._unmeasured = 0
        if self._used <= self._room:
            return
        for _, size, path in sorted(entries):
            with contextlib.suppress(OSError):
                Path(path).unlink(missing_ok=True)
            self._used -= size
            if self._used <= self._room * PRUNED_TO:
                return
