"""Folders that hostile code has written to: counted and removed without following a link, however deep they are."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEEPEST = 64
"""Folders within folders; what is deeper counts as too many files."""
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512  # bytes that st_blocks counts in


class Size(NamedTuple):
    """What a tree takes up."""

    files: int
    """Files, folders and whatever else has a name."""
    bytes: int
    """On the disk: holes in a file take nothing."""


def measure(folder: Path, most: int) -> Size:
    """Count a tree while it may be written to.

    Args:
        folder: top of the tree; one that is not there is empty, one that cannot be read holds too many files.
        most: counting ends when more files than this were found.
    """
    return _below(None, folder, most, DEEPEST)


def _measured(handle: int, most: int, depth: int) -> Size:
    """Count what is in an open folder, and close it."""
    files, taken, seen = 0, 0, set()
    with _closing(handle), os.scandir(handle) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                files += 1
                if found.st_nlink == 1 or found.st_ino not in seen:
                    taken += found.st_blocks * _BLOCK
                    seen.add(found.st_ino)
                if stat.S_ISDIR(found.st_mode):
                    below = _below(handle, entry.name, most - files, depth - 1)
                    files, taken = files + below.files, taken + below.bytes
            if files > most:
                break
    return Size(files, taken)


def _below(handle: int | None, name: str | Path, most: int, depth: int) -> Size:
    if depth == 0:
        return Size(most + 1, 0)
    try:
        return _measured(os.open(name, _LOOK, dir_fd=handle), most, depth)
    except FileNotFoundError:
        return Size(0, 0)
    except OSError:  # a folder that its owner closed: what is in it cannot be known
        return Size(most + 1, 0)


def below(folder: Path) -> Iterator[Path]:
    """Every file and folder in a tree that nobody writes to meanwhile. No link is followed, nothing recurses.

    What is deeper than a path can name is passed over, and so is a folder that cannot be read.
    """
    waiting, longest = [folder], os.pathconf("/", "PC_PATH_MAX")
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                found = [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:
            continue
        for path, is_folder in found:
            if len(os.fsencode(path)) < longest:
                yield path
                waiting += [path] if is_folder else []


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it. What cannot be removed stays; nothing is raised, nothing recurses.

    Folders within are first moved up to the top, so that depth does not matter.
    """
    names = itertools.count()
    try:
        _reachable(folder, None)
        top = os.open(folder, _LOOK)
    except OSError:
        return
    with _closing(top):
        stuck: set[str] = set()
        while entries := [name for name in _names(top) if name not in stuck]:
            for name in entries:
                if not _removed(top, name, names):
                    stuck.add(name)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _removed(top: int, name: str, names: itertools.count[int]) -> bool:
    """Remove one entry of an open folder; whether it is gone or came closer to it."""
    try:
        if not _reachable(name, top):
            os.unlink(name, dir_fd=top)
            return True
        handle = os.open(name, _LOOK, dir_fd=top)
        with _closing(handle):
            for child in _names(handle):
                if _reachable(child, handle):
                    os.rename(child, f".{os.getpid()}-{next(names)}", src_dir_fd=handle, dst_dir_fd=top)
                else:
                    os.unlink(child, dir_fd=handle)
        os.rmdir(name, dir_fd=top)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _reachable(name: str | Path, handle: int | None) -> bool:
    """Whether this is a folder itself. One that its owner closed is opened: it could be neither emptied nor moved."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
        return False
    with contextlib.suppress(OSError):
        os.chmod(name, 0o700, dir_fd=handle)
    return True


def _names(handle: int) -> list[str]:
    with os.scandir(handle) as entries:
        return [entry.name for entry in entries]


@contextlib.contextmanager
def _closing(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)
