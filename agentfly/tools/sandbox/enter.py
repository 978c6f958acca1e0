"""A root host's first step into the sandbox: open a way to what the worker needs, give root up, become another program.

Run as a program of its own, so that it imports nothing but the standard library, and of that only what starts fast. Root's folders are often closed to others, and a
process limit does not bind uid 0, so the sandbox proper is entered by an unprivileged user, in mounts where the few folders that
it needs can be reached. The process stays a direct child of its host: a signal at the host's death needs that.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18  # MS_* of linux/mount.h


def main(text: str) -> None:
    """Enter, and execute a program.

    Args:
        text: what `packed` made of ``user`` (uid and gid), ``closed`` (folders to be covered by an empty one), ``reached`` (paths below
            them that stay visible), ``cwd``, ``keeper`` (whether to leave one behind, see `inside.keeper`), ``argv`` and
            ``env``.

    Raises:
        OSError: the kernel refuses.
    """
    plan = marshal.loads(bytes.fromhex(text))  # noqa: S302  # its host wrote it
    if plan["closed"]:
        _uncover(plan["closed"], plan["reached"])
    if plan["keeper"]:
        sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120
        from inside.keeper import keep  # type: ignore[import-not-found]  # found where this file lies

        keep(plan["user"])
    os.chdir(plan["cwd"])
    os.setgroups([])
    os.setresgid(plan["user"], plan["user"], plan["user"])
    os.setresuid(plan["user"], plan["user"], plan["user"])
    os.execve(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606  # no shell is wanted


def packed(plan: dict[str, object]) -> str:
    """A plan of JSON-able values for the command line; read without importing the module `json`."""
    return marshal.dumps(plan).hex()


def _uncover(closed: list[str], reached: list[str]) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        sys.exit(
            f"{', '.join(closed)} is closed to other users than root, and what the code needs lies in it ({reached[0]}); mounts, which "
            "would open a way, are not permitted here: install Python and keep the home where every user can read"
        )
    _mount(libc, "none", "/", None, _RECURSIVE | _PRIVATE)  # nothing of this is seen outside
    handles = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in reached]
    kinds = [os.path.isdir(path) for path in reached]  # noqa: PTH112
    for folder in closed:
        _mount(libc, "tmpfs", folder, "tmpfs", 0, "mode=0755,size=1m")
    os.umask(0o022)
    for path, handle, is_folder in zip(reached, handles, kinds, strict=True):
        os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if not os.path.exists(path):  # noqa: PTH110
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
        _mount(libc, f"/proc/self/fd/{handle}", path, None, _BIND | _RECURSIVE)


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    import ctypes

    names = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if libc.mount(names[0], names[1], names[2], ctypes.c_ulong(flags), names[3]):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
