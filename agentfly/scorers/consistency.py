"""Self-consistency: whether an answer is the one that most further attempts come to."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from agentfly.errors import ConfigError
from agentfly.protocols import Hearing, Sample
from agentfly.scorers.agreement import majority, same_answer
from agentfly.scorers.reference import missing
from agentfly.types import Attempt, Feedback, Task

_log = logging.getLogger("agentfly.scorers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyScorer:
    """Samples further attempts at the same task: 1 for the answer that most of them come to, 0 for any other.

    The answer that is judged has no vote. Attempts that come to no answer vote for none. Where fewer than `agreement` of all
    agree, or two answers have as many votes, there is no verdict, and the log ``agentfly.scorers`` says so. The share that agrees is
    the feedback's confidence.

    It says how sure the agent is, not whether it is right: a mistake that it makes every time agrees with itself.

    Source: self-consistency (Wang et al., arXiv 2203.11171).

    Args:
        samples: how many further attempts.
        agreement: least share of them that must agree, in (0, 1].
        at_once: how many are made side by side.
        sample: makes them; None where only a run can, see `at`.
    """

    name: ClassVar[str] = "consistency"
    samples: int = 5
    agreement: float = 0.5
    at_once: int = 2
    sample: Sample | None = None

    def at(self, hearing: Hearing) -> ConsistencyScorer:
        """As `AskingScorer.at`; further attempts that were given as an argument stay in force."""
        return self if self.sample is not None else replace(self, sample=hearing.sample)

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Sample and compare; None where the samples do not agree.

        Raises:
            ConfigError: there is nothing that makes further attempts.
        """
        if self.sample is None:
            raise ConfigError("the consistency scorer makes further attempts, which only an agent's run can")
        if attempt.answer is None:
            return missing("consistency")
        answers = [answer for answer in await self._sampled(self.sample) if answer is not None and answer.strip()]
        found = majority(answers)
        share = found.size / self.samples if found else 0.0
        if found is None or found.tied or share < self.agreement:
            _log.warning("%d further attempts at task %s do not agree enough for a verdict", self.samples, task.id)
            return None
        agrees = same_answer(attempt.answer, found.answer)
        text = f"{found.size} of {self.samples} further attempts came to one answer, and it is {'' if agrees else 'not '}this one."
        return Feedback(reward=float(agrees), text=text, source="consistency", confidence=share)

    async def _sampled(self, sample: Sample) -> list[str | None]:
        gate = asyncio.Semaphore(self.at_once)

        async def one(number: int) -> str | None:
            async with gate:
                return await sample(number)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number)) for number in range(self.samples)]
        except BaseExceptionGroup as failed:  # one reason is enough
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]
