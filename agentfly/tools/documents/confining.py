"""Where it works, readers of files run under bubblewrap: no network, no files but the interpreter's, no other processes.

Parsers of PDF and images are written in C. What a file makes of one must find nothing to read, to change or to talk to.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from agentfly.tools.sandbox.bubblewrap import find, system
from agentfly.tools.sandbox.paths import interpreter

INSIDE = "/run/agentfly"
"""Where the program lies in there."""
_TRIAL_SECONDS = 5.0


@cache
def works() -> bool:
    """Whether readers can be confined here; tried once, in about 30 ms."""
    if sys.platform != "linux" or find() is None:
        return False
    trial = (sys.executable, "-I", "-S", "-B", "-c", "print(6 * 7)")
    argv = (*prefix(Path(__file__).parent, {}), *trial)
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_TRIAL_SECONDS, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == b"42"


def prefix(folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """What stands before the command line of a reader.

    Args:
        folder: holds the program; it is seen as `INSIDE`.
        environment: the whole of it.
    """
    argv = [find() or "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    # No session of its own: the host gives it one without a terminal, and ends it by its process group.
    argv += ["--cap-drop", "ALL", "--hostname", "reader", "--clearenv"]
    for name, value in environment.items():
        argv += ["--setenv", name, value]
    argv += system()
    argv += ["--proc", "/proc", "--dev", "/dev", "--size", "1048576", "--tmpfs", "/tmp"]  # noqa: S108 - its own
    for source, target in interpreter():  # after /tmp, for it may lie there
        argv += ["--ro-bind", source, target]
    argv += ["--ro-bind", str(folder), INSIDE, "--chdir", "/"]
    return (*argv, "--remount-ro", "/dev", "--remount-ro", "/", "--")
