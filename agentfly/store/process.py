"""Tells whether the process that started something is still there."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def mark() -> str:
    """Names this process: host, process id, and start time where the system tells it (ids are used again)."""
    return _mark(os.getpid())  # of a child, another one


def gone(owner: str) -> bool:
    """Whether the process of this `mark` has certainly ended; False where it cannot be known (another host)."""
    host, _, rest = owner.partition("|")
    pid, _, started = rest.partition("|")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there and belongs to someone else
        pass
    return bool(started) and _started(int(pid)) != started


@cache
def _mark(pid: int) -> str:
    return f"{socket.gethostname()}|{pid}|{_started(pid)}"


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The command name, in brackets, may hold spaces; the start time is field 22 of the whole line.
    return text.rpartition(")")[2].split()[19]
