"""What a worker and all that came of it take of the machine together, looked at from outside while it runs.

Limits that the kernel keeps hold for one process, or one file; these hold for the whole family and its folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from agentfly.folders import Size, measure, remove_tree

SECONDS = 0.2
"""Between two looks; more where a look takes long."""
_SHARE = 10
"""Times as long as it took to look are spent not looking."""
_MEGABYTE = 1024 * 1024


class Bounds(NamedTuple):
    """What a family may take."""

    memory_mb: int
    """Of all its processes together."""
    disk_mb: int = 1024
    """Written to the workspace and to temporary files."""
    files: int = 20_000
    """Made there, folders included."""


def together(memory_mb: int) -> int:
    """Megabytes that all processes of a worker may take, where one may take `memory_mb`."""
    return memory_mb + memory_mb // 2


class Watch:
    """Looks at a family again and again; `hit` is set when it takes too much.

    Args:
        pid: the process that all came from.
        folders: where it may write; the workspace is the first.
        inner: folders that only it sees, in memory and of bounded size, but not in the number of files.
        before: what the folders held before any code ran.
        bounds: what it may take.
    """

    def __init__(self, pid: int, folders: Sequence[Path], inner: Sequence[str], before: Size, bounds: Bounds) -> None:
        self._pid = pid
        self._folders = tuple(folders)
        self._inner = tuple(inner)
        self._before = before
        self._bounds = bounds
        self.hit = asyncio.Event()
        self.reason = ""
        """What there was too much of, in words for the model."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. The family must have come to where it runs: on the way there it still sees the host's folders as its own."""
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        pause = SECONDS
        while not self.reason:
            await asyncio.sleep(pause)
            begun = monotonic()
            self.reason = await asyncio.to_thread(self._look)
            pause = max(SECONDS, _SHARE * (monotonic() - begun))
        self.hit.set()

    def _look(self) -> str:
        bounds, family = self._bounds, family_of(self._pid)
        if _too_much(family, bounds.memory_mb * _MEGABYTE):
            return f"the processes of the block took more than {bounds.memory_mb:,} MB of memory together"
        most = self._before.files + bounds.files
        sizes = [measure(folder, most) for folder in self._folders]
        if sum(size.files for size in sizes) > most or _inner_files(family, self._inner) > bounds.files:
            return f"the block made more than {bounds.files:,} files, or folders more than 60 deep"
        taken = sum(size.bytes for size in sizes) + _nameless(family, self._folders)
        if taken > self._before.bytes + bounds.disk_mb * _MEGABYTE:
            return f"the block wrote more than {bounds.disk_mb:,} MB"
        return ""


def shrink(folder: Path, known: set[str], kept: Sequence[str], before: Size, bounds: Bounds) -> None:
    """Bring a workspace back within its bounds: what was made last is removed, and where that is not enough, all of it.

    Args:
        folder: the workspace, where nothing runs any more.
        known: names that it held before the last block.
        kept: names that stay whatever happens.
        before, bounds: as for `Watch`.
    """
    for spared in (known | {*kept}, {*kept}):
        size = measure(folder, before.files + bounds.files)
        if size.files <= before.files + bounds.files and size.bytes <= before.bytes + bounds.disk_mb * _MEGABYTE:
            return
        for path in [path for path in folder.iterdir() if path.name not in spared]:
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()


def family_of(pid: int) -> list[int]:
    """A process and all that came from it, as far as it can be told here."""
    family, queue = [pid], [pid]
    while queue and sys.platform == "linux":
        for text in _read(f"/proc/{queue.pop()}/task", "children"):
            children = [int(word) for word in text.split()]
            family += children
            queue += children
    return family


def _read(folder: str, name: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for entry in Path(folder).iterdir():
            with contextlib.suppress(OSError):
                yield (entry / name).read_text(encoding="ascii")


def _too_much(family: Sequence[int], most: int) -> bool:
    """Whether processes hold more memory than allowed. Pages that forks share are counted once, where that can be known."""
    if sum(map(_private, family)) <= most:
        return False
    return sum(map(_proportional, family)) > most


def _private(pid: int) -> int:
    """Bytes that are backed by nothing but memory, shared mappings among them."""
    with contextlib.suppress(OSError):
        return _sum(Path(f"/proc/{pid}/status"), ("RssAnon:", "RssShmem:"))
    return 0


def _proportional(pid: int) -> int:
    try:
        return _sum(Path(f"/proc/{pid}/smaps_rollup"), ("Pss_Anon:", "Pss_Shmem:"))
    except PermissionError:
        return _private(pid)
    except OSError:
        return 0


def _sum(path: Path, names: Sequence[str]) -> int:
    """Bytes that lines of a file of the kernel's give in kilobytes."""
    lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return sum(int(words[1]) * 1024 for words in lines if words and words[0] in names)


def _inner_files(family: Sequence[int], folders: Sequence[str]) -> int:
    """Files in folders that only the family sees. The youngest process is surely inside."""
    for pid in reversed(family):
        with contextlib.suppress(OSError):
            found = [os.statvfs(f"/proc/{pid}/root{folder}") for folder in folders]
            return sum(one.f_files - one.f_ffree for one in found)
    return 0


def _nameless(family: Sequence[int], folders: Sequence[Path]) -> int:
    """Bytes on the folders' disks of open files that were removed: no folder shows them."""
    devices = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            devices.add(folder.stat().st_dev)
    held: dict[tuple[int, int], int] = {}
    for pid in family:
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    found = handle.stat()
                    if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_dev in devices:
                        held[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(held.values())
