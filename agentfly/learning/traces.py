"""Learning from traces that somebody else recorded: judged, reflected on, kept as cases, and curated window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from agentfly.composition import Composition
from agentfly.errors import InputError, UserError
from agentfly.events import Curated, Event, Notice, Reflected
from agentfly.learning.formats import STRATEGY
from agentfly.learning.reading import Source, Trace, read_traces
from agentfly.learning.sorting import can_be_tried, files_are_there, record_of, run_of, sorted_out
from agentfly.nodes.batch import curate_window
from agentfly.nodes.curate import CREDIT
from agentfly.nodes.evaluate import verdict
from agentfly.nodes.reflect import reflect
from agentfly.nodes.retain import best, retain
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.workspace import prepare, tidy
from agentfly.protocols import Trial
from agentfly.running import as_result
from agentfly.store.runs import INTERRUPTED
from agentfly.types import Attempt, Feedback, Learned, Task, Usage

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
        source: a file, or the traces themselves; see `agentfly.learning.shapes` for what they look like.
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
        so_far = await _Window(made, emit).learn(window, so_far)
        on_batch(so_far)
    return so_far


class _Window:
    """Learns from some traces together.

    Args:
        made: the agent's parts.
        emit: takes events.
    """

    def __init__(self, made: Composition, emit: Emit) -> None:
        self._made, self._emit = made, emit
        self._kept: set[int] = set()
        self._dropped = 0
        self._open: list[str] = []
        self._skipped: list[str] = []

    async def learn(self, traces: Sequence[Trace], so_far: TracesLearned) -> TracesLearned:
        """Learn from the window; whatever stops it, its runs are not left as if they went on."""
        try:
            opened = [(trace, state) for trace in traces if (state := await self._opened(trace)) is not None]
            finished = await self._curated(opened)
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
            kept=so_far.kept + len(self._kept),
            dropped=so_far.dropped + self._dropped,
            runs=(*so_far.runs, *(state["run_id"] for state in finished)),
            usage=sum((state["usage"] for state in finished), so_far.usage),
        )

    async def _opened(self, trace: Trace) -> State | None:
        """The state after reflecting on a trace, which is on the record by then; None where nobody could judge it."""
        made, parts, recorded, run_id = self._made, self._made.parts, trace.recorded, run_of(trace)
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
        # Before curating: the checks that this window proposes are measured on all of its answers.
        for number, trial in enumerate(trials):
            made.runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
        state["trials"] = trials
        state.update(await self._reflected(state, trace.place))
        state.update(await retain(state, parts, self._emit))
        # At once: a run that is interrupted from here on names the case that was kept.
        made.runs.set_feedback(run_id, trials[0].feedback, state["learned"])
        return state

    async def _judged(self, state: State, attempt: Attempt, given: Feedback | None, number: int) -> Trial | None:
        """A recorded attempt with the feedback that may be learned from."""
        made = self._made
        feedback = given if given is not None and _may_speak(given, made.settings.feedback) else None
        if feedback is None:
            if made.settings.command is not None and files_are_there(state["task"]):
                prepare(made.home.artifacts, state["run_id"], number, state["task"])
            feedback = await verdict(state, made.parts, attempt, number=number)
        return None if feedback is None else Trial(attempt=attempt, feedback=feedback, id=f"{state['run_id']}/{number}")

    async def _reflected(self, state: State, place: str) -> State:
        def emit(event: Event) -> None:
            if isinstance(event, Reflected) and event.problem:
                self._emit(Notice(text=f"{place}: kept without an insight: {event.problem}", level="warning"))
            self._emit(event)

        change = await reflect(state, self._made.parts, emit)
        return {**change, "usage": state["usage"] + change.get("usage", Usage())}

    async def _curated(self, opened: Sequence[tuple[Trace, State]]) -> list[State]:
        """Curate together what can be tried again, and what cannot; then close the runs."""
        finished = []
        for again in (True, False):
            chosen = [(t, s) for t, s in opened if can_be_tried(self._made, t.recorded.task) is again]
            parts = self._made.parts if again else _untried(self._made.parts)
            changes = await curate_window([state for _, state in chosen], parts, self._count) if chosen else []
            for (trace, state), change in zip(chosen, changes, strict=True):
                finished.append(await self._closed(trace, state, change))
        return finished

    async def _closed(self, trace: Trace, state: State, change: State) -> State:
        """The run with all that was learned, finished on the record."""
        made, run_id, task = self._made, state["run_id"], trace.recorded.task
        cases, learned = state["learned"].cases, change["learned"]
        before, trials = state["trials"], change["trials"]
        after: State = {**state, "trials": trials, "usage": state["usage"] + change["usage"]}
        if best(trials) is not best(before):  # a gate's attempt solved it: that is worth a case of its own
            mended = await retain({**after, "learned": Learned()}, made.parts, self._emit)
            cases = tuple(dict.fromkeys((*cases, *mended["learned"].cases)))
        after["learned"] = replace(learned, cases=cases)
        for number, trial in enumerate(trials[len(before) :], start=len(before)):
            made.runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
        made.runs.finish(run_id, as_result(task, after))
        self._open.remove(run_id)
        tidy(made.home.artifacts, run_id, task)
        return after

    def _count(self, event: Event) -> None:
        if isinstance(event, Curated) and event.accepted and event.reason != CREDIT and event.version is not None:
            self._kept.add(event.version)
        elif isinstance(event, Curated) and not event.accepted and event.changes:
            self._dropped += 1
        self._emit(event)

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


def _untried(parts: Parts) -> Parts:
    """Parts whose gate keeps every valid delta, and says why."""
    from agentfly.gates.always import Always

    return replace(parts, gate=lambda feedback: Always("the task of a recorded trace cannot be judged again"))
