"""A folder for each attempt, holding copies of the task's files."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from agentfly.errors import InputError
from agentfly.folders import remove_tree
from agentfly.types import Task


def location(root: Path, run_id: str, number: int | str) -> Path:
    """The folder of attempt `number` of a run, or of a further one that goes by a name."""
    return root / run_id / str(number)


def prepare(root: Path, run_id: str, number: int | str, task: Task) -> Path:
    """An empty folder with copies of the task's files, named as `Task.file_names` has it.

    Raises:
        InputError: a file is missing or unreadable, or two share a name.
    """
    folder = location(root, run_id, number)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:  # left by a run that was killed and now resumes
        _remove(folder)
        folder.mkdir(parents=True)
    for file, name in zip(task.files, task.file_names, strict=True):
        target = folder / name
        if target.exists():
            raise InputError(f"two attached files are named {name!r}: rename one of them")
        try:
            shutil.copyfile(file, target)
        except OSError as error:
            raise InputError(f"cannot read the file {file}: {error.strerror or error}") from None
    return folder


def tidy(root: Path, run_id: str, task: Task) -> None:
    """Remove the copies and what is empty; files that the attempts produced stay."""
    run = root / run_id
    names = set(task.file_names)
    with contextlib.suppress(FileNotFoundError):
        for folder in list(run.iterdir()):
            with contextlib.suppress(OSError):
                folder.chmod(0o700)  # code may have closed it
            for name in names:
                _remove(folder / name)
            with contextlib.suppress(OSError):  # files that are to stay
                folder.rmdir()
    with contextlib.suppress(OSError):
        run.rmdir()


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder that code may have put in its place; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
