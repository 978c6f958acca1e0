"""Walls that the worker puts up around itself where there are no namespaces, before it runs anything."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

from . import landlock, seccomp

_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38  # prctl
_SIGNALS_SINCE = 6
"""Landlock's ABI from which on it keeps signals in."""


def confine(options: dict[str, Any]) -> None:
    """Give up everything but what the options name.

    Args:
        options: ``readable``, ``writable`` and ``devices`` as `landlock.restrict`; ``own_user``, whether no other process runs as
            this user; ``checks``, whether this is a worker for checks, which must be able to end its forks.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # Changing the user undid what the keeper asked for.
    if libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) or libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl was refused")
    walls = options["confine"]
    abi = landlock.restrict(walls["readable"], walls["writable"], walls["devices"])
    signals_open = abi < _SIGNALS_SINCE and not options["own_user"] and not options.get("checks")
    ways = seccomp.Ways(alone=True, same_user=not options["own_user"], own_signals=os.getpid() if signals_open else 0)
    seccomp.install(seccomp.assemble(ways))
