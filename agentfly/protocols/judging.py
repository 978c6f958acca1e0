"""Judging by asking others: what a scorer that asks a model, further attempts or a person is given to do it with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from agentfly.protocols.acting import Scorer
from agentfly.protocols.models import Model
from agentfly.types import Attempt, Feedback, Task

UNKNOWN = Feedback(reward=0.5, source="environment")
"""Says nothing: what an attempt is learned from by its trace alone."""

Sample: TypeAlias = Callable[[int], Awaitable[str | None]]
"""The answer of further attempt k at the same task, everything else equal, at a temperature; None where it came to none. The same
k in the same run gives the same answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One attempt of a run before its judge."""

    run_id: str
    task: Task
    """Without the reference: the judge looks that up by the run."""
    attempt: Attempt
    workspace: Path
    """Folder of the attempt."""
    learning: bool
    """Whether something is learned from the verdict; False where it is for the result alone."""
    asking: Callable[[Model], Model]
    """A model whose calls count into the run, and whose replies are kept as long as it may have to begin again."""
    sample: Sample
    """Makes further attempts, which count into the run and are kept in the same way."""


@runtime_checkable
class AskingScorer(Scorer, Protocol):
    """A scorer that asks others, which costs something."""

    def at(self, hearing: Hearing) -> Scorer:
        """The same scorer for one attempt of a run: whoever it asks is asked through the hearing."""
        ...
