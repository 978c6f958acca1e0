"""Evaluate: execution feedback on the latest attempt.

A judge that fails says nothing about the attempt. Then there is no feedback: no failure is remembered, and no credit
moves.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from agentfly.errors import UserError
from agentfly.events import Evaluated
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.workspace import location
from agentfly.protocols import Trial
from agentfly.types import Attempt, Feedback

_log = logging.getLogger("agentfly.nodes")


async def evaluate(state: State, parts: Parts, emit: Emit) -> State:
    attempt = state["attempt"]
    trials = state.get("trials", ())
    feedback = await verdict(state, parts, attempt, number=len(trials))
    emit(Evaluated(feedback=feedback))
    if feedback and feedback.source == "reference" and state.get("learn"):
        attempt = await reconsidered(state, parts, attempt, number=len(trials))
    return {"trials": (*trials, Trial(attempt=attempt, feedback=feedback))} if feedback else {}


async def reconsidered(state: State, parts: Parts, attempt: Attempt, *, number: int) -> Attempt:
    """The attempt with what its questioned answers would have earned: whether the checks were right to ask.

    Against a reference that costs nothing. Other judges are not asked about answers that nobody gave.
    """
    judged = []
    for questioned in attempt.questioned:
        feedback = await verdict(state, parts, replace(attempt, answer=questioned.answer), number=number)
        judged.append(replace(questioned, reward=feedback.reward if feedback else None))
    return replace(attempt, questioned=tuple(judged)) if judged else attempt


async def verdict(state: State, parts: Parts, attempt: Attempt, *, number: int) -> Feedback | None:
    """The feedback on attempt `number` of a run; None where nobody could judge it.

    Nothing is asked about an attempt that a failing provider cut short. A judge that raises, does not answer in time, or
    whose reply cannot be read, gave no feedback; the reason goes to the log.

    Raises:
        UserError: the person must mend something, such as a reference that cannot be compared.
    """
    if attempt.status == "error":
        return None
    workspace = location(parts.workspaces, state["run_id"], number)
    try:
        feedback = await parts.judge(state["run_id"], state["task"], attempt, workspace)
    except UserError:
        raise
    except Exception:  # noqa: BLE001  whatever a scorer raises; reported with its traceback
        _log.exception("the judge of run %s failed; the attempt has no feedback", state["run_id"])
        return None
    if feedback is not None and not isinstance(feedback, Feedback):
        _log.error("the judge of run %s returned %r instead of a Feedback; it is not used", state["run_id"], feedback)
        return None
    return feedback
