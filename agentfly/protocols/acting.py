"""Acting on a task, and judging what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeAlias, runtime_checkable

from agentfly.protocols.checking import Examine, accept
from agentfly.protocols.executing import Tool
from agentfly.types import Attempt, Bullet, Feedback, Limits, Recalled, Reply, Task

Recall: TypeAlias = Callable[[str], Awaitable[Sequence[Recalled]]]
"""Recalls cases for a subtask, given in words, and records that they were shown in this run."""


async def recall_nothing(text: str) -> Sequence[Recalled]:
    """A `Recall` without a memory behind it."""
    return ()


class Journal(Protocol):
    """What comes to an attempt from outside passes through here: model replies and results of tools.

    A journal that keeps them lets an attempt that was killed, or that waits for a person, begin again and come to where it was
    without paying for a reply or doing anything twice. It is also where a call waits for permission.
    """

    async def reply(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """The next reply of the model: the one on record, else what `ask` gives."""
        ...

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        """As `Tool.call`; where this very call is on record, its result or error.

        Raises:
            ToolError: the tool's own, or the call is not permitted.
        """
        ...

    def clock(self) -> float:
        """Seconds, for the limits of the attempt: what is given again from the record took the time that it took then."""
        ...


class Live:
    """A `Journal` that keeps nothing and permits everything."""

    async def reply(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        return await ask()

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        return await tool.call(arguments)

    def clock(self) -> float:
        return monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """Everything that a generator may know about its task. `task` carries no reference."""

    task: Task
    workspace: Path
    """Private folder of this attempt; holds copies of the task's files under their own names."""
    cases: tuple[Recalled, ...] = ()
    bullets: tuple[Bullet, ...] = ()
    playbook: str = ""
    """The bullets as text, rendered within the budget."""
    recall: Recall = recall_nothing
    """For strategies that plan: the cases for one subtask."""
    examine: Examine = accept
    """The checks in force: an answer is put to them once before it is accepted."""
    journal: Journal = field(default_factory=Live)
    """Every model reply and every call of a tool passes through it."""
    informed: bool = False
    """Whether results of earlier work are in view, so that an answer may rest on them without a file having been read."""
    lesson: str = ""
    """What the reflector made of the last attempt at this very task, where it is tried again."""
    limits: Limits = field(default_factory=Limits)
    temperature: float = 0.0
    seed: int | None = None


@runtime_checkable
class Generator(Protocol):
    """A strategy for acting on a task."""

    @property
    def name(self) -> str: ...

    async def attempt(self, brief: Brief, emit: Callable[[Any], None] = ...) -> Attempt:
        """Work on a task until there is an answer or a limit is hit.

        Mistakes of the model become observations. A spent limit or a failed provider ends the attempt with that
        status and the best answer so far; nothing but `UserError`, cancellation and our own bugs is raised.

        Args:
            brief: the task and what was recalled for it.
            emit: takes typed events (`agentfly.events`) as they happen.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Gives feedback on an attempt."""

    @property
    def name(self) -> str: ...

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Judge an attempt.

        Returns:
            Feedback, or None where this scorer has nothing to go by (no reference, say). A missing answer earns 0.
        """
        ...
