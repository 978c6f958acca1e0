"""The one way to a file of an attempt: by its name below the workspace, and to regular files only.

Code that a model wrote puts things there while tools run. So a path is walked part by part from an open folder and no link is
followed by the system: what was looked at is what is opened.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from agentfly.errors import ToolError
from agentfly.tools.sandbox.bubblewrap import WORKSPACE

DEPTH = 8
"""Folders below the workspace that are looked into."""
VISITED = 20_000
"""Most entries that are looked at for a listing."""
_SHOWN = 20
_LINKS = 8
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """An open file of the workspace."""

    file: BinaryIO
    name: str
    """Its path below the workspace."""
    inner: tuple[str, ...]
    """What the path says beyond the file: a path in an archive."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the workspace."""

    name: str
    """Its path below the workspace."""
    kind: str
    """``file``, ``folder``, ``link`` or ``other``."""
    size: int
    """Bytes."""


@contextlib.contextmanager
def opened(workspace: Path, name: str) -> Iterator[Found]:
    """Open a file for reading.

    Args:
        workspace: the attempt's folder.
        name: path below it; may go on into an archive, as in ``data.zip/inner.csv``.

    Raises:
        ToolError: no such file, or not one that may be read; says which there are.
    """
    parts = path_parts(workspace, name)
    for _ in range(_LINKS):
        found = _walk(workspace, parts, name)
        if isinstance(found, Found):
            with found.file:
                yield found
            return
        parts = _behind(workspace, found, parts, name)
    raise ToolError(f"{name!r} is a link that leads in a circle")


def path_parts(workspace: Path, name: str) -> tuple[str, ...]:
    """The parts of a path below the workspace, the way models write it: relative, or as their code sees it.

    Raises:
        ToolError: it leads out of the workspace.
    """
    text = name.strip().removeprefix("file://")
    for prefix in (WORKSPACE, str(workspace)):
        if text == prefix or text.startswith(prefix + "/"):
            text = text[len(prefix) :].lstrip("/")
    parts = tuple(part for part in PurePosixPath(text).parts if part != ".")
    if text.startswith(("/", "~")) or ".." in parts or "\0" in text:
        raise ToolError(f"{name!r} is not in the working folder: give a name relative to it. {there_are(workspace)}")
    return parts


def entries(workspace: Path, folder: tuple[str, ...] = ()) -> Iterator[Entry]:
    """What is in a folder and below it, in the order of names, without following links.

    A folder below it that cannot be listed, or is gone by then, is passed over.

    Raises:
        OSError: the folder cannot be listed.
    """
    visited = 0
    waiting = [folder]
    while waiting:
        parts = waiting.pop()
        below: list[tuple[str, ...]] = []
        try:
            listed = _listed(workspace, parts)
        except OSError:
            if parts == folder:
                raise
            continue
        for name, told in listed:
            visited += 1
            if visited > VISITED:
                return
            kind = _kind(told)
            yield Entry("/".join((*parts, name)), kind, told.st_size)
            if kind == "folder" and len(parts) < DEPTH:
                below.append((*parts, name))
        waiting += reversed(below)


def there_are(workspace: Path, wanted: str = "") -> str:
    """One line that says which files there are, the one that was perhaps meant first."""
    names = []
    with contextlib.suppress(OSError):
        names = [entry.name for entry in entries(workspace) if entry.kind == "file"][:2_000]
    if not names:
        return "There are no files in the working folder."
    low = {name.lower(): name for name in reversed(names)} | {n.rpartition("/")[2].lower(): n for n in reversed(names)}
    close = difflib.get_close_matches(wanted.rpartition("/")[2].lower(), low, n=1, cutoff=0.6) if wanted else []
    meant = f"Did you mean {low[close[0]]!r}? " if close else ""
    more = f" and {len(names) - _SHOWN} more (see list_files)" if len(names) > _SHOWN else ""
    return f"{meant}Files: {', '.join(map(repr, names[:_SHOWN]))}{more}."


def _walk(workspace: Path, parts: tuple[str, ...], name: str) -> Found | int:
    """The file that parts lead to, or the number of the part that is a link."""
    here = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, part in enumerate(parts):
            try:
                told = os.stat(part, dir_fd=here, follow_symlinks=False)
                kind = _kind(told)
                if kind == "link":
                    return number
                if kind == "other":
                    raise ToolError(f"{name!r} is a pipe, a device or a socket, not a file")
                inside = os.open(part, _FLAGS, dir_fd=here)
            except OSError as error:
                raise _refused(error, workspace, name) from None
            if stat.S_ISDIR(os.fstat(inside).st_mode):
                os.close(here)
                here = inside
                continue
            file = os.fdopen(inside, "rb")
            told = os.fstat(inside)
            if not stat.S_ISREG(told.st_mode):  # changed since it was looked at
                file.close()
                raise ToolError(f"{name!r} is not a regular file")
            return Found(file, "/".join(parts[: number + 1]), parts[number + 1 :], told.st_size)
    finally:
        os.close(here)
    raise ToolError(f"{name!r} is a folder; see list_files. {there_are(workspace)}")


def _behind(workspace: Path, number: int, parts: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The parts of where a link leads, if that is in the workspace."""
    root = workspace.resolve()
    try:
        target = root.joinpath(*parts[: number + 1]).resolve(strict=True).relative_to(root)
    except (OSError, RuntimeError, ValueError):
        raise ToolError(
            f"{name!r} is a link that leads nowhere in the working folder. {there_are(workspace)}"
        ) from None
    return (*target.parts, *parts[number + 1 :])


def _refused(error: OSError, workspace: Path, name: str) -> ToolError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL):
        return ToolError(f"there is no file {name[:200]!r}. {there_are(workspace, name[:200])}")
    return ToolError(f"{name!r} cannot be read ({error.strerror})")


def _listed(workspace: Path, parts: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
    here = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inside = os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inside
        found = []
        with os.scandir(here) as listing:
            for entry in listing:
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                if len(found) > VISITED:
                    break
        return sorted(found)
    finally:
        os.close(here)


def _kind(told: os.stat_result) -> str:
    mode = told.st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
