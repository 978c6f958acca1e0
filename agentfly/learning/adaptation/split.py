"""Setting tasks aside, so that what is reported was never learned from."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from agentfly.errors import InputError
from agentfly.types import Task


def set_aside(tasks: Sequence[Task], wanted: int | float, seed: int, what: str) -> tuple[list[Task], list[Task]]:
    """Divide tasks in two, at random by a seed.

    Tasks over the same file, tasks that ask the same, and tasks with a key in common in ``metadata["together"]`` stay together: who
    has learned from one knows something of the other. So the number that is set aside can be off by a few.

    Args:
        tasks: all of them.
        wanted: how many to set aside: a number of at least 1, or a share in (0, 1).
        seed: of the choice.
        what: names them in messages, such as ``validation``.

    Returns:
        The rest, and those set aside, both in the order given.

    Raises:
        InputError: nothing would be left to learn from, or nothing set aside.
    """
    if wanted <= 0 or (wanted < 1 and isinstance(wanted, int)):
        raise InputError(f"{what}: give a number of tasks, or a share between 0 and 1")
    number = round(wanted * len(tasks)) if wanted < 1 else int(wanted)
    groups = list(together(tasks))
    random.Random(f"{seed} {what}").shuffle(groups)  # noqa: S311  no secret
    aside: set[str] = set()
    for group in groups:
        # A group is taken where that comes nearer to the number than to leave it.
        if abs(len(aside) + len(group) - number) < abs(len(aside) - number):
            aside.update(task.id for task in group)
    rest, taken = [t for t in tasks if t.id not in aside], [t for t in tasks if t.id in aside]
    if not rest or not taken:
        raise InputError(
            f"{what}: {number} of {len(tasks)} tasks cannot be set aside so that some are left on both sides "
            f"({len(groups)} groups share no file)"
        )
    return rest, taken


def together(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks in groups of which no two share a file, a question or a key."""
    owner: dict[str, int] = {}
    groups: dict[int, list[Task]] = {}
    for number, task in enumerate(tasks):
        keys = [*(f"file {file.resolve()}" for file in task.files), f"question {_digest(task)}"]
        keys += [f"together {key}" for key in task.metadata.get("together", ())]
        joined = sorted({owner[key] for key in keys if key in owner})
        home = joined[0] if joined else number
        groups.setdefault(home, []).append(task)
        for other in joined[1:]:
            groups[home] += groups.pop(other)
            owner.update((key, home) for key, known in list(owner.items()) if known == other)
        owner.update((key, home) for key in keys)
    return list(groups.values())


def _digest(task: Task) -> str:
    names = [] if task.files else [" ".join(task.question.split()).casefold()]
    told = names or [task.question, *(file.name for file in task.files)]
    return hashlib.sha256("\x1f".join(told).encode("utf-8", "replace")).hexdigest()
