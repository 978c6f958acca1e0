"""Driving the graph: one run from its first node, its last checkpoint or late feedback to a closed record."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from agentfly.composition import Composition
from agentfly.errors import InputError
from agentfly.events import ApprovalNeeded, Event, RunFinished
from agentfly.memory.marks import unsee
from agentfly.nodes.journal import paid
from agentfly.nodes.permission import undecided
from agentfly.nodes.state import EMIT, State
from agentfly.nodes.workspace import tidy
from agentfly.protocols import Trial
from agentfly.running import Approve, OnEvent, as_result, as_waiting, decided, scored
from agentfly.store.runs import RunRecord
from agentfly.types import Decision, Feedback, Learned, Pending, Recalled, RunResult, Task, Usage


class Drive:
    """Drives the runs of one agent.

    Args:
        made: what the agent is made of.
    """

    def __init__(self, made: Composition) -> None:
        self._made = made
        self._latest: dict[str, State] = {}

    async def run(
        self,
        run_id: str,
        task: Task,
        first: State | None,
        *,
        approve: Approve | None = None,
        decisions: Mapping[str, Decision] | None = None,
    ) -> AsyncIterator[Event]:
        """Run the graph and close the record; yields each event, `RunFinished` last.

        A run that needs a person's permission is left waiting on record, unless `approve` gives it.

        Args:
            run_id: of a run that is on record and open.
            task: with its reference.
            first: where to begin; None goes on from the last checkpoint.
            approve: decides on calls that need permission.
            decisions: verdicts on the calls that the run waits for, by their id.
        """
        made, paused = self._made, False
        made.remember_reference(run_id, task.reference)
        try:
            while True:
                async for event in self._events(first, run_id, decisions):
                    yield event
                calls = await self.pending(run_id)
                if not calls:
                    break
                made.runs.pause(run_id, _waits_for(calls))
                paused = True
                yield ApprovalNeeded(run_id=run_id, calls=calls)
                if approve is None:
                    break
                first, decisions = None, await decided(approve, calls)
                made.runs.reopen(run_id)
                paused = False
            if paused:
                result = await self._waiting(run_id, task, calls)
            else:
                result = await self._close(run_id, task, await self.state(run_id))
        except BaseException as error:
            if not paused:
                failed = isinstance(error, Exception)
                reason = str(error) if failed else "interrupted"
                made.runs.fail(run_id, reason, "error" if failed else "interrupted")
            raise
        finally:
            made.forget_reference(run_id)
            await self._tidy(run_id, task)
        yield RunFinished(result=result)

    async def waiting(self, run_id: str, task: Task, calls: tuple[Pending, ...]) -> AsyncIterator[Event]:
        """What a run that waits has to say while nobody decides."""
        yield ApprovalNeeded(run_id=run_id, calls=calls)
        yield RunFinished(result=await self._waiting(run_id, task, calls))

    async def pending(self, run_id: str) -> tuple[Pending, ...]:
        """The calls that an open run waits for permission to make."""
        snapshot = await self._made.graph.aget_state(_thread(run_id))
        return undecided(self._made.journal, run_id) if snapshot.next else ()

    async def _waiting(self, run_id: str, task: Task, calls: tuple[Pending, ...]) -> RunResult:
        state = await self.state(run_id)
        return as_waiting(task, state, calls, paid(self._made.journal, run_id, len(state.get("trials", ()))))

    async def reach(self, run_id: str, task: Task, first: State | None, on_event: OnEvent) -> State:
        """Run the graph to its end and leave the run open: what it teaches is learned together with others.

        Args:
            run_id: of a run that is on record and open.
            task: with its reference.
            first: where to begin; None goes on from the last checkpoint.
            on_event: called with each event.
        """
        config = _thread(run_id, **{EMIT: on_event})
        given = await self._given(first, run_id)
        states = self._made.graph.astream(given, config, stream_mode="values", durability="sync")
        return await self._reached(run_id, task, cast(AsyncIterator[State], states))

    async def answer(self, run_id: str, task: Task, first: State, on_event: OnEvent) -> State:
        """Answer a task and leave the run open; nothing is learned and nobody is asked.

        Args:
            run_id: of a run that is on record and open. One that was cut off begins again: what it paid for is in its journal.
            task: with its reference.
            first: where to begin.
            on_event: called with each event.
        """
        from agentfly.graph import straight

        return await self._reached(run_id, task, straight(first, self._made.parts, on_event))

    async def _reached(self, run_id: str, task: Task, states: AsyncIterator[State]) -> State:
        made = self._made
        made.remember_reference(run_id, task.reference)
        try:
            async for state in states:
                self._latest[run_id] = state
            return await self.state(run_id)
        except BaseException as error:
            failed = isinstance(error, Exception)
            made.runs.fail(run_id, str(error) if failed else "interrupted", "error" if failed else "interrupted")
            raise
        finally:
            made.forget_reference(run_id)
            await self._tidy(run_id, task)

    async def result(self, task: Task, state: State) -> RunResult:
        """What a run came to, scored by its reference also where nothing may be learned from that."""
        result = as_result(task, state)
        return scored(result, await self._made.report(task, result))

    def write(self, state: State, result: RunResult) -> None:
        """Write down what a run came to, all or nothing."""
        runs, run_id = self._made.runs, result.run_id
        with self._made.home.db.write():
            # What each attempt taught, before the result, which may have been scored otherwise.
            for number, trial in enumerate(state.get("trials", ())):
                runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
            runs.finish(run_id, result)

    def clear(self, run_id: str) -> None:
        """Remove what a run that is closed could have begun again from."""
        from agentfly.checkpoints import forget

        made = self._made
        self._latest.pop(run_id, None)
        with made.home.db.write(synced=False) as tx:  # what is there again after a power cut is removed again
            forget(tx, run_id)
            made.journal.forget(run_id)
        for known in [key for key in made.parts.told if key[0] == run_id]:
            del made.parts.told[known]

    def begin_again(self, run_id: str) -> None:
        """Forget how far an open run got, but for the replies that were paid for: it begins again from its first node."""
        from agentfly.checkpoints import forget

        self._latest.pop(run_id, None)
        with self._made.home.db.write() as tx:
            forget(tx, run_id)
            unsee(self._made.home.db, run_id)

    async def take_back(self, run_id: str) -> None:
        """Forget what an open run recorded in a node that was cut off: the node runs again, and records it again."""
        snapshot = await self._made.graph.aget_state(_thread(run_id))
        if any(task.result is not None for task in snapshot.tasks):
            return  # the node was finished, and what it gave is on disk
        since = datetime.fromisoformat(snapshot.created_at).timestamp() if snapshot.created_at else None
        unsee(self._made.home.db, run_id, since)

    def leftovers(self, prefix: str) -> list[str]:
        """Ids of the runs that could begin again from what is on disk.

        Args:
            prefix: what their ids begin with.
        """
        _ = self._made.checkpointer  # makes its tables
        found = self._made.home.db.read(
            """SELECT run_id AS id FROM journal WHERE substr(run_id, 1, :n) = :prefix
               UNION SELECT thread_id FROM checkpoints WHERE substr(thread_id, 1, :n) = :prefix ORDER BY id""",
            {"n": len(prefix), "prefix": prefix},
        )
        return [row["id"] for row in found]

    async def _close(self, run_id: str, task: Task, state: State) -> RunResult:
        result = await self.result(task, state)
        self.write(state, result)
        self.clear(run_id)
        return result

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
            await self._tidy(record.id, record.task)
        made.runs.set_feedback(record.id, feedback, learned)
        return learned

    async def state(self, thread: str) -> State:
        """How far a thread got, as this process saw it or as the checkpoints have it; empty once its run is closed."""
        if thread in self._latest:
            return self._latest[thread]
        return cast(State, (await self._made.graph.aget_state(_thread(thread))).values)

    async def _tidy(self, run_id: str, task: Task) -> None:
        if task.files:  # removing them waits for the disk; empty folders go faster than a thread is asked
            await asyncio.to_thread(tidy, self._made.home.artifacts, run_id, task)
        else:
            tidy(self._made.home.artifacts, run_id, task)

    async def _events(
        self, first: State | None, thread: str, decisions: Mapping[str, Decision] | None = None
    ) -> AsyncIterator[Event]:
        given = await self._given(first, thread, decisions)
        async for event in self._made.graph.astream(given, _thread(thread), stream_mode="custom", durability="sync"):
            yield cast(Event, event)

    async def _given(self, first: State | None, thread: str, decisions: Mapping[str, Decision] | None = None) -> Any:
        """What the graph is given: where to begin, or what a person decided; None to go on from its last checkpoint."""
        from agentfly.graph import answer

        if first is None:
            await self.take_back(thread)
            state = await self.state(thread)
            if not decisions and not {"recalled", "trials"} & state.keys():
                return state  # cut off before its first node: the graph has nothing to go on from
        return answer(decisions) if decisions else first

    def _judged(self, record: RunRecord, feedback: Feedback) -> State:
        """The state in which the graph enters at reflect."""
        made = self._made
        book, shown = made.playbook.current(), set(record.shown_bullets)
        cases = (made.bank.get(case) for case in record.shown_cases)
        return {
            "run_id": record.id,
            "task": record.task.without_reference(),
            "learn": True,
            # The run is closed, and cannot wait any more: what would need permission is refused.
            "approve": "auto"
            if {made.settings.approve, record.settings.get("approve", "auto")} == {"auto"}
            else "never",
            "recalled": tuple(Recalled(case=case, similarity=0.0, score=0.0) for case in cases),
            "bullets": tuple(bullet for bullet in book if bullet.id in shown),
            "playbook": book.render(budget=made.settings.playbook.in_prompt),
            "trials": (Trial(attempt=record.attempts[0], feedback=feedback),),
            "usage": Usage(),
        }


def _waits_for(calls: Sequence[Pending]) -> str:
    return f"permission to call {', '.join(dict.fromkeys(call.tool for call in calls))}"


def _thread(name: str, **more: Any) -> Any:
    return {"configurable": {"thread_id": name, **more}}
