"""What is asked for when an agent learns over a dataset."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from agentfly.errors import InputError
from agentfly.types import Task

Mode = Literal["offline", "online"]
Order = Literal["given", "shuffled", "difficulty"]
BASE, LEARN, VALIDATE, TEST = "base", "learn", "validate", "test"
"""The phases of a course."""
PARTS = ("cases", "strategies", "examples", "checks")
"""What is shown of that which was learned, see `agentfly.config.ShowSettings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Of learning, validations included; None is no limit.

    Looked at between windows: the one that passes it is finished, and where the version that it leaves was not validated yet, that
    is still done, so that the best one can be kept. What is answered before and after (base, test, ablations) is no part of it: it
    takes what it takes, or nobody could say what was learned. Seconds are those of all calls that worked on the course.
    """

    tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to learn.

    Args:
        mode: ``offline`` passes over the tasks `epochs` times and may keep the best version on the way; ``online`` answers each
            task once, in order, and learns from it before the next.
        epochs: passes over the training tasks.
        window: attempts side by side before the agent learns from them together; by default as many as go on at once, and 1 online.
        concurrency: attempts at once, where nothing is learned between them as well.
        order: of the tasks in an epoch: as given, shuffled, or the easier ones first, as far as is known by then.
        seed: of order, split and everything else that is left to chance.
        every: samples between two validations; None is one for each epoch.
        patience: validations without a better one after which learning ends; None never ends it early.
        budget: of everything.
        ablations: which parts of what was learned are tried by themselves on the test tasks, each a tuple of `PARTS`.

    Raises:
        InputError: a number is out of range.
    """

    mode: Mode = "offline"
    epochs: int = 1
    window: int = 0
    concurrency: int = 4
    order: Order = "given"
    seed: int = 0
    every: int | None = None
    patience: int | None = None
    budget: Budget = field(default_factory=Budget)
    ablations: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.window == 0:
            object.__setattr__(self, "window", 1 if self.mode == "online" else self.concurrency)
        for name in ("epochs", "concurrency", "window", "every", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, not {value}")
        if self.mode == "online" and self.epochs != 1:
            raise InputError("online learning sees each task once: epochs must be 1")
        for parts in self.ablations:
            unknown = sorted(set(parts) - set(PARTS))
            if unknown:
                raise InputError(f"unknown part {unknown[0]!r}; what is learned is: {', '.join(PARTS)}")


def ordered(tasks: Sequence[Task], plan: Plan, epoch: int, rewards: Mapping[str, Sequence[float]]) -> list[Task]:
    """The tasks in the order of an epoch.

    Args:
        tasks: as given.
        plan: how to learn.
        epoch: from 1.
        rewards: what earlier answers to each task earned, by task id: the lower their mean, the harder the task.
    """
    if plan.order == "given":
        return list(tasks)
    mixed = list(tasks)
    random.Random(f"{plan.seed} order {epoch}").shuffle(mixed)  # noqa: S311  no secret
    if plan.order == "shuffled":
        return mixed
    return sorted(mixed, key=lambda task: _difficulty(task, rewards.get(task.id, ())))


def windows(tasks: Sequence[Task], size: int) -> list[tuple[tuple[int, Task], ...]]:
    """The tasks of an epoch with their places, so many at a time."""
    placed = list(enumerate(tasks))
    return [tuple(placed[start : start + size]) for start in range(0, len(placed), size)]


def _difficulty(task: Task, earned: Sequence[float]) -> tuple[float, str, int]:
    """Harder is larger: by what it earned so far, then by the level that the dataset gives, then by length."""
    known = 1.0 - sum(earned) / len(earned) if earned else 0.5
    return round(known, 6), task.level or "", len(task.question)


def identity(groups: Mapping[str, Sequence[Task]], plan: Plan, settings: Mapping[str, Any], model: str) -> str:
    """A hash of all that the result of learning depends on.

    Args:
        groups: tasks to learn from, to validate and to test on.
        plan: how to learn; how many attempts are made at once makes no difference.
        settings: the agent's, as plain data.
        model: the generator's name.
    """
    told = {
        "tasks": {name: [_told(task) for task in group] for name, group in groups.items()},
        "plan": {name: value for name, value in asdict(plan).items() if name != "concurrency"},
        "settings": settings,
        "model": model,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()


def _told(task: Task) -> list[Any]:
    """All of a task that an answer, its verdict or its place in the order rests on; files by what they hold."""
    files = [[file.name, _content(file)] for file in task.files]
    return [task.id, task.question, task.reference, task.level, task.instructions, files]


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
