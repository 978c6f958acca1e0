"""Recall: past cases and the playbook, chosen for this task."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol, runtime_checkable

from agentfly.events import CasesRecalled
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import with_bullets
from agentfly.types import Bullet, Recalled


@runtime_checkable
class Relevance(Protocol):
    """A playbook's ledger that knows which bullets bear on a text."""

    def relevant(self, text: str) -> Mapping[str, float]: ...


async def recall(state: State, parts: Parts, emit: Emit) -> State:
    recalled = await cases_for(state["task"].question, state, parts)
    text, bullets = await _playbook_for(state["task"].question, parts)
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


async def _playbook_for(question: str, parts: Parts) -> tuple[str, tuple[Bullet, ...]]:
    """The playbook as text, and the bullets in it: whole where it fits, else what bears on the question."""
    book, budget = parts.playbook.current(), parts.settings.playbook.in_prompt
    near = None
    if book.tokens > budget and isinstance(parts.playbook, Relevance):
        near = await asyncio.to_thread(parts.playbook.relevant, question)
    return shown_bullets(book, budget, near)


def shown_bullets(
    playbook: Playbook, budget: int, similarities: Mapping[str, float] | None = None, first: Collection[str] = ()
) -> tuple[str, tuple[Bullet, ...]]:
    """The playbook as text of at most `budget` tokens, and the bullets that stand in it; see `playbooks.render`."""
    return with_bullets(playbook, budget, similarities=similarities, first=first)
