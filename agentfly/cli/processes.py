"""The processes that descend from this one, found without a library."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def descendants(root: int | None = None) -> list[int]:
    """Ids of all processes below `root` (default: this process), children before grandchildren."""
    children: dict[int, list[int]] = {}
    for pid, parent in _table():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [os.getpid() if root is None else root]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def kill_descendants() -> None:
    """SIGKILL every process below this one, those started meanwhile too."""
    for _ in range(3):
        pids = descendants()
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _table() -> list[tuple[int, int]]:
    """(pid, parent) of the processes that are alive."""
    if not Path("/proc/self/stat").exists():
        return _ps_table()
    rows = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold blanks and parentheses itself.
                after = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
                if after[0] != "Z":
                    rows.append((int(entry.name), int(after[1])))
    return rows


def _ps_table() -> list[tuple[int, int]]:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, timeout=1, check=False
        ).stdout
        rows = [line.split() for line in listing.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if len(row) > 2 and not row[2].startswith("Z")]
    return []
