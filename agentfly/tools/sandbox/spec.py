"""What a tier is asked to start, and how it says what to start."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
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
    """The largest file; where it is 0 the worker writes nothing at all."""
    processes: int = 64
    cpu_seconds: int = 900
    """Processor time of each process, whatever it does with signals."""
    user: int = 0
    """Unprivileged uid to run as where the host is root; it belongs to this worker alone."""
    readonly: tuple[str, ...] = ()
    """Names of files in the workspace that the code must not change."""
    site: bool = True
    """Whether Python looks for installed packages as it starts: 10 ms, and more where some are installed from their sources. Workers
    do without, and are told the folders."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of the program inside, JSON-able."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    fds: tuple[int, ...] = ()
    """File descriptors that it gets besides the channel; the host closes its own afterwards."""
    scratch: Path | None = None
    """A folder made for it, to be removed when it is gone."""


def environment(home: str, scratch: str = "/tmp") -> dict[str, str]:  # noqa: S108  # the sandbox's own
    """The whole environment of the code: nothing is inherited.

    Args:
        home: its home and working folder.
        scratch: for temporary files.
    """
    threads = str(THREADS)
    return {
        "HOME": home,
        "TMPDIR": scratch,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": scratch,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "CUDA_VISIBLE_DEVICES": "",  # the device files are out of reach too; this has libraries not look for them
        "HIP_VISIBLE_DEVICES": "",
    }


@cache
def compiled(folder: Path) -> None:
    """Compile the modules of a folder, once, where that may be written.

    Workers write no bytecode of their own. An installation from a wheel brings it; from sources they would compile them at each start,
    which takes 10 ms.
    """
    import compileall

    if not sys.dont_write_bytecode:
        compileall.compile_dir(folder, maxlevels=0, quiet=2)


def program(spec: Spec, folder: str, *, own_user: bool, keeper: bool, **further: Any) -> list[str]:
    """Command line of the program inside.

    Args:
        spec: what is to run.
        folder: where the package `inside` lies, as the worker sees it.
        own_user: whether no other process runs as the worker's user.
        keeper: whether the worker needs a keeper because it has no PID namespace.
        further: options of the tier.
    """
    compiled(PROGRAM)
    start = (
        "import sys; sys.path.insert(0, sys.argv[1]); from inside.main import main; "
        "del sys.path[0]; main(int(sys.argv[2]), sys.argv[3])"
    )
    options = {
        "memory_mb": spec.memory_mb,
        "file_mb": spec.file_mb,
        "processes": spec.processes,
        "cpu_seconds": spec.cpu_seconds,
        "own_user": own_user,
        "keeper": keeper,
        **further,
        **spec.options,
    }
    # -I: no PYTHON* variables, no user folder, no current folder before the standard library.
    flags = ["-I", "-B", "-W", "ignore", *([] if spec.site else ["-S"])]
    return [sys.executable, *flags, "-c", start, folder, str(spec.channel), json.dumps(options)]
