"""Which traces there is something to learn from, and which of their tasks can be tried again."""

from __future__ import annotations

from agentfly.composition import Composition
from agentfly.errors import InputError
from agentfly.learning.traces.reading import Reading, Trace
from agentfly.scorers import ASKING
from agentfly.store.runs import INTERRUPTED, RunRecord
from agentfly.types import Task

_UNJUDGED = "no verdict; give it a reward (0 to 1), a score, success, correct, or a reference to judge by"


def sorted_out(made: Composition, reading: Reading) -> tuple[list[Trace], int, tuple[str, ...]]:
    """The traces to learn from, how many were learned before, and what is wrong with the others.

    Raises:
        InputError: there is no verdict on any of them.
    """
    usable, problems = list[Trace](), list(reading.problems)
    for trace in reading.traces:
        if _can_be_judged(made, trace):
            usable.append(trace)
        else:
            problems.append(f"{trace.place}: {_UNJUDGED}")
    if not usable:
        raise InputError(f"none of the traces can be learned from; {problems[0]}")
    unique = {trace.key: trace for trace in reversed(usable)}
    fresh = [trace for trace in usable if unique[trace.key] is trace and not _known(made, trace)]
    return fresh, len(usable) - len(fresh), tuple(problems)


def _can_be_judged(made: Composition, trace: Trace) -> bool:
    """Whether there is a verdict, or somebody or something to give one."""
    recorded = trace.recorded
    spoken = any(feedback is not None for _, feedback in recorded.trials)
    return spoken or _has_judge(made, recorded.task) or made.settings.feedback in {"environment", "none"}


def _has_judge(made: Composition, task: Task) -> bool:
    settings = made.settings
    asking = settings.command is not None or settings.scorer in ASKING
    return task.reference is not None or made.given.scorer is not None or asking


def run_of(trace: Trace) -> str:
    """Id of the run that a trace becomes."""
    return f"trace-{trace.key[:16]}"


def _known(made: Composition, trace: Trace) -> bool:
    """Whether the home has learned from a trace, or from the run that it is the record of."""
    record = record_of(made, run_of(trace))
    if record is not None and record.status not in {INTERRUPTED, "error"}:
        return True
    own = record_of(made, trace.recorded.run) if trace.recorded.run else None
    return own is not None and bool(own.learned.cases)


def record_of(made: Composition, run_id: str) -> RunRecord | None:
    """The record of the run of exactly this id; None where there is none."""
    try:
        record = made.runs.show(run_id)
    except InputError:
        return None
    return record if record.id == run_id else None


def can_be_tried(made: Composition, task: Task) -> bool:
    return _has_judge(made, task) and files_are_there(task)


def files_are_there(task: Task) -> bool:
    return all(file.is_file() for file in task.files)
