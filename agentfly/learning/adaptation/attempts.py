"""Working on samples: many at once, each begun once and gone on with where a process was killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from agentfly.composition import Composition
from agentfly.driving import Drive
from agentfly.errors import AgentflyError, InputError, UserError
from agentfly.learning.adaptation.breaker import Breaker
from agentfly.nodes.state import Emit, State
from agentfly.store.adaptations import Sample, Verdict
from agentfly.store.runs import RUNNING, RunRecord
from agentfly.types import Attempt, Feedback, RunResult, Task, Usage

T = TypeVar("T")


class Attempts:
    """Makes the attempts of an adaptation.

    Args:
        made: the agent's parts.
        emit: takes events.
        breaker: told how each ends.
    """

    def __init__(self, made: Composition, emit: Emit, breaker: Breaker) -> None:
        self.made, self.drive = made, Drive(made)
        self._emit, self._breaker = emit, breaker
        self._begun: dict[str, float] = {}

    async def frozen(self, run_id: str, task: Task, draw: str) -> tuple[State, RunResult]:
        """Answer a task without learning anything, and without the cases of this very task; the run stays open."""
        state = await self._worked_on(run_id, task, draw, learn=False)
        return state, await self.drive.result(task, state)

    async def learning(self, run_id: str, task: Task, draw: str) -> State:
        """Work on a task up to the reflection; the run stays open."""
        return await self._worked_on(run_id, task, draw, learn=True)

    def seconds(self, run_id: str) -> float:
        """How long a run has been worked on here."""
        return round(monotonic() - self._begun.pop(run_id, monotonic()), 3)

    def closed(self, run_id: str) -> None:
        """The run is on record: what it could have begun again from goes. Best in the transaction that puts it there."""
        self.drive.clear(run_id)

    def interrupted(self, runs: Iterable[str]) -> None:
        """Leave runs that were not closed to whoever goes on."""
        for run_id in runs:
            known = self._known(run_id)
            if known is not None and known.status == RUNNING:
                self.made.runs.fail(run_id, "interrupted")
            self._begun.pop(run_id, None)

    def anew(self, runs: Iterable[str]) -> None:
        """Have runs that were not closed begin again from their first node, whoever goes on."""
        for run_id in runs:
            self.drive.begin_again(run_id)

    def sweep(self, prefix: str, closed: Collection[str]) -> None:
        """Remove what is left of closed runs whose process was killed before it could clear up after them."""
        for run_id in self.drive.leftovers(prefix):
            if run_id in closed:
                self.drive.clear(run_id)

    def _known(self, run_id: str) -> RunRecord | None:
        return self.made.runs.find(run_id)

    async def _worked_on(self, run_id: str, task: Task, draw: str, *, learn: bool) -> State:
        made, self._begun[run_id] = self.made, monotonic()
        first = self._first(run_id, task, draw, learn=learn)
        begin: State | None = first
        if self._known(run_id) is None:
            made.runs.start(run_id, task, made.model_choice[0], made.strategy, made.settings, learn=learn)
        else:
            made.runs.reopen(run_id)
            begin = await self._gone_on_with(run_id, first) if learn else first
        try:
            if learn:
                state = await self.drive.reach(run_id, task, begin, self._emit)
            else:
                state = await self.drive.answer(run_id, task, first, self._emit)
        except AgentflyError as error:
            if isinstance(error, UserError) and not isinstance(error, InputError):
                raise  # no usable model, home or sandbox: no task would fare better
            # This task's own affair, such as a reference that cannot be compared, or a file that is gone.
            state = await self._failed(run_id, first, error)
            self._breaker.saw(run_id, str(error), provider=not isinstance(error, InputError))
            return state
        attempt = state["trials"][0].attempt if state.get("trials") else state["attempt"]
        self._breaker.saw(run_id, attempt.reason if attempt.status == "error" else None)
        return state

    async def _gone_on_with(self, run_id: str, first: State) -> State | None:
        """Where a run that was begun goes on: None is where it was."""
        state = await self.drive.state(run_id)
        failed = "attempt" in state and state["attempt"].status == "error" and not state.get("trials")
        if failed or "task" not in state:
            # Its provider failed: it is tried again, but for the replies that are in the journal. Or it was cut off as it began.
            self.drive.begin_again(run_id)
            return first
        await self.drive.take_back(run_id)
        return None

    async def _failed(self, run_id: str, first: State, error: AgentflyError) -> State:
        """The state of a run that ended in an error of its task."""
        state = await self.drive.state(run_id)
        self.made.runs.reopen(run_id)
        told = state.get("attempt", Attempt(task_id=first["task"].id))
        told = replace(told, status="error", reason=str(error))
        return State(**{**first, **state, "attempt": told, "trials": ()})

    def _first(self, run_id: str, task: Task, draw: str, *, learn: bool) -> State:
        approve = self.made.settings.approve
        return {
            "run_id": run_id,
            "task": task.without_reference(),
            "learn": learn,
            "kept": True,
            "windowed": True,
            "approve": "never" if approve == "ask" else approve,
            # In a later epoch the task's own case would make it right whatever else was learned.
            "exclude_self": True,
            "draw": draw,
            "usage": Usage(),
        }


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
        solved=any(trial.feedback.success and not says_nothing(trial.feedback) for trial in trials),
        mended=next((trial.attempt.mended.kind for trial in trials if trial.attempt.mended), ""),
        cases=result.learned.cases,
        kept=result.learned.accepted,
        **place,  # type: ignore[arg-type]
    )


def verdict_on(result: RunResult) -> Verdict:
    """How a sample ended. A limit that was hit with a right answer at hand is a right answer."""
    judged = result.reward is not None and not says_nothing(result.feedback)
    if judged and result.reward is not None and result.reward >= 0.5:
        return "correct"
    if result.status in ("limit", "error", "no_answer"):
        return result.status
    return "wrong" if judged else "unjudged"


def says_nothing(feedback: Feedback | None) -> bool:
    """Whether a feedback only says that there is an answer, which nobody has looked at."""
    return feedback is not None and feedback.source == "environment" and feedback.reward == 0.5


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
