"""Scoring against the reference answer: one scorer, several ways to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentfly.errors import InputError
from agentfly.types import Attempt, Feedback, Task

Match = Callable[[str, str], bool]
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ReferenceScorer:
    """Rewards an answer with 1 when it matches the task's reference, else with 0.

    The text names the answer and never the reference, so that it may be shown to whoever will try again.

    Args:
        name: what it is called on the command line.
        match: takes the answer and the reference; a ValueError of it says why the reference cannot be compared.
    """

    name: str
    match: Match

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Compare; None when the task has no reference.

        Raises:
            InputError: the reference is not of the form that this scorer compares.
        """
        if task.reference is None:
            return None
        if attempt.answer is None:
            return missing("reference")
        try:
            right = self.match(attempt.answer, task.reference)
        except ValueError:
            # The reason would quote the reference.
            raise InputError(f"the reference of task {task.id} cannot be compared by the {self.name} scorer") from None
        return Feedback(reward=float(right), text=verdict(attempt.answer, right), source="reference")


def exact_match(answer: str, reference: str) -> bool:
    """Equal but for white space at both ends."""
    return answer.strip() == reference.strip()


def verdict(answer: str, right: bool) -> str:
    """What is said about an answer."""
    return f"The answer {shown(answer)!r} is {'right' if right else 'wrong'}."


def shown(answer: str) -> str:
    """As much of an answer as is repeated."""
    return answer if len(answer) <= _SHOWN else answer[:_SHOWN] + "…"


def missing(source: str) -> Feedback:
    """The feedback on an attempt without an answer."""
    return Feedback(reward=0.0, text="No answer was given.", source=source)  # type: ignore[arg-type]
