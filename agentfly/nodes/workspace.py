"""A folder for each attempt, holding copies of the task's files."""

from __future__ import annotations

import shutil
from pathlib import Path

from agentfly.errors import InputError
from agentfly.types import Task


def location(root: Path, run_id: str, number: int) -> Path:
    """The folder of attempt `number` of a run."""
    return root / run_id / str(number)


def prepare(root: Path, run_id: str, number: int, task: Task) -> Path:
    """An empty folder with copies of the task's files under their own names.

    Raises:
        InputError: a file is missing or unreadable, or two share a name.
    """
    folder = location(root, run_id, number)
    if folder.exists():  # left by a run that was killed and now resumes
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for file in task.files:
        target = folder / file.name
        if target.exists():
            raise InputError(f"two attached files are named {file.name!r}: rename one of them")
        try:
            shutil.copyfile(file, target)
        except OSError as error:
            raise InputError(f"cannot read the file {file}: {error.strerror or error}") from None
    return folder


def tidy(root: Path, run_id: str, task: Task) -> None:
    """Remove the copies and what is empty; files that the attempts produced stay."""
    run = root / run_id
    names = {file.name for file in task.files}
    for folder in run.glob("*"):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    if run.is_dir() and not any(run.iterdir()):
        run.rmdir()
