"""Learning over a dataset as one call: tasks, a plan and an agent's parts become a course, and what came of it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.composition import Composition
from agentfly.events import Notice
from agentfly.learning.adaptation.course import Course, OnProgress, Progress, Tasks
from agentfly.learning.adaptation.plan import Plan
from agentfly.learning.dividing import Divided, Wanted, divide
from agentfly.learning.report import Report, report
from agentfly.nodes.state import Emit
from agentfly.protocols import Scorer
from agentfly.store.adaptations import AdaptationStore
from agentfly.types import Task

__all__ = ["OnProgress", "Plan", "Progress", "TasksLearned", "Wanted", "learn_tasks"]


UNASKED = "nobody is asked while learning over a dataset: calls that need permission are refused (approve: ask)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksLearned:
    """What came of learning over a dataset."""

    id: str
    """Under which it is on record."""
    reason: str
    """Why it ended: ``done``, ``early`` (no better validation), ``budget``."""
    kept: int | None = None
    """Samples that the version which was kept had learned from; None where it is the last one."""
    notices: tuple[str, ...] = ()
    """What a person should know: tasks that were left out, a budget that was used up."""
    resumed: bool = False
    """Whether it went on with a course that was interrupted."""
    report: Report = field(repr=False)


async def learn_tasks(
    made: Composition,
    tasks: Sequence[Task],
    *,
    validation: Wanted = (),
    test: Wanted = (),
    limit: int | None = None,
    plan: Plan | None = None,
    compare: Scorer | Callable[..., Any] | None = None,
    emit: Emit = lambda event: None,
    on_progress: OnProgress = lambda progress: None,
    restart: bool = False,
) -> TasksLearned:
    """Learn over a dataset, or go on with it where it was interrupted.

    Args:
        made: the agent's parts.
        tasks: to learn from, and to set aside from, see `agentfly.learning.dividing.divide`.
        validation: how many to validate on, or tasks of their own.
        test: how many to test on before and after, or tasks of their own.
        limit: most tasks to learn from.
        plan: how; by default one pass over all tasks.
        compare: compares answers with references by a rule of the dataset's own; it is also learned from where the agent has no scorer.
        emit: takes events.
        on_progress: called as samples come in.
        restart: begin anew, even where an unfinished course of the same identity could be gone on with.

    Raises:
        InputError: nothing to learn from, or another process works on it.
        UserError: the agent cannot work as it is set up.
    """
    plan = plan or Plan()
    groups = divide(tasks, validation=validation, test=test, limit=limit, seed=plan.seed)
    notices = groups.notices + ((UNASKED,) if made.settings.approve == "ask" else ())
    for text in notices:
        emit(Notice(text=text, level="warning"))
    store = AdaptationStore(made.home.db)
    watch = _Watch(set() if restart else set(store.unfinished()), emit, on_progress)
    course = Course(
        _judged_by(made, compare), _tasks(groups), plan, emit=emit, on_progress=watch.progress, again=restart
    )
    ended = await course.run()
    return TasksLearned(
        id=ended.id,
        reason=ended.reason,
        kept=ended.kept,
        notices=(*notices, *ended.notices),
        resumed=ended.resumed,
        report=report(store, ended.id, made.runs),
    )


def _tasks(groups: Divided) -> Tasks:
    return Tasks(train=groups.train, validation=groups.validation, test=groups.test)


def _judged_by(made: Composition, compare: Scorer | Callable[..., Any] | None) -> Composition:
    """The same agent, its answers compared by another rule; learned from by it as well where nobody said what to learn from."""
    if compare is None:
        return made
    _ = made.checkpointer  # shared, and closed with the agent
    other, settings = made.varied({}), made.settings
    unsaid = made.given.scorer is None and settings.scorer == "auto" and settings.command is None
    other.given = replace(made.given, compare=compare, scorer=compare if unsaid else made.given.scorer)
    return other


class _Watch:
    """Says once that another course is unfinished, when it is known that this one does not go on with it."""

    def __init__(self, unfinished: set[str], emit: Emit, on_progress: OnProgress) -> None:
        self._unfinished, self._emit, self._on_progress = unfinished, emit, on_progress
        self._told = False

    def progress(self, progress: Progress) -> None:
        if not self._told:
            self._told = True
            self._tell(progress.id)
        self._on_progress(progress)

    def _tell(self, id: str) -> None:
        if self._unfinished and id not in self._unfinished:
            others = ", ".join(sorted(self._unfinished, reverse=True))
            text = f"this is a new course: {others} is not finished, and had other tasks, settings, model or plan"
            self._emit(Notice(text=text, level="warning"))
