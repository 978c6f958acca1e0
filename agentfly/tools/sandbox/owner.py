"""Whose the files in a workspace are."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from agentfly.folders import below


def hand_over(folder: Path, user: int, kept: Collection[str] = ()) -> None:
    """Make `user` the owner of a tree, links themselves and not what they lead to.

    Args:
        folder: top of the tree.
        user: uid and gid of the new owner.
        kept: names of files in `folder` that stay root's, for `user` to read and nothing else. The folder then stays root's too:
            in a sticky folder nobody removes or renames what is another's.
    """
    fixed = {name for name in kept if regular(folder / name)}
    owner = 0 if fixed else user
    os.chown(folder, owner, user, follow_symlinks=False)
    Path(folder).chmod(0o1770 if fixed else 0o700)
    for path in below(folder):
        if path.name in fixed and path.parent == folder:
            os.chown(path, 0, user, follow_symlinks=False)
            path.chmod(0o440)
        else:
            os.chown(path, user, user, follow_symlinks=False)


def open_to_owner(folder: Path) -> None:
    """See that a folder which code had in its hands can be looked into again; without a sandbox it may even have removed it."""
    folder.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o7777
    if mode & 0o700 != 0o700:
        folder.chmod(mode | 0o700)


def regular(path: Path) -> bool:
    """Whether this is a file itself, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
