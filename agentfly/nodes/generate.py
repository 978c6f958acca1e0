"""Generate: one attempt at the task, with what was recalled in view."""

from __future__ import annotations

from dataclasses import replace

from agentfly.events import AttemptFinished
from agentfly.nodes import diagnosis
from agentfly.nodes.checking import examiner
from agentfly.nodes.recall import cases_for
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.workspace import prepare
from agentfly.protocols import Brief
from agentfly.types import Attempt


async def generate(state: State, parts: Parts, emit: Emit) -> State:
    number = len(state.get("trials", ()))
    seen = state.get("reflection") if state.get("reflections") else None
    told = diagnosis.lesson(seen) if seen else ""
    attempt = await attempt_task(state, parts, emit, number=number, explore=number > 0 and not told, lesson=told)
    emit(AttemptFinished(attempt=attempt, retry=number > 0))
    return {"attempt": attempt, "usage": attempt.usage}


async def attempt_task(
    state: State, parts: Parts, emit: Emit, *, number: int, explore: bool, lesson: str = ""
) -> Attempt:
    """Make attempt `number` of a run; an exploring one samples at a higher temperature.

    Args:
        state: of the run.
        parts: what the nodes work with.
        emit: takes events.
        number: counts the run's attempts from 0.
        explore: whether to sample.
        lesson: what the reflector made of the last attempt, see `Brief.lesson`.
    """
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
            lesson=lesson,
            limits=settings.limits.record(),
            temperature=settings.explore_temperature if explore else settings.temperature or 0.0,
            seed=None if settings.seed is None else settings.seed + number,
        )
        attempt = await parts.generator.attempt(brief, emit)
    return replace(
        attempt,
        checks=tuple(bullet.id for bullet in state.get("checks", ())),
        left_out=state.get("left_out", ()),
        leave_out=settings.playbook.leave_out if state.get("learn") else 0.0,
    )
