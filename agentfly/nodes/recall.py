"""Recall: past cases and the playbook, chosen for this task."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, runtime_checkable

from agentfly.config import Settings
from agentfly.events import CasesRecalled
from agentfly.nodes.checking import checks_of
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.changes import Change
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import with_bullets
from agentfly.types import Bullet, Recalled


@runtime_checkable
class Relevance(Protocol):
    """A playbook's ledger that knows which bullets bear on a text."""

    def relevant(self, text: str) -> Mapping[str, float]: ...


async def recall(state: State, parts: Parts, emit: Emit) -> State:
    recalled = await cases_for(state["task"].question, state, parts)
    book = parts.playbook.current()
    text, bullets = await shown_to(state["task"].question, book, parts)
    left_out = left_out_of((*bullets, *book.checks), book.version, state, parts.settings)
    if left_out:
        text, bullets = await shown_to(state["task"].question, book, parts, left_out=left_out)
    emit(CasesRecalled(cases=recalled, bullets=tuple(bullet.id for bullet in bullets)))
    return {
        "recalled": recalled,
        "bullets": bullets,
        "playbook": text,
        "checks": checks_of(book, left_out),
        "left_out": left_out,
    }


def left_out_of(bullets: Iterable[Bullet], version: int, state: State, settings: Settings) -> tuple[str, ...]:
    """Of the bullets that a run would use, the ids of those to leave out, so that what they are worth shows.

    Each with the same small probability, except what a person wrote or brought along, which no run is the source of. Only
    while learning: evaluation is complete. A run that resumes leaves out the same, and so does one that is repeated with a
    seed on the same playbook.
    """
    share = settings.playbook.leave_out
    if not share or not state.get("learn"):
        return ()
    seed = state["run_id"] if settings.seed is None else f"{settings.seed} {version} {state['task'].id}"
    rng = random.Random(seed)  # noqa: S311  no secret
    return tuple(bullet.id for bullet in bullets if bullet.runs and rng.random() < share)


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


async def shown_to(
    question: str,
    playbook: Playbook,
    parts: Parts,
    *,
    trying: Collection[str] = (),
    left_out: Collection[str] = (),
) -> tuple[str, tuple[Bullet, ...]]:
    """What a generator sees of a playbook, as text and as bullets: all of it where it fits, else what bears on its task.

    Args:
        question: of its task.
        playbook: any version.
        parts: what the nodes work with.
        trying: ids of bullets that must be seen, because they are on trial.
        left_out: ids of bullets that must not be.
    """
    if left_out:
        gone = (Change(before=playbook.get(key), after=None, position=0) for key in left_out if key in playbook)
        playbook = playbook.with_changes(gone, playbook.version)
    budget, near = parts.settings.playbook.in_prompt, None
    if playbook.tokens > budget and isinstance(parts.playbook, Relevance):
        near = await asyncio.to_thread(parts.playbook.relevant, question)
    return with_bullets(playbook, budget, similarities=near, first=trying)
