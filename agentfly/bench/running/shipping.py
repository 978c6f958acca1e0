"""What an attempt needs on another machine: a copy of the working home, the task's files, and a folder that goes with its process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import agentfly
from agentfly.errors import HomeError, InputError
from agentfly.folders import remove_tree
from agentfly.memory.lock import FileLock
from agentfly.store.home import DATABASE

MOST_BYTES = 512 * 2**20
"""Of the files of one task; all that are under way are in memory at once."""
_LEFT_OUT = {"artifacts", "lock", f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE}
"""Of a home: what earlier runs wrote, and the database's own files, of which a copy is taken through SQLite."""
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Known:
    """What tells that a path names the same file here and there, without reading it."""

    path: Path
    size: int
    changed: int
    """Nanoseconds since the epoch."""
    inode: int

    @classmethod
    def of(cls, path: Path) -> Known | None:
        """Of a file as it is on this machine; None where it is missing."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that is sent along."""

    name: str
    content: bytes


def pack_home(home: Path) -> bytes:
    """A home as a compressed tar, without what its runs wrote into ``artifacts``. Its database may be in use.

    Args:
        home: the folder.

    Raises:
        HomeError: it cannot be read.
    """
    packed = io.BytesIO()
    try:
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar, tempfile.TemporaryDirectory() as folder:
            for entry in sorted(home.iterdir()):
                if entry.name not in _LEFT_OUT:
                    tar.add(entry, entry.name)
            if (home / DATABASE).exists():
                copy = Path(folder) / DATABASE
                _copy_database(home / DATABASE, copy)
                tar.add(copy, DATABASE)
    except (OSError, sqlite3.Error) as error:
        raise HomeError(f"the home {home} cannot be copied to the workers: {error}") from None
    return packed.getvalue()


def unpack_home(packed: bytes, folder: Path) -> None:
    """Lay a packed home into a folder, which is made."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        tar.extractall(folder, filter="data")


def read_files(files: Iterable[Path], most: int = MOST_BYTES) -> tuple[Sent, ...]:
    """The files of a task, to send along.

    Args:
        files: their paths here.
        most: bytes of all together.

    Raises:
        InputError: one cannot be read, or they are too large.
    """
    sent, left = [], most
    for file in files:
        try:
            with file.open("rb") as opened:
                content = opened.read(left + 1)
        except OSError as error:
            raise InputError(f"the attachment {file} cannot be read: {error.strerror or error}") from None
        left -= len(content)
        if left < 0:
            raise InputError(
                f"the attachment {file} is too large to be sent to another machine (more than {most // 2**20} MB a task); "
                "put the dataset where all machines find it under the same path"
            )
        sent.append(Sent(file.name, content))
    return tuple(sent)


def lay_files(sent: Sequence[Sent], folder: Path) -> tuple[Path, ...]:
    """Write files that were sent; each in a folder of its own, so that it keeps its name."""
    paths = []
    for number, file in enumerate(sent):
        path = folder / str(number) / Path(file.name).name
        path.parent.mkdir(parents=True)
        path.write_bytes(file.content)
        paths.append(path)
    return tuple(paths)


class Scratch:
    """A folder for as long as its process lives; those that killed processes left behind go when the next one is made.

    Args:
        kind: what the folder's name begins with.
        parent: where to make it; the system's folder for temporary files where it is None.
    """

    def __init__(self, kind: str, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _sweep(parent, kind)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=kind, dir=parent))
            self._lock = FileLock(self.path / _LOCK)
            with contextlib.suppress(FileNotFoundError):
                if self._lock.take() and (self.path / _LOCK).exists():
                    return  # else another process took it for left behind, in the moment before it was locked
            self._lock.release()

    def remove(self) -> None:
        """Remove the folder. May be called twice."""
        self._lock.release()
        remove_tree(self.path)


@cache
def code_version() -> str:
    """The version of agentfly with a hash of its files: what tells two installations apart that claim to be the same."""
    root = Path(agentfly.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return f"{agentfly.__version__}+{digest.hexdigest()[:12]}"


def _copy_database(source: Path, target: Path) -> None:
    """A copy of one moment; also of a database that is being written to."""
    with (
        contextlib.closing(sqlite3.connect(source, timeout=5.0)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _sweep(parent: Path, kind: str) -> None:
    """Remove the folders whose process is gone. One without a lock is being made at this moment."""
    for folder in parent.glob(f"{kind}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.getuid() and (folder / _LOCK).exists():
                lock = FileLock(folder / _LOCK)
                if lock.take():
                    lock.release()
                    remove_tree(folder)
