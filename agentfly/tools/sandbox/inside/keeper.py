"""Where there is no PID namespace: a parent that lives as long as the worker and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import FrameType

_DEATH_SIGNAL, _SUBREAPER = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER of linux/prctl.h


def keep(user: int = 0) -> None:
    """Fork. The child returns; the parent waits for it, or for the host to go, and then ends all that came from it.

    Args:
        user: uid that the worker is going to have, where it is its alone and this process is root's: then no process of that
            user is left either, and none of them can do anything to the keeper.
    """
    if sys.platform != "linux":
        return
    host = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans of the worker become children of the keeper, wherever they hide
    end = partial(_end, user)
    signal.signal(signal.SIGTERM, end)
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        return
    libc.prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    for fd in range(64):  # the host sees the worker's end of the channel close only if the keeper holds no copy
        with contextlib.suppress(OSError):
            os.close(fd)
    if os.getppid() == host:
        with contextlib.suppress(ChildProcessError):
            while os.wait()[0] != worker:
                pass
    end()


def _end(user: int, signum: int = 0, frame: FrameType | None = None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if user:
            _sweep(user)
        family = descendants(os.getpid())
        if not family:
            break
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.002)
    os._exit(0)


def _sweep(user: int) -> None:
    """End every process of a user in one call, so that none can be started meanwhile."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def descendants(pid: int) -> list[int]:
    """Processes that came from `pid`, children before grandchildren."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found
