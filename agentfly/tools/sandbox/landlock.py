"""Tier `landlock`: a user of its own, Landlock and a system call filter, for machines without user namespaces.

The worker shares the machine's processes, and knows of them only what the kernel tells anybody; see `inside.confine`. Where the
host is not root the worker runs as the host's own user: then its attachments are kept by `attachments` and modes and times of
files cannot be changed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from agentfly.tools.sandbox.enter import packed
from agentfly.tools.sandbox.inside.landlock import version
from agentfly.tools.sandbox.inside.syscalls import MACHINES
from agentfly.tools.sandbox.owner import hand_over
from agentfly.tools.sandbox.paths import LINKS, SYSTEM, interpreter, way
from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

PLATFORM = "linux"
KEEPER = True
MEND = (
    "use Linux 5.13 or newer (6.2 where agentfly is not run by root) with Landlock switched on, "
    "and a Python that lies where every user can read it"
)
_ENTER = Path(__file__).parent / "enter.py"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory")
"""About the machine and not about any process; /proc as a whole would show those of others."""
_SAME_USER_SINCE = 3
"""Landlock's ABI from which on it stops a file from being cut to nothing, which a user of its own may not do anyway."""


def problem() -> str:
    """Why this tier cannot be used here; empty when it may work (the self-test says whether it does)."""
    if sys.platform != PLATFORM:
        return "it needs Linux"
    if os.uname().machine not in MACHINES:
        return f"there is no system call filter for {os.uname().machine}"
    abi = version()
    if not abi:
        return "the kernel has no Landlock, or it is switched off"
    if os.geteuid() != 0 and abi < _SAME_USER_SINCE:
        return f"the kernel's Landlock (version {abi}) is too old for a worker that runs as the person's own user"
    return ""


def command(spec: Spec) -> Command:
    """The process to start; a root host hands the workspace over to the worker's user first."""
    root = os.geteuid() == 0
    scratch = Path(tempfile.mkdtemp(prefix="agentfly-code-")).resolve()
    walls = {
        "readable": [*SYSTEM, *LINKS, *_FACTS, str(PROGRAM), *(source for source, _ in interpreter())],
        "writable": [str(spec.workspace), str(scratch)] if spec.file_mb else [],
        "devices": list(_DEVICES),
    }
    if not spec.file_mb:
        walls["readable"].append(str(spec.workspace))
    argv = program(spec, str(PROGRAM.parent), own_user=root, keeper=not root, confine=walls)
    env = environment(str(spec.workspace), str(scratch))
    if root:
        hand_over(spec.workspace, spec.user, spec.readonly)
        hand_over(scratch, spec.user)
        reached = way((PROGRAM, spec.workspace, scratch))
        plan = {"user": spec.user, "argv": argv, "env": env, "cwd": str(spec.workspace), "keeper": True, **reached}
        argv = [sys.executable, "-I", "-S", "-B", str(_ENTER), packed(plan)]
        env = {"PATH": "/usr/bin:/bin"}
    return Command(argv=tuple(argv), env=env, cwd=spec.workspace, scratch=scratch)
