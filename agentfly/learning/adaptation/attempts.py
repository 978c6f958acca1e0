"""Working on samples: many at once, each begun once and gone on with where a process was killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

from agentfly.composition import Composition
from agentfly.driving import Drive
from agentfly.errors import InputError, UserError
from agentfly.nodes.state import Emit, State
from agentfly.store.adaptations import Sample, Verdict
from agentfly.store.runs import INTERRUPTED, RUNNING, RunRecord
from agentfly.types import Attempt, RunResult, Task, Usage

T = TypeVar("T")
OPEN = frozenset({INTERRUPTED, RUNNING, "error"})
"""Statuses of a run that has no result yet."""


class Attempts:
    """Makes the attempts of an adaptation.

    Args:
        made: the agent's parts.
        emit: takes events.
    """

    def __init__(self, made: Composition, emit: Emit) -> None:
        self.made, self.drive, self._emit = made, Drive(made), emit
        self._begun: dict[str, float] = {}

    async def frozen(self, run_id: str, task: Task, draw: str) -> RunResult:
        """Answer a task without learning anything, and without the cases of this very task."""
        known = self._known(run_id)
        if known is not None and known.status not in OPEN:
            return _recorded(known, task)
        state = await self._reached(run_id, task, known, draw, learn=False)
        result = await self.drive.result(task, state)
        self.drive.write(state, result)
        await self.drive.clear(run_id)
        return result

    async def learning(self, run_id: str, task: Task, draw: str) -> State | None:
        """Work on a task up to the reflection; None where it is learned from already."""
        known = self._known(run_id)
        if known is not None and known.status not in OPEN:
            return None
        return await self._reached(run_id, task, known, draw, learn=True)

    def seconds(self, run_id: str) -> float:
        """How long a run has been worked on here."""
        return monotonic() - self._begun.pop(run_id, monotonic())

    def _known(self, run_id: str) -> RunRecord | None:
        try:
            record = self.made.runs.show(run_id)
        except InputError:
            return None
        return record if record.id == run_id else None

    async def _reached(self, run_id: str, task: Task, known: RunRecord | None, draw: str, *, learn: bool) -> State:
        made = self.made
        self._begun[run_id] = monotonic()
        first: State | None = {
            "run_id": run_id,
            "task": task.without_reference(),
            "learn": learn,
            "kept": True,
            "windowed": True,
            "approve": "never" if made.settings.approve == "ask" else made.settings.approve,
            "exclude_self": True,
            "draw": draw,
            "usage": Usage(),
        }
        if known is None:
            made.runs.start(run_id, task, made.model_choice[0], made.strategy, made.settings, learn=learn)
        else:
            made.runs.reopen(run_id)
            if await self.drive.state(run_id):
                first = None
        try:
            return await self.drive.reach(run_id, task, first, self._emit)
        except UserError as error:  # such as a reference that cannot be compared: this task's own affair
            state = await self.drive.state(run_id)
            made.runs.reopen(run_id)
            told = Attempt(task_id=task.id, status="error", reason=str(error))
            start = first or State(run_id=run_id, task=task.without_reference(), usage=Usage())
            return State(**{**start, **state, "attempt": state.get("attempt", told), "trials": ()})


def as_sample(result: RunResult, state: State | None, **place: object) -> Sample:
    """What a run came to, for the record of the adaptation.

    Args:
        result: of the run.
        state: with all that was tried; None where only the answer is known.
        place: phase, epoch, place and seconds.
    """
    trials = state.get("trials", ()) if state else ()
    return Sample(
        task_id=result.task.id,
        run_id=result.run_id,
        level=result.task.level,
        verdict=verdict_on(result),
        reward=result.reward,
        source=result.feedback.source if result.feedback else "",
        answer=result.answer,
        usage=result.usage,
        attempts=max(1, len(trials)),
        solved=any(trial.feedback.success for trial in trials),
        cases=result.learned.cases,
        kept=result.learned.accepted,
        **place,  # type: ignore[arg-type]
    )


def verdict_on(result: RunResult) -> Verdict:
    """How a sample ended. A limit that was hit with a right answer at hand is a right answer."""
    if result.reward is not None and result.reward >= 0.5:
        return "correct"
    if result.status in ("limit", "error", "no_answer"):
        return result.status
    return "unjudged" if result.reward is None else "wrong"


def _recorded(record: RunRecord, task: Task) -> RunResult:
    """The result of a run that was finished before the process was killed."""
    attempt = record.attempts[0] if record.attempts else Attempt(task_id=task.id)
    return RunResult(
        run_id=record.id,
        status=attempt.status,
        answer=record.answer,
        reward=record.reward,
        steps=len(attempt.steps),
        usage=record.usage,
        recalled=record.shown_cases,
        bullets=record.shown_bullets,
        learned=record.learned,
        task=task,
        attempt=attempt,
        feedback=record.feedback,
    )


async def side_by_side(work: Iterable[Callable[[], Awaitable[T]]], most: int, done: Callable[[T], None]) -> list[T]:
    """Do some work, so much at once; the first that fails ends the others.

    Args:
        work: what to do; begun in this order.
        most: at once.
        done: called with each result as it comes.

    Returns:
        The results in the order of the work.
    """
    gate, results = asyncio.Semaphore(most), dict[int, T]()

    async def one(number: int, start: Callable[[], Awaitable[T]]) -> None:
        async with gate:
            results[number] = await start()
            done(results[number])

    try:
        async with asyncio.TaskGroup() as group:
            for number, start in enumerate(work):
                group.create_task(one(number, start))
    except BaseExceptionGroup as failed:  # one reason is enough, and says more than a group of them
        raise failed.exceptions[0] from None
    return [results[number] for number in sorted(results)]
