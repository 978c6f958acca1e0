"""Recall: past cases and the playbook, chosen for this task."""

from __future__ import annotations

import asyncio

from agentfly.events import CasesRecalled
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import chosen
from agentfly.types import Bullet, Recalled


async def recall(state: State, parts: Parts, emit: Emit) -> State:
    recalled = await cases_for(state["task"].question, state, parts)
    text, bullets = shown_bullets(parts.playbook.current(), parts.settings.playbook.tokens)
    emit(CasesRecalled(cases=recalled, bullets=tuple(bullet.id for bullet in bullets)))
    return {"recalled": recalled, "bullets": bullets, "playbook": text}


async def cases_for(text: str, state: State, parts: Parts) -> tuple[Recalled, ...]:
    """The cases to show for a task or one of its subtasks, recorded where the run is to be learned from.

    Choice is soft while learning, so that a policy comes to know more than its favourites, and greedy in evaluation.
    """
    # Embedding takes some milliseconds of CPU: off the event loop, for those who run many tasks at once.
    return await asyncio.to_thread(_recollect, text, state, parts)


def _recollect(text: str, state: State, parts: Parts) -> tuple[Recalled, ...]:
    settings, learn, task = parts.settings.recall, bool(state.get("learn")), state["task"]
    found = parts.memory.recollect(
        text,
        settings.k,
        exclude_task=task.id if state.get("exclude_self") else None,
        candidates=settings.candidates,
        floor=settings.floor,
        failures=settings.failures,
        tokens=settings.tokens,
        diversity=settings.diversity,
        temperature=parts.temperature if learn else 0.0,
        seed=parts.settings.seed,
    )
    if learn:
        parts.memory.record_shown(state["run_id"], task.id, found)
    return found.shown


def shown_bullets(playbook: Playbook, budget: int) -> tuple[str, tuple[Bullet, ...]]:
    """The playbook as text of at most `budget` tokens, and the bullets that stand in it."""
    return playbook.render(budget=budget), chosen(playbook, budget)
