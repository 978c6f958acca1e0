"""Evaluate: execution feedback on the latest attempt, of the kind that `Settings.feedback` lets a run learn from.

A judge that fails says nothing about the attempt. Then there is no feedback: no failure is remembered, and no credit
moves.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace

from agentfly.errors import UserError
from agentfly.events import AttemptFinished, Evaluated
from agentfly.nodes.hearing import hearing
from agentfly.nodes.repairing import repaired
from agentfly.nodes.state import Emit, Parts, State
from agentfly.protocols import UNKNOWN, Trial
from agentfly.types import Attempt, Feedback, Usage

_log = logging.getLogger("agentfly.nodes")


async def evaluate(state: State, parts: Parts, emit: Emit) -> State:
    attempt = state["attempt"]
    trials = state.get("trials", ())
    spent = list[Usage]()
    learning = bool(state.get("learn"))
    feedback = await verdict(state, parts, attempt, number=len(trials), learning=learning, spent=spent)
    emit(Evaluated(feedback=feedback))
    usage = sum(spent, Usage())
    if feedback is None:
        return {"judged": False, "usage": usage}
    if feedback.source == "reference" and state.get("learn"):
        attempt = await reconsidered(state, parts, attempt, number=len(trials))
    trial = Trial(attempt=attempt, feedback=feedback)
    trials = (*trials, trial)
    known = State(**{**state, "trials": trials})

    async def judge(other: Attempt) -> Feedback | None:
        return await verdict(known, parts, other, number=len(trials))

    again = None if feedback.success else await repaired(known, parts, trial, judge)
    if again is not None:
        emit(AttemptFinished(attempt=again.attempt, retry=True))
        emit(Evaluated(feedback=again.feedback))
        trials = (*trials, again)
    return {"judged": True, "trials": trials, "usage": usage}


async def reconsidered(state: State, parts: Parts, attempt: Attempt, *, number: int) -> Attempt:
    """The attempt with what its questioned answers would have earned: whether the checks were right to ask.

    Against a reference that costs nothing. Other judges are not asked about answers that nobody gave.
    """
    judged = []
    for questioned in attempt.questioned:
        feedback = await verdict(state, parts, replace(attempt, answer=questioned.answer), number=number)
        judged.append(replace(questioned, reward=feedback.reward if feedback else None))
    return replace(attempt, questioned=tuple(judged)) if judged else attempt


async def verdict(
    state: State,
    parts: Parts,
    attempt: Attempt,
    *,
    number: int,
    learning: bool = True,
    spent: list[Usage] | None = None,
) -> Feedback | None:
    """The feedback on attempt `number` of a run that may be learned from; None where nobody could judge it.

    Nothing is asked about an attempt that a failing provider cut short, nor of anybody under ``feedback: none``. Under
    ``environment`` the execution speaks where the judge says nothing.

    Args:
        state: of the run.
        parts: what the nodes work with.
        attempt: to be judged.
        number: of the attempt.
        learning: whether something rests on the verdict; False where it is for the result alone.
        spent: takes what judging costs, one item for each call of a model or further attempt.

    Raises:
        UserError: the person must mend something, such as a reference that cannot be compared.
    """
    if attempt.status == "error":
        return None
    mode = parts.settings.feedback
    if mode == "none":
        return UNKNOWN
    spend = (lambda usage: None) if spent is None else spent.append
    before = hearing(state, parts, attempt, number=number, learning=learning, spend=spend)
    feedback = await heard(parts.judge(before), state["run_id"])
    if mode != "environment":
        return feedback
    if feedback is None:
        return of_execution(attempt)
    # A scorer that compares says so even where it had nothing to compare with: an attempt without an answer.
    return replace(feedback, source="environment") if feedback.source == "reference" else feedback


async def heard(judging: Awaitable[Feedback | None], run_id: str) -> Feedback | None:
    """What a judge says; None where it has nothing to go by, raised, or returned something else. The log says which.

    Raises:
        UserError: the person must mend something.
    """
    try:
        feedback = await judging
    except UserError:
        raise
    except Exception:  # noqa: BLE001  whatever a scorer raises; reported with its traceback
        _log.exception("the judge of run %s failed; the attempt has no feedback", run_id)
        return None
    if feedback is not None and not isinstance(feedback, Feedback):
        _log.error("the judge of run %s returned %r instead of a Feedback; it is not used", run_id, feedback)
        return None
    return feedback


def of_execution(attempt: Attempt) -> Feedback:
    """What the execution itself says of an attempt: whether it came to an answer without stumbling at the end."""
    problem = ""
    if attempt.status == "limit":
        problem = f"It hit the limit of {attempt.reason}."
    elif attempt.answer is None:
        problem = "No answer was given."
    elif attempt.steps and attempt.steps[-1].error:
        problem = "The last step failed."
    if problem:
        return Feedback(reward=0.0, text=problem, source="environment")
    return Feedback(reward=0.5, text="There is an answer; nobody checked it.", source="environment")
