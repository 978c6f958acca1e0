"""The task's files where the worker runs as the person's own user and shares its files: kept aside and put back.

No right that the kernel knows keeps a user from removing its own file out of a folder that it may write to. What the code can do
is confined to names: the files cannot be written to, and nothing can change that from inside the sandbox.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from agentfly.folders import remove_tree
from agentfly.tools.sandbox.owner import regular


class Kept:
    """Files of a folder, of which a second name lies where the code cannot reach.

    Args:
        folder: where the code works.
        names: files in it; those that are not there are left out.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._names = [name for name in names if regular(folder / name)]
        self._aside = Path(tempfile.mkdtemp(prefix=".kept-", dir=folder.parent)) if self._names else None
        self._modes: dict[str, int] = {}
        for number, name in enumerate(self._names):
            path = folder / name
            self._modes[name] = path.stat().st_mode & 0o777
            _second(path, self._place(number))
            path.chmod(0o444)

    def restore(self) -> None:
        """Put back what was removed or replaced."""
        for number, name in enumerate(self._names):
            path, kept = self._folder / name, self._place(number)
            if not (regular(path) and path.stat().st_ino == kept.stat().st_ino):
                _cleared(path)
                _second(kept, path)

    def close(self) -> None:
        """Put back, and leave the files as they were found."""
        if self._aside is not None:
            self.restore()
            for name, mode in self._modes.items():
                (self._folder / name).chmod(mode)
            remove_tree(self._aside)
            self._aside = None
            self._names = []

    def _place(self, number: int) -> Path:
        assert self._aside is not None
        return self._aside / str(number)


def _second(path: Path, name: Path) -> None:
    """Another name of the same file."""
    os.link(path, name, follow_symlinks=False)


def _cleared(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
        return
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
