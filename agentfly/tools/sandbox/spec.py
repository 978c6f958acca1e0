"""What a tier is asked to start, and how it says what to start."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "inside"
THREADS = 2
"""Threads that numeric libraries may use; the model runs on the same processors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One worker, whatever the tier."""

    workspace: Path
    channel: int
    """File descriptor of the worker's end of the channel."""
    memory_mb: int = 2048
    file_mb: int = 1024
    processes: int = 64
    user: int = 0
    """Unprivileged uid to run as where the host is root; it belongs to this worker alone."""
    site: bool = True
    """Whether Python looks for installed packages as it starts: 10 ms and more that the standard library alone does not need."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of the program inside, JSON-able."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def environment(home: str) -> dict[str, str]:
    """The whole environment of the code: nothing is inherited."""
    threads = str(THREADS)
    return {
        "HOME": home,
        "TMPDIR": "/tmp",  # noqa: S108  # the sandbox's own
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp",  # noqa: S108
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
    }


def program(spec: Spec, folder: str, *, own_user: bool, keeper: bool) -> list[str]:
    """Command line of the program inside.

    Args:
        spec: what is to run.
        folder: where the package `inside` lies, as the worker sees it.
        own_user: whether no other process runs as the worker's user.
        keeper: whether the worker needs a keeper because it has no PID namespace.
    """
    start = (
        "import sys; sys.path.insert(0, sys.argv[1]); from inside.main import main; "
        "del sys.path[0]; main(int(sys.argv[2]), sys.argv[3])"
    )
    options = {
        "memory_mb": spec.memory_mb,
        "file_mb": spec.file_mb,
        "processes": spec.processes,
        "own_user": own_user,
        "keeper": keeper,
        **spec.options,
    }
    # -I: no PYTHON* variables, no user folder, no current folder before the standard library.
    flags = ["-I", "-B", "-W", "ignore", *([] if spec.site else ["-S"])]
    return [sys.executable, *flags, "-c", start, folder, str(spec.channel), json.dumps(options)]
