"""The answer of an attempt: what it gave, and where that follows the official template, what stands behind ``FINAL ANSWER:``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agentfly.bench.predictions import final_answer
from agentfly.protocols import Scorer
from agentfly.types import Attempt, Feedback, Task


def given_answer(answer: str | None) -> str | None:
    """The answer as it counts.

    Args:
        answer: as the strategy gave it; None where there is none. One that ends in the template with nothing behind it stays as
            it is: wrong, and visible.
    """
    found = None if answer is None else final_answer(answer)
    return answer if found is None else found


@dataclass(frozen=True, slots=True)
class TemplateScorer:
    """Judges the answer behind the template by another scorer; official scorers take nothing out of an answer themselves.

    Args:
        scorer: that judges.
    """

    scorer: Scorer

    @property
    def name(self) -> str:
        return self.scorer.name

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """As `Scorer.score`."""
        return await self.scorer.score(task, replace(attempt, answer=given_answer(attempt.answer)), workspace)
