"""Learning from traces that somebody else recorded: judged, reflected on, kept as cases, and curated window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from agentfly.composition import Composition
from agentfly.errors import InputError, UserError
from agentfly.events import Event, Notice, Reflected
from agentfly.learning.traces.formats import STRATEGY
from agentfly.learning.traces.reading import Source, Trace, read_traces
from agentfly.learning.traces.sorting import can_be_tried, files_are_there, record_of, run_of, sorted_out
from agentfly.learning.windows import Member, Window
from agentfly.nodes.evaluate import verdict
from agentfly.nodes.reflect import reflect
from agentfly.nodes.state import Emit, State
from agentfly.nodes.workspace import prepare, tidy
from agentfly.protocols import Trial
from agentfly.running import as_result
from agentfly.store.runs import INTERRUPTED
from agentfly.types import Attempt, Feedback, Task, Usage

BATCH = 8
"""Traces that are curated together unless the caller says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesLearned:
    """What came of some traces so far."""

    read: int
    """Rows of the source."""
    learned: int = 0
    known: int = 0
    """Traces that were learned before."""
    skipped: tuple[str, ...] = ()
    """One line for each row that cannot be learned from, beginning with its place."""
    cases: int = 0
    kept: int = 0
    """Changes of the playbook that were kept."""
    dropped: int = 0
    runs: tuple[str, ...] = ()
    """Ids under which the traces are on the record."""
    usage: Usage = field(default_factory=Usage)


OnBatch = Callable[[TracesLearned], None]


async def learn_traces(
    made: Composition,
    source: Source,
    *,
    batch: int = BATCH,
    limit: int | None = None,
    emit: Emit = lambda event: None,
    on_batch: OnBatch = lambda so_far: None,
) -> TracesLearned:
    """Learn from recorded traces.

    What a window of traces taught is kept before the next one begins. A window that is interrupted is learned again the
    next time.

    Args:
        made: the agent's parts.
        source: a file, or the traces themselves; see `agentfly.learning.traces.shapes` for what they look like.
        batch: traces in a window, which are curated together.
        limit: most traces to learn from; those that were learned before do not count.
        emit: takes events.
        on_batch: called after each window with what came of all so far.

    Raises:
        InputError: the source cannot be read, or none of its traces can be learned from; nothing is changed then.
    """
    if batch < 1 or (limit is not None and limit < 1):
        raise InputError("batch and limit must be at least 1")
    reading = read_traces(source)
    fresh, known, skipped = sorted_out(made, reading)
    for problem in skipped:
        emit(Notice(text=f"skipped {problem}", level="warning"))
    so_far = TracesLearned(read=len(reading.traces) + len(reading.problems), known=known, skipped=skipped)
    if fresh:
        _ = made.parts  # an unknown model or a missing key is said before anything is recorded
    waiting = iter(fresh if limit is None else fresh[:limit])
    while window := list(islice(waiting, batch)):
        so_far = await _Batch(made, emit).learn(window, so_far)
        on_batch(so_far)
    return so_far


