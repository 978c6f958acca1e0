"""Evaluate: execution feedback on the latest attempt."""

from __future__ import annotations

from agentfly.events import Evaluated
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.workspace import location
from agentfly.protocols import Trial


async def evaluate(state: State, parts: Parts, emit: Emit) -> State:
    attempt = state["attempt"]
    trials = state.get("trials", ())
    workspace = location(parts.workspaces, state["run_id"], len(trials))
    feedback = await parts.judge(state["run_id"], state["task"], attempt, workspace)
    emit(Evaluated(feedback=feedback))
    return {"trials": (*trials, Trial(attempt=attempt, feedback=feedback))} if feedback else {}
