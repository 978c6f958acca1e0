"""How a benchmark is run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentfly.errors import InputError
from agentfly.types import Task

Mode = Literal["frozen", "online"]
Order = Literal["given", "shuffled"]
ExecutorName = Literal["local", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a benchmark is run.

    Args:
        mode: ``frozen`` learns nothing; ``online`` works on the tasks in order and learns between them.
        attempts: at each task.
        concurrency: attempts at once; online there is one.
        order: of the tasks.
        seed: of the order.
        retries: further tries of an attempt that ended in an error of its provider.
        cache: folder of the cache of model calls; None caches nothing.
        executor: where attempts are made.
        critique: a critic without the reference gives each answer a score.

    Raises:
        InputError: a number is out of range, or two things do not go together.
    """

    mode: Mode = "frozen"
    attempts: int = 1
    concurrency: int = 4
    order: Order = "given"
    seed: int = 0
    retries: int = 2
    cache: Path | None = None
    executor: ExecutorName = "local"
    critique: bool = False

    def __post_init__(self) -> None:
        for name, least in (("attempts", 1), ("concurrency", 1), ("retries", 0)):
            if (value := getattr(self, name)) < least:
                raise InputError(f"{name} must be at least {least}, not {value}")
        if self.mode == "online" and self.attempts > 1:
            raise InputError(
                "online, a second attempt at a task would know of the first: give --attempts 1, and other seeds with "
                "--order shuffled --seed N in folders of their own"
            )
        if self.mode == "online" and self.critique:
            raise InputError(
                "a critic looks at attempts that nothing is learned from: leave out --online or --critique"
            )
        if self.mode == "online" and self.executor != "local":
            raise InputError("online, each task waits for what was learned from the one before: leave out --executor")

    def ordered(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks in the order in which they are worked on."""
        if self.order == "given":
            return list(tasks)
        mixed = list(tasks)
        random.Random(f"{self.seed} order 1").shuffle(mixed)  # noqa: S311  no secret
        return mixed