class _Batch:
    """Learns from some traces together.

    Args:
        made: the agent's parts.
        emit: takes events.
    """

    def __init__(self, made: Composition, emit: Emit) -> None:
        self._made, self._emit = made, emit
        self._window = Window(made, emit)
        self._open: list[str] = []
        self._skipped: list[str] = []

    async def learn(self, traces: Sequence[Trace], so_far: TracesLearned) -> TracesLearned:
        """Learn from the batch; whatever stops it, its runs are not left as if they went on."""
        try:
            opened = [member for trace in traces if (member := await self._opened(trace)) is not None]
            finished = [self._closed(member) for member in await self._window.curate(opened)]
        except BaseException as error:
            reason = str(error) if isinstance(error, Exception) else "interrupted"
            for run_id in self._open:
                self._made.runs.fail(run_id, reason, "error" if isinstance(error, Exception) else INTERRUPTED)
            raise
        return replace(
            so_far,
            learned=so_far.learned + len(finished),
            skipped=(*so_far.skipped, *self._skipped),
            cases=so_far.cases + len({case for state in finished for case in state["learned"].cases}),
            kept=so_far.kept + self._window.kept,
            dropped=so_far.dropped + self._window.dropped,
            runs=(*so_far.runs, *(state["run_id"] for state in finished)),
            usage=sum((state["usage"] for state in finished), so_far.usage),
        )

    async def _opened(self, trace: Trace) -> Member | None:
        """The run of a trace, reflected on and on the record by then; None where nobody could judge it."""
        made, recorded, run_id = self._made, trace.recorded, run_of(trace)
        task, state = recorded.task, _state(run_id, recorded.task)
        made.remember_reference(run_id, task.reference)
        try:
            judged = [await self._judged(state, *trial, number) for number, trial in enumerate(recorded.trials)]
        except UserError as error:  # such as a reference that cannot be compared: this trace's own affair
            self._skip(f"{trace.place}: {error}")
            return None
        finally:
            made.forget_reference(run_id)
            tidy(made.home.artifacts, run_id, task)
        trials = tuple(trial for trial in judged if trial is not None)
        if not trials:
            self._skip(f"{trace.place}: nobody could judge it")
            return None
        if record_of(made, run_id) is None:
            made.runs.start(run_id, task, recorded.model, STRATEGY, made.settings)
        else:
            made.runs.reopen(run_id)
        self._open.append(run_id)
        state["trials"] = trials
        state.update(await self._reflected(state, trace.place))
        return await self._window.keep(Member(task=task, state=state, again=can_be_tried(made, task)))

    async def _judged(self, state: State, attempt: Attempt, given: Feedback | None, number: int) -> Trial | None:
        """A recorded attempt with the feedback that may be learned from."""
        made = self._made
        feedback = given if given is not None and _may_speak(given, made.settings.feedback) else None
        if feedback is None:
            if made.settings.command is not None and files_are_there(state["task"]):
                prepare(made.home.artifacts, state["run_id"], number, state["task"])
            spent = list[Usage]()
            feedback = await verdict(state, made.parts, attempt, number=number, spent=spent)
            state["usage"] = sum(spent, state["usage"])
        return None if feedback is None else Trial(attempt=attempt, feedback=feedback, id=f"{state['run_id']}/{number}")

    async def _reflected(self, state: State, place: str) -> State:
        def emit(event: Event) -> None:
            if isinstance(event, Reflected) and event.problem:
                self._emit(Notice(text=f"{place}: kept without an insight: {event.problem}", level="warning"))
            self._emit(event)

        change = await reflect(state, self._made.parts, emit)
        return {**change, "usage": state["usage"] + change.get("usage", Usage())}

    def _closed(self, member: Member) -> State:
        """The run with all that was learned, finished on the record."""
        made, run_id, state = self._made, member.run_id, member.state
        for number, trial in enumerate(state["trials"]):
            made.runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
        made.runs.finish(run_id, as_result(member.task, state))
        made.journal.forget(run_id)
        self._open.remove(run_id)
        tidy(made.home.artifacts, run_id, member.task)
        return state

    def _skip(self, problem: str) -> None:
        self._skipped.append(problem)
        self._emit(Notice(text=f"skipped {problem}", level="warning"))


def _state(run_id: str, task: Task) -> State:
    return {
        "run_id": run_id,
        "task": task.without_reference(),
        "learn": True,
        "recalled": (),
        "bullets": (),
        "playbook": "",
        "checks": (),
        "usage": Usage(),
    }


def _may_speak(feedback: Feedback, mode: str) -> bool:
    """Whether a recorded verdict may be learned from under a setting of `Settings.feedback`."""
    if mode == "environment":
        return feedback.source in {"environment", "command"}
    return mode != "none"
