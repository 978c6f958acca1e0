"""What an attempt came to, as it goes on record: the result line and the full record. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentfly.bench.estimators import continuous_scores
from agentfly.bench.results import Result
from agentfly.bench.running.answering import given_answer
from agentfly.learning.adaptation.attempts import says_nothing
from agentfly.protocols import Trial
from agentfly.records import to_data
from agentfly.store.adaptations import Verdict
from agentfly.types import Attempt, Feedback, RunResult, Task, Usage


def as_result(
    result: RunResult, *, attempt: int, started: float, seconds: float, trials: Sequence[Trial] = (), rounds: int = 1
) -> Result:
    """The result of a run.

    Args:
        result: with the feedback that counts.
        attempt: its number.
        started: seconds since the epoch.
        seconds: how long it took.
        trials: all that was tried in it, the answer first; empty where that is all.
        rounds: most rounds of reflection, the first answer included, which come before any other trial.
    """
    made, answer = result.attempt, given_answer(result.answer)
    verdict = verdict_on(made, answer, result.feedback)
    turns = [trial.feedback.reward for trial in trials[:rounds]] if rounds > 1 else []
    reference = result.task.reference
    return Result(
        task_id=result.task.id,
        attempt=attempt,
        verdict=verdict,
        level=result.task.level,
        answer=answer,
        reward=_reward(result.feedback),
        source=result.feedback.source if result.feedback else "",
        scores={} if reference is None or verdict == "error" else continuous_scores(answer, reference),
        rounds=max(1, len(turns)),
        first_reward=turns[0] if len(turns) > 1 else None,
        last_reward=turns[-1] if len(turns) > 1 else None,
        run_id=result.run_id,
        usage=result.usage,
        seconds=seconds,
        steps=len(made.steps),
        calls=calls_of(made),
        started=started,
        error=made.reason if made.status in ("error", "limit") else "",
    )


def verdict_on(attempt: Attempt, answer: str | None, feedback: Feedback | None) -> Verdict:
    """How an attempt ended. Only a full reward is a right answer, as where predictions are scored; a right answer at hand when a
    limit is hit is right."""
    judged = _reward(feedback)
    if judged == 1.0:
        return "correct"
    if attempt.status in ("limit", "error", "no_answer"):
        return attempt.status
    if answer is None:
        return "no_answer"
    return "unjudged" if judged is None else "wrong"


def failed(task: Task, *, attempt: int, run_id: str, reason: str, started: float, seconds: float = 0.0) -> Result:
    """The result of a try that came to nothing at all."""
    return Result(
        task_id=task.id,
        attempt=attempt,
        verdict="error",
        level=task.level,
        run_id=run_id,
        error=reason,
        started=started,
        seconds=seconds,
        usage=Usage(),
    )


def as_record(
    task: Task, attempt: Attempt, feedback: Feedback | None, further: Sequence[Trial] = (), cached: int = 0
) -> Any:
    """The full record of an attempt as plain data, see `agentfly.bench.running.executing.Done`.

    Args:
        task: with its reference.
        attempt: that gave the answer.
        feedback: on it.
        further: attempts that were made to learn from.
        cached: model calls that the cache answered.
    """
    return {
        "task": {
            "question": task.question,
            "reference": task.reference,
            "level": task.level,
            "files": [file.name for file in task.files],
        },
        **to_data(attempt),
        "feedback": None if feedback is None else to_data(feedback),
        "further": [{"attempt": to_data(one.attempt), "feedback": to_data(one.feedback)} for one in further],
        "cached_calls": cached,
    }


def calls_of(attempt: Attempt) -> dict[str, int]:
    """How often each tool was called, as far as the steps show: each call that the model wrote down. A call in a loop is one."""
    written = "\n".join(step.action for step in attempt.steps)
    return {name: max(1, len(re.findall(rf"\b{re.escape(name)}\b", written))) for name in attempt.tools}


def _reward(feedback: Feedback | None) -> float | None:
    return None if feedback is None or says_nothing(feedback) else feedback.reward
