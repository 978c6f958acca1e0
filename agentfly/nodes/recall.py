"""Recall: past cases and the playbook, chosen for this task."""

from __future__ import annotations

import asyncio
import contextvars
import os
import random
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Protocol, runtime_checkable

from agentfly.config import Settings
from agentfly.events import CasesRecalled
from agentfly.nodes.checking import checks_of
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.changes import Change
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import with_bullets
from agentfly.types import Bullet, Recalled

_AT_ONCE = 32
"""Recalls under way at the same time: those that wait for an embedding are embedded together. The event loop's own pool has fewer."""


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, "recall")


if hasattr(os, "register_at_fork"):  # threads do not come along
    os.register_at_fork(after_in_child=_threads.cache_clear)


@runtime_checkable
class Relevance(Protocol):
    """A playbook's ledger that knows which bullets bear on a text."""

    def relevant(self, text: str) -> Mapping[str, float]: ...


async def recall(state: State, parts: Parts, emit: Emit) -> State:
    recalled = await cases_for(state["task"].question, state, parts)
    book = parts.playbook.current()
    book = without(book, [bullet.id for bullet in book if bullet.kind not in parts.settings.show.kinds])
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
    seeded = f"{settings.seed} {version} {state.get('draw') or state['task'].id}"
    rng = random.Random(state["run_id"] if settings.seed is None else seeded)  # noqa: S311  no secret
    return tuple(bullet.id for bullet in bullets if bullet.runs and rng.random() < share)


async def cases_for(
    text: str, state: State, parts: Parts, *, number: int = 0, seen: Collection[str] = ()
) -> tuple[Recalled, ...]:
    """The cases to show for a task or one of its subtasks, recorded where the run is to be learned from.

    Choice is soft while learning, so that a policy comes to know more than its favourites, and greedy in evaluation.

    Args:
        text: of the task or subtask.
        state: of the run.
        parts: what the nodes work with.
        number: of the attempt that they are for.
        seen: ids of cases that earlier attempts saw, which this one is not shown.
    """
    if not parts.settings.show.cases:
        return ()
    # Embedding takes some milliseconds of CPU: off the event loop, for those who run many tasks at once.
    work = contextvars.copy_context().run
    found = asyncio.get_running_loop().run_in_executor(_threads(), work, _recollect, text, state, parts, number, seen)
    try:
        return await asyncio.shield(found)
    except asyncio.CancelledError:
        await asyncio.wait([found])  # a run that is over records nothing any more
        raise


def showing(run_id: str, number: int) -> str:
    """Under which name the record has what an attempt was shown: a further one has its own, and its own outcome."""
    return run_id if number == 0 else f"{run_id}/{number}"


def _recollect(text: str, state: State, parts: Parts, number: int, seen: Collection[str]) -> tuple[Recalled, ...]:
    settings, learn, task = parts.settings.recall, bool(state.get("learn")), state["task"]
    alone = bool(state.get("exclude_self"))
    found = parts.memory.recollect(
        text,
        settings.k,
        exclude_task=task.id if alone else None,
        exclude_question=task.question if alone else None,
        exclude=seen,
        candidates=settings.candidates,
        floor=settings.floor,
        failures=settings.failures,
        tokens=settings.tokens,
        diversity=settings.diversity,
        temperature=parts.temperature if learn else 0.0,
        seed=parts.settings.seed,
        draw=f"{state['draw']}/{number} {text}" if "draw" in state else None,
    )
    if learn:
        parts.memory.record_shown(showing(state["run_id"], number), task.id, found)
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
    playbook = without(playbook, left_out)
    budget, near = parts.settings.playbook.in_prompt, None
    if playbook.tokens > budget and isinstance(parts.playbook, Relevance):
        near = await asyncio.to_thread(parts.playbook.relevant, question)
    return with_bullets(playbook, budget, similarities=near, first=trying)


def without(playbook: Playbook, ids: Collection[str]) -> Playbook:
    """A playbook as it would be without some of its bullets."""
    if not ids:
        return playbook
    gone = (Change(before=playbook.get(key), after=None, position=0) for key in ids if key in playbook)
    return playbook.with_changes(gone, playbook.version)
