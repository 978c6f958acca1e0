"""The tasks of a course: what to learn from, and what not to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentfly.errors import InputError
from agentfly.learning.adaptation.plan import LEARN, TEST, VALIDATE
from agentfly.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What to learn from, and what not to."""

    train: Sequence[Task]
    validation: Sequence[Task] = ()
    test: Sequence[Task] = ()

    def groups(self) -> Mapping[str, Sequence[Task]]:
        """The tasks by the phase that they are for."""
        return {LEARN: self.train, VALIDATE: self.validation, TEST: self.test}

    def check(self) -> None:
        """See that there is something to learn from, and that nothing is both learned from and judged by.

        Raises:
            InputError: there is not, or something is.
        """
        if not self.train:
            raise InputError("there is no task to learn from")
        seen: dict[str, str] = {}
        for name, group in self.groups().items():
            for task in group:
                other = seen.setdefault(task.id, name)
                if other != name:
                    raise InputError(f"task {task.id} is both to learn from and to be judged by ({other}, {name})")
            if len({task.id for task in group}) < len(group):
                twice = next(task.id for place, task in enumerate(group) if task.id in {t.id for t in group[:place]})
                raise InputError(f"two tasks have the id {twice}")
