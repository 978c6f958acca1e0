"""Which tasks are learned from and which are only for judging: none is both, however the groups were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agentfly.errors import InputError
from agentfly.learning.adaptation.split import set_aside
from agentfly.types import Task

Wanted = int | float | Sequence[Task]
"""How many tasks to set aside (a number, or a share in (0, 1)), or tasks of one's own; nothing is an empty sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """Tasks in groups of which no two have a task in common."""

    train: tuple[Task, ...]
    validation: tuple[Task, ...] = ()
    test: tuple[Task, ...] = ()
    notices: tuple[str, ...] = ()
    """What was left out, in words."""


def divide(
    tasks: Sequence[Task], *, validation: Wanted = (), test: Wanted = (), limit: int | None = None, seed: int = 0
) -> Divided:
    """Set tasks aside: first those to test on, then those to validate on, then as many as are to be learned from.

    So neither the limit nor the validation changes what is tested on. Of tasks that the caller brings, those that ask the same over
    the same files, or have a key in common in ``metadata["together"]``, stay where they are judged by and are not learned from.

    Args:
        tasks: to learn from, and to set aside from.
        validation: how many of what the test leaves, or tasks of their own.
        test: how many, or tasks of their own.
        limit: most tasks to learn from, the first ones of what is left.
        seed: of the choice.

    Raises:
        InputError: an impossible number, or nothing is left to learn from.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit must be at least 1, not {limit}")
    notices: list[str] = []
    rest, tested = _apart(tasks, test, seed, "test", notices)
    if not isinstance(validation, int | float):
        validation = _without(validation, tested, "validation", "the test", notices)
    rest, validated = _apart(rest, validation, seed, "validation", notices)
    if not rest:
        raise InputError("there is nothing left to learn from: every task is one to test or to validate on")
    taken = {task.id for task in tested}
    validated = _renamed(validated, taken)
    train = _renamed(rest[:limit], taken | {task.id for task in validated})
    return Divided(train=tuple(train), validation=tuple(validated), test=tuple(tested), notices=tuple(notices))


def _apart(
    tasks: Sequence[Task], wanted: Wanted, seed: int, what: str, notices: list[str]
) -> tuple[list[Task], list[Task]]:
    """What may be learned from, and what is set aside."""
    if isinstance(wanted, int | float):
        return set_aside(tasks, wanted, seed, what)
    return _without(tasks, wanted, "learning", f"the {what}", notices), list(wanted)


def _without(tasks: Sequence[Task], others: Sequence[Task], where: str, whose: str, notices: list[str]) -> list[Task]:
    """The tasks that are none of the others."""
    known = _Known(others)
    rest = [task for task in tasks if not known.has(task)]
    if gone := len(tasks) - len(rest):
        notices.append(f"{gone} of {len(tasks)} tasks are left out of {where}: they are in {whose} too")
    return rest


def _renamed(tasks: Iterable[Task], taken: set[str]) -> list[Task]:
    """The tasks under ids that no other group has: two datasets may both number their rows from 1."""
    tasks = list(tasks)
    used, renamed = taken | {task.id for task in tasks}, []
    for task in tasks:
        name, count = task.id, 1
        while name in taken or (name != task.id and name in used):
            count += 1
            name = f"{task.id}-{count}"
        used.add(name)
        renamed.append(task if name == task.id else replace(task, id=name))
    return renamed


class _Known:
    """Tells whether a task is among some others, whatever it is called there."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._asked: dict[str, list[Task]] = {}
        self._keys: set[str] = set()
        for task in tasks:
            self._asked.setdefault(_question(task), []).append(task)
            self._keys |= set(task.metadata.get("together", ()))

    def has(self, task: Task) -> bool:
        if not self._keys.isdisjoint(task.metadata.get("together", ())):
            return True
        return any(_files(task) == _files(other) for other in self._asked.get(_question(task), ()))


def _question(task: Task) -> str:
    return " ".join(task.question.split()).casefold()


def _files(task: Task) -> list[str]:
    """The content of the attachments, in any order; a file that is not there is known by its name."""
    return sorted(_digest(file) for file in task.files)


def _digest(file: Path) -> str:
    if not file.is_file():
        return file.name
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
