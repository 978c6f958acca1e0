"""A root host's first step into the sandbox: open a way to what the worker needs, give root up, become another program.

Run as a program of its own, so that it imports nothing but the standard library. Root's folders are often closed to others, and a
process limit does not bind uid 0, so the sandbox proper is entered by an unprivileged user, in mounts where the few folders that
it needs can be reached. The process stays a direct child of its host: a signal at the host's death needs that.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18  # MS_* of linux/mount.h


def main(text: str) -> None:
    """Enter, and execute a program.

    Args:
        text: JSON with ``user`` (uid and gid), ``closed`` (folders to be covered by an empty one), ``reached`` (paths below
            them that stay visible), ``cwd``, ``keeper`` (whether to leave one behind, see `inside.keeper`), ``argv`` and
            ``env``.

    Raises:
        OSError: the kernel refuses.
    """
    plan = json.loads(text)
    if plan["closed"]:
        _uncover([Path(p) for p in plan["closed"]], [Path(p) for p in plan["reached"]])
    if plan["keeper"]:
        sys.path.insert(0, str(Path(__file__).parent))
        from inside.keeper import keep  # type: ignore[import-not-found]  # found where this file lies

        keep(plan["user"])
    os.chdir(plan["cwd"])
    os.setgroups([])
    os.setresgid(plan["user"], plan["user"], plan["user"])
    os.setresuid(plan["user"], plan["user"], plan["user"])
    os.execve(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606  # no shell is wanted


def _uncover(closed: list[Path], reached: list[Path]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        folders = ", ".join(map(str, closed))
        sys.exit(
            f"{folders} is closed to other users than root, and what the code needs lies in it ({reached[0]}); mounts, which "
            "would open a way, are not permitted here: install Python and keep the home where every user can read"
        )
    _mount(libc, "none", "/", None, _RECURSIVE | _PRIVATE)  # nothing of this is seen outside
    handles = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in reached]
    kinds = [path.is_dir() for path in reached]
    for folder in closed:
        _mount(libc, "tmpfs", str(folder), "tmpfs", 0, "mode=0755,size=1m")
    os.umask(0o022)
    for path, handle, is_folder in zip(reached, handles, kinds, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            path.mkdir(exist_ok=True)
        elif not path.exists():
            path.touch()
        _mount(libc, f"/proc/self/fd/{handle}", str(path), None, _BIND | _RECURSIVE)


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    names = [None if text is None else text.encode() for text in (source, target, kind, data)]
    _check(libc.mount(names[0], names[1], names[2], ctypes.c_ulong(flags), names[3]), f"mount {target}")


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
