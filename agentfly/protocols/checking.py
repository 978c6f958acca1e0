"""Checks: small predicates that look at an answer before it is accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from agentfly.types import Bullet, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailure:
    """A check that asks for another look at an answer."""

    bullet_id: str
    message: str


Examine: TypeAlias = Callable[[str, Sequence[Step]], Awaitable[Sequence[CheckFailure]]]
"""(answer, steps so far, the one that gave the answer included) -> what asks for another look; never raises."""


async def accept(answer: str, steps: Sequence[Step]) -> Sequence[CheckFailure]:
    """An `Examine` without a check behind it."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a check looks at."""

    question: str
    answer: str
    steps: tuple[Step, ...] = ()
    files: tuple[str, ...] = ()
    """Names of the task's attachments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one check said of one answer."""

    message: str = ""
    """Why the answer needs another look; empty where it does not."""
    problem: str = ""
    """Why the check itself is no good: it raised, took too long, or did what a check must not do."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer whose worth is known: what checks are measured on."""

    id: str
    """Id of its attempt, see `Trial.id`."""
    subject: Subject
    reward: float
    """In [0, 1]."""

    @property
    def right(self) -> bool:
        """Whether it counts as a right answer."""
        return self.reward >= 0.5


class CheckWorker(Protocol):
    """A confined process that runs checks."""

    async def check(self, checks: Sequence[Bullet], subjects: Sequence[Subject]) -> Sequence[Sequence[Checked]]:
        """Put answers to checks.

        Args:
            checks: n bullets of the kind ``check``.
            subjects: m answers.

        Returns:
            m rows of n verdicts. A check that misbehaves is a `problem` of its own and costs the others nothing; one that
            had a problem with a subject is not tried on the later ones, whose verdicts tell the same problem.

        Raises:
            SandboxError: code cannot be run here.
        """
        ...


@runtime_checkable
class Checker(Protocol):
    """Runs checks where they can do no harm."""

    def open(self) -> AbstractAsyncContextManager[CheckWorker]:
        """A worker, closed on leaving the context. Entering does not wait for its process, so that it starts beside
        other work; where no check is put to it, that costs next to nothing.
        """
        ...
