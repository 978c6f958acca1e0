"""Generate: one attempt at the task, with what was recalled in view."""

from __future__ import annotations

from dataclasses import replace

from agentfly.events import AttemptFinished
from agentfly.nodes.checking import examiner
from agentfly.nodes.recall import cases_for
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.workspace import prepare
from agentfly.protocols import Brief
from agentfly.types import Attempt


async def generate(state: State, parts: Parts, emit: Emit) -> State:
    number = len(state.get("trials", ()))
    attempt = await attempt_task(state, parts, emit, number=number, explore=number > 0)
    emit(AttemptFinished(attempt=attempt, retry=number > 0))
    return {"attempt": attempt, "usage": attempt.usage}


async def attempt_task(state: State, parts: Parts, emit: Emit, *, number: int, explore: bool) -> Attempt:
    """Make attempt `number` of a run; an exploring one samples at a higher temperature."""
    settings = parts.settings
    task = state["task"].without_reference()
    async with examiner(state.get("checks", ()), task, parts) as examine:
        brief = Brief(
            task=task,
            workspace=prepare(parts.workspaces, state["run_id"], number, task),
            cases=state.get("recalled", ()),
            bullets=state.get("bullets", ()),
            playbook=state.get("playbook", ""),
            recall=lambda text: cases_for(text, state, parts),
            examine=examine,
            limits=settings.limits.record(),
            temperature=settings.explore_temperature if explore else settings.temperature or 0.0,
            seed=None if settings.seed is None else settings.seed + number,
        )
        attempt = await parts.generator.attempt(brief, emit)
    return replace(attempt, left_out=state.get("left_out", ()))
