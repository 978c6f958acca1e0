"""Recall: past cases and the playbook, chosen for this task."""

from __future__ import annotations

import asyncio

from agentfly.events import CasesRecalled
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import chosen
from agentfly.types import Bullet


async def recall(state: State, parts: Parts, emit: Emit) -> State:
    task, settings = state["task"], parts.settings.recall
    # Embedding the question takes some milliseconds of CPU: off the event loop, for those who run many tasks at once.
    recalled = await asyncio.to_thread(
        parts.memory.recall,
        task.question,
        settings.k,
        exclude_task=task.id if state.get("exclude_self") else None,
        floor=settings.floor,
        failures=settings.failures,
        tokens=settings.tokens,
        candidates=settings.candidates,
    )
    if state.get("learn"):
        parts.memory.record_shown(state["run_id"], task.id, task.question, recalled)
    text, bullets = shown_bullets(parts.playbook.current(), parts.settings.playbook.tokens)
    emit(CasesRecalled(cases=tuple(recalled), bullets=tuple(bullet.id for bullet in bullets)))
    return {"recalled": tuple(recalled), "bullets": bullets, "playbook": text}


def shown_bullets(playbook: Playbook, budget: int) -> tuple[str, tuple[Bullet, ...]]:
    """The playbook as text of at most `budget` tokens, and the bullets that stand in it."""
    return playbook.render(budget=budget), chosen(playbook, budget)
