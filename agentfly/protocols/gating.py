"""Deciding which changes of a playbook are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from agentfly.types import Attempt, Feedback, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An attempt with its feedback."""

    attempt: Attempt
    feedback: Feedback
    id: str = ""
    """Where the record of runs has it: run id and number, as ``RUN/1``. Empty where only the run knows it so far."""


Retry: TypeAlias = Callable[[], Awaitable[Trial | None]]
"""Makes a fresh attempt at a task under set conditions; None when it cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A task that was solved before, as the record of runs has it."""

    run: str
    task: Task
    """Without the reference: who judges an attempt looks that up by the run."""
    reward: float
    shown: tuple[str, ...] = ()
    """Ids of the bullets that stood in the prompt."""
    cited: tuple[str, ...] = ()
    """Ids of cases and bullets that the attempt named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSuccess:
    """A solved task that can be tried again."""

    run: str
    task_id: str
    reward: float
    """What it earned then."""
    candidate: Retry
    """Tries it with the playbook as the delta would make it."""
    current: Retry
    """Tries it with the playbook as it is, everything else equal."""


Past: TypeAlias = Callable[[], Awaitable[Sequence[PastSuccess]]]
"""Past successes that a delta could spoil, the most telling first."""


async def no_past() -> Sequence[PastSuccess]:
    """A `Past` of which nothing can be tried again."""
    return ()


Outcome: TypeAlias = Literal["held", "flipped", "noise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a past success under the candidate playbook."""

    run: str
    """The run that solved it."""
    task_id: str
    before: float
    """Reward that it earned then."""
    after: float
    """Reward with the candidate playbook."""
    control: float | None = None
    """Reward with the current playbook; None where no such attempt was made or it could not be judged."""
    outcome: Outcome = "held"
    """``flipped``: the candidate fails and the current playbook does not. ``noise``: both fail."""
    attempts: tuple[str, ...] = ()
    """Ids of the attempts: with the candidate, then with the current playbook. See `Trial.id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's decision on a delta, with what it rests on."""

    accepted: bool
    reason: str
    trials: tuple[Trial, ...] = ()
    """Attempts at the task at hand made to decide, for the record and for the case bank."""
    replays: tuple[Replayed, ...] = ()
    """Past successes that were tried again, in that order."""


@runtime_checkable
class Gate(Protocol):
    """Decides whether a delta is kept."""

    @property
    def name(self) -> str: ...

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Judge a candidate playbook.

        Args:
            first: the attempt that the delta was learned from.
            retry: another attempt at the same task with the candidate in force.
            past: solved tasks that can be tried again.
            adds: whether the delta says anything new; one that only removes or merges has nothing to mend.
        """
        ...
