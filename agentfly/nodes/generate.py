"""Generate: one attempt at the task, with what was recalled in view."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import replace

from agentfly.events import AttemptFinished, Notice
from agentfly.nodes import diagnosis
from agentfly.nodes.checking import examiner
from agentfly.nodes.journal import Kept, Unkept, opened
from agentfly.nodes.permission import Permissions, Waiting, permissions_of, settle, undecided, want
from agentfly.nodes.recall import cases_for
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.telling import Teller
from agentfly.nodes.workspace import prepare
from agentfly.protocols import Brief
from agentfly.types import Attempt, Recalled

UNCONFINED = "unsafe"
"""The tier of a worker that nothing confines."""
_SAMPLES = 1000  # further than the numbers of attempts go, so that no seed is used twice
_UNSAFE = "code of the model ran WITHOUT a sandbox, as --unsafe-code allows where none works; `agentfly doctor` says how to mend that"


async def generate(state: State, parts: Parts, emit: Emit) -> State:
    number = len(state.get("trials", ()))
    seen = state.get("reflection") if state.get("reflections") else None
    told = diagnosis.lesson(seen) if seen else ""
    explore = number > 0 and not told
    if explore and parts.settings.explore_cases:
        state = State(**{**state, "recalled": await _other_cases(state, parts, number)})
    attempt = await attempt_task(state, parts, emit, number=number, explore=explore, lesson=told)
    emit(AttemptFinished(attempt=attempt, retry=number > 0))
    return {"attempt": attempt, "usage": attempt.usage}


async def _other_cases(state: State, parts: Parts, number: int) -> tuple[Recalled, ...]:
    """Cases that no attempt of the run has seen; the same as at first where there are none."""
    seen = {case for trial in state.get("trials", ()) for case in trial.attempt.shown_cases}
    others = await cases_for(state["task"].question, state, parts, number=number, seen=seen) if seen else ()
    return others or state.get("recalled", ())


async def attempt_task(
    state: State, parts: Parts, emit: Emit, *, number: int, explore: bool, lesson: str = "", sample: int | None = None
) -> Attempt:
    """Make attempt `number` of a run; an exploring one samples at a higher temperature.

    Where the run is kept, the attempt is journaled: begun again, it comes to where it was without paying for it twice.

    Args:
        state: of the run.
        parts: what the nodes work with.
        emit: takes events.
        number: counts the run's attempts from 0.
        explore: whether to sample.
        lesson: what the reflector made of the last attempt, see `Brief.lesson`.
        sample: makes it the further attempt of that number, from 0, whose answer is asked for when attempt `number` is judged.
    """
    settings = parts.settings
    name = str(number) if sample is None else sample_name(number, sample)
    temperature = settings.explore_temperature if explore else settings.temperature or 0.0
    task = state["task"].without_reference()
    brief = Brief(
        task=task,
        workspace=parts.workspaces,
        cases=state.get("recalled", ()),
        bullets=state.get("bullets", ()),
        playbook=state.get("playbook", ""),
        recall=lambda text: cases_for(text, state, parts),
        lesson=lesson,
        limits=settings.limits.record(),
        temperature=temperature if sample is None else settings.judging.temperature,
        seed=None if settings.seed is None else settings.seed + number + (0 if sample is None else _SAMPLES + sample),
    )
    attempt = await (_kept if is_kept(state, parts) else _unkept)(brief, state, parts, emit, name)
    if attempt.sandbox == UNCONFINED:
        emit(Notice(text=_UNSAFE, level="warning"))
    return replace(
        attempt,
        checks=tuple(bullet.id for bullet in state.get("checks", ())),
        left_out=state.get("left_out", ()),
        leave_out=settings.playbook.leave_out if state.get("learn") else 0.0,
    )


def sample_name(number: int, sample: int) -> str:
    """What a further attempt is called that is made to judge attempt `number`."""
    return f"{number}.{sample}"


def is_kept(state: State, parts: Parts) -> bool:
    """Whether attempts of a run are journaled."""
    return bool(state.get("kept")) and parts.notes is not None and parts.interrupt is not None


async def _unkept(brief: Brief, state: State, parts: Parts, emit: Emit, name: str) -> Attempt:
    permissions = Permissions(mode=state.get("approve", parts.settings.approve))
    return await _attempt(replace(brief, journal=Unkept(permissions)), state, parts, emit, name)


async def _kept(brief: Brief, state: State, parts: Parts, emit: Emit, name: str) -> Attempt:
    """The attempt; LangGraph's interrupt leaves from here while a call waits for a person."""
    notes, interrupt, run_id = parts.notes, parts.interrupt, state["run_id"]
    assert notes is not None
    assert interrupt is not None
    seen, mode = _seen(brief, parts), state.get("approve", parts.settings.approve)

    def begun() -> tuple[Permissions, Kept] | None:
        if undecided(notes, run_id):
            return None
        known = permissions_of(notes, run_id, mode)
        return known, opened(notes, run_id, name, seen, known)

    while True:
        # On the way back from a person, before anything is done again.
        while (open_ := await asyncio.to_thread(begun)) is None:
            await settle(notes, run_id, interrupt)
        permissions, journal = open_
        tell = Teller(emit, parts.told.setdefault((run_id, name), Counter()), journal)
        try:
            return await _attempt(replace(brief, journal=journal), state, parts, tell, name)
        except Waiting:  # by now nothing of the attempt runs any more
            await want(notes, run_id, permissions.wanted)


async def _attempt(brief: Brief, state: State, parts: Parts, emit: Emit, name: str) -> Attempt:
    async with examiner(state.get("checks", ()), brief.task, parts) as examine:
        workspace = prepare(parts.workspaces, state["run_id"], name, brief.task)
        return await parts.generator.attempt(replace(brief, workspace=workspace, examine=examine), emit)


def _seen(brief: Brief, parts: Parts) -> str:
    """A hash of what the generator sees of its task."""
    cases = [(one.case.id, one.case.solution, one.case.lesson) for one in brief.cases]
    files = list(brief.task.file_names)
    told = (parts.generator.name, brief.task.question, files, brief.playbook, cases, brief.lesson)
    sampled = (brief.temperature, brief.seed)
    return hashlib.sha256(repr((*told, *sampled)).encode(errors="surrogatepass")).hexdigest()[:24]
