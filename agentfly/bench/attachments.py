"""The files of a dataset's tasks: there, within the dataset, and part of its hash.

Under which names an attempt finds them is `Task.file_names`; here they are still where the dataset has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from agentfly.errors import InputError
from agentfly.types import Task

NONE = "none"
"""Stands for the type of the file of a task that has none."""


def file_types(task: Task) -> frozenset[str]:
    """The endings of a task's files, lower case and without the dot; ``none`` where it has no file."""
    if not task.files:
        return frozenset({NONE})
    return frozenset(file.suffix.lower().removeprefix(".") for file in task.files if file.suffix)


class Attachments:
    """The files under a dataset's folder.

    Args:
        root: the folder that holds the dataset.
    """

    def __init__(self, root: Path) -> None:
        self._allowed = _allowed_roots(root)
        self._hashes: dict[Path, str | None] = {}

    def require(self, tasks: Iterable[Task]) -> None:
        """Check that every file is there.

        Raises:
            InputError: one is missing, or is a link that leads out of the dataset.
        """
        for task in tasks:
            for file in task.files:
                if not file.is_file():
                    raise InputError(f"the attachment {file} of task {task.id} is missing")
                if not self._inside(file):
                    raise InputError(f"the attachment {file} of task {task.id} is a link that leads out of the dataset")

    def digest(self, file: Path) -> str | None:
        """SHA-256 of what is in a file; None where it is missing or outside. Several tasks may share one."""
        if file not in self._hashes:
            self._hashes[file] = _file_hash(file) if file.is_file() and self._inside(file) else None
        return self._hashes[file]

    def _inside(self, file: Path) -> bool:
        found = file.resolve()
        return any(found.is_relative_to(place) for place in self._allowed)


def _allowed_roots(root: Path) -> list[Path]:
    """The dataset's folder; in the Hugging Face cache also the folder that its links lead to."""
    root = root.absolute()
    caches = [p.parent / "blobs" for p in (root, *root.parents) if p.name == "snapshots"]
    return [root.resolve(), *(cache.resolve() for cache in caches)]


def _file_hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"the attachment {path} cannot be read: {error.strerror or error}") from None
