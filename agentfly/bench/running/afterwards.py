"""What is found out about an attempt once it is over: what its first answer would have earned, and what a critic gives its last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agentfly.bench.results import Result
from agentfly.bench.running.answering import TemplateScorer
from agentfly.nodes.hearing import Counted
from agentfly.protocols import AskingScorer, Model, Scorer
from agentfly.scorers.judge import JudgeScorer
from agentfly.types import Attempt, Task, Usage


async def criticised(result: Result, task: Task, attempt: Attempt, critic: Model) -> Result:
    """The result with what a critic gives its answer, and what that cost.

    The critic has no reference. Where there is no answer or the critic gives no usable score, there is none.

    Args:
        result: of the attempt.
        task: with or without its reference.
        attempt: that gave the answer.
        critic: who is asked.
    """
    if result.answer is None:
        return result
    spent = [result.usage]
    judge = JudgeScorer(Counted(critic, spent.append))
    said = await judge.score(task.without_reference(), replace(attempt, answer=result.answer), Path())
    return replace(result, critique=None if said is None else said.reward, usage=sum(spent, Usage()))


async def with_rounds(result: Result, task: Task, attempt: Attempt, scorer: Scorer | None) -> Result:
    """The result with what the first answer would have earned, where a check asked for another look at it.

    Args:
        result: of the attempt.
        task: with its reference.
        attempt: whose questioned answers are the rounds.
        scorer: compares with the reference, which costs nothing; None, or one that would ask somebody, is not used.
    """
    if not attempt.questioned or scorer is None or isinstance(scorer, AskingScorer):
        return result
    if task.reference is None or result.reward is None:
        return result
    first = replace(attempt, answer=attempt.questioned[0].answer)
    feedback = await TemplateScorer(scorer).score(task, first, Path())
    if feedback is None:
        return result
    rounds = 1 + len(attempt.questioned)
    return replace(result, rounds=rounds, first_reward=feedback.reward, last_reward=result.reward)
