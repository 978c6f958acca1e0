"""Driving the graph: one run from its first node, its last checkpoint or late feedback to a closed record."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, cast

from agentfly.composition import Composition
from agentfly.errors import InputError
from agentfly.events import Event, RunFinished
from agentfly.nodes.state import State
from agentfly.nodes.workspace import tidy
from agentfly.protocols import Trial
from agentfly.running import OnEvent, as_result, scored
from agentfly.store.runs import RunRecord
from agentfly.types import Feedback, Learned, Recalled, Task, Usage


class Drive:
    """Drives the runs of one agent.

    Args:
        made: what the agent is made of.
    """

    def __init__(self, made: Composition) -> None:
        self._made = made

    async def run(self, run_id: str, task: Task, first: State | None) -> AsyncIterator[Event]:
        """Run the graph and close the record; yields each event, `RunFinished` last.

        Args:
            run_id: of a run that is on record and open.
            task: with its reference.
            first: where to begin; None goes on from the last checkpoint.
        """
        made = self._made
        made.remember_reference(run_id, task.reference)
        try:
            async for event in self._events(first, run_id):
                yield event
            state = await self.state(run_id)
            result = as_result(task, state)
            result = scored(result, await made.report(task, result))
            # What each attempt taught, before the result, which may have been scored otherwise.
            for number, trial in enumerate(state.get("trials", ())):
                made.runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
            made.runs.finish(run_id, result)
            await made.checkpointer.adelete_thread(run_id)
        except BaseException as error:
            failed = isinstance(error, Exception)
            made.runs.fail(run_id, str(error) if failed else "interrupted", "error" if failed else "interrupted")
            raise
        finally:
            made.forget_reference(run_id)
            tidy(made.home.artifacts, run_id, task)
        yield RunFinished(result=result)

    async def learn(self, record: RunRecord, feedback: Feedback, on_event: OnEvent) -> Learned:
        """Enter the graph at reflect with the first attempt of a recorded run.

        Args:
            record: of the run.
            feedback: that came after it.
            on_event: called with each event.

        Raises:
            InputError: the run never got to an attempt.
        """
        if not record.attempts:
            raise InputError(f"run {record.id} has no attempt to learn from")
        made, thread = self._made, f"{record.id}:{secrets.token_hex(4)}"
        try:
            async for event in self._events(self._judged(record, feedback), thread):
                on_event(event)
            state = await self.state(thread)
            learned = state.get("learned", Learned())
            for number, trial in enumerate(state["trials"][1:], start=len(record.trials)):
                made.runs.add_attempt(record.id, number, trial.attempt, trial.feedback)
        finally:
            await made.checkpointer.adelete_thread(thread)
            tidy(made.home.artifacts, record.id, record.task)
        made.runs.set_feedback(record.id, feedback, learned)
        return learned

    async def state(self, thread: str) -> State:
        """What the checkpoints hold of a thread; empty once its run is closed."""
        return cast(State, (await self._made.graph.aget_state(_thread(thread))).values)

    async def _events(self, first: State | None, thread: str) -> AsyncIterator[Event]:
        graph = self._made.graph
        async for event in graph.astream(first, _thread(thread), stream_mode="custom", durability="sync"):
            yield cast(Event, event)

    def _judged(self, record: RunRecord, feedback: Feedback) -> State:
        """The state in which the graph enters at reflect."""
        made = self._made
        book, shown = made.playbook.current(), set(record.shown_bullets)
        cases = (made.bank.get(case) for case in record.shown_cases)
        return {
            "run_id": record.id,
            "task": record.task.without_reference(),
            "learn": True,
            "recalled": tuple(Recalled(case=case, similarity=0.0, score=0.0) for case in cases),
            "bullets": tuple(bullet for bullet in book if bullet.id in shown),
            "playbook": book.render(budget=made.settings.playbook.in_prompt),
            "trials": (Trial(attempt=record.attempts[0], feedback=feedback),),
            "usage": Usage(),
        }


def _thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}
