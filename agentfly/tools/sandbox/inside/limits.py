"""Limits that the worker puts on itself before it runs anything."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ADDRESSES_MB = 2048
"""Address space beyond the memory limit: libraries reserve far more than they use."""


def apply(options: dict[str, Any]) -> None:
    """Set the limits.

    Args:
        options: ``memory_mb`` of private memory, ``file_mb`` of the largest file, ``processes`` of this user (threads count),
            ``cpu_seconds`` of processor time of each process, ``own_user`` whether no other process runs as this user.
    """
    megabyte = 1024 * 1024
    memory = options["memory_mb"] * megabyte
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 256)
    _limit(resource.RLIMIT_CPU, options["cpu_seconds"])  # no warning before it: SIGXCPU could be ignored
    _limit(resource.RLIMIT_FSIZE, options["file_mb"] * megabyte)
    if sys.platform == "linux":  # macOS knows neither of them
        _limit(resource.RLIMIT_DATA, memory)
        _limit(resource.RLIMIT_AS, memory + ADDRESSES_MB * megabyte)
        others = 0 if options["own_user"] else _tasks_of_this_user()
        _limit(resource.RLIMIT_NPROC, options["processes"] + others)
        with contextlib.suppress(OSError):  # where memory runs out, the kernel takes the sandbox first
            handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
            try:
                os.write(handle, b"1000")
            finally:
                os.close(handle)


def _limit(which: int, amount: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    resource.setrlimit(which, (amount, amount))


def _tasks_of_this_user() -> int:
    """Threads that already run as this user: the process limit counts them."""
    count, uid = 0, os.getuid()
    for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib takes longer to import than all of this
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                    count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
    return count
