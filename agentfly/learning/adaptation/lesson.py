"""A lesson: the tasks of a window worked on side by side, and learned from together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agentfly.composition import Composition
from agentfly.learning.adaptation.attempts import Attempts, as_sample, side_by_side
from agentfly.learning.adaptation.book import CourseBook
from agentfly.learning.adaptation.marks import mark
from agentfly.learning.adaptation.plan import LEARN
from agentfly.learning.windows import Member, Window
from agentfly.nodes.state import Emit, State
from agentfly.records import to_data
from agentfly.store.adaptations import Sample, Stage
from agentfly.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One window of an epoch."""

    epoch: int
    number: int
    """From 0."""
    tasks: Sequence[tuple[int, Task]]
    """With their places in the epoch."""
    learned: int
    """Samples that were learned from before, in all epochs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    place: int
    task: Task
    state: State
    seconds: float

    @property
    def run_id(self) -> str:
        return self.state["run_id"]


class Teacher:
    """Gives lessons.

    Args:
        made: the agent's parts.
        book: the record of the course.
        attempts: makes the attempts.
        most: at once.
        emit: takes events.
        tick: called within the transaction that closes a window.
    """

    def __init__(
        self,
        made: Composition,
        book: CourseBook,
        attempts: Attempts,
        *,
        most: int,
        emit: Emit,
        tick: Callable[[], None],
    ) -> None:
        self._made, self._book, self._attempts = made, book, attempts
        self._most, self._emit, self._tick = most, emit, tick

    async def give(self, lesson: Lesson, runs: Mapping[int, str]) -> list[Sample]:
        """Work on the tasks of a window, then learn from them in their order, whichever ended first.

        Args:
            lesson: the window.
            runs: ids of the runs, by place.

        Returns:
            The samples; they count as a whole, or not at all.
        """

        async def attempt(place: int, task: Task) -> _Tried:
            name = runs[place]
            state = await self._attempts.learning(name, task, f"{LEARN} {lesson.epoch} {place}")
            return _Tried(place=place, task=task, state=state, seconds=self._attempts.seconds(name))

        self._made.bank.expect(task.question for _, task in lesson.tasks)
        work = [lambda place=place, task=task: attempt(place, task) for place, task in lesson.tasks]
        tried = await side_by_side(work, self._most, lambda done: None)
        window = Window(self._made, self._emit)
        members = [Member(task=one.task, state=one.state) for one in tried if one.state.get("trials")]
        states = {member.run_id: member.state for member in await window.curate(window.keep_all(members))}
        return await self._close(lesson, tried, states, window)

    async def _close(
        self, lesson: Lesson, tried: Sequence[_Tried], states: dict[str, State], window: Window
    ) -> list[Sample]:
        drive, closing, samples = self._attempts.drive, [], list[Sample]()
        for one in tried:
            state = states.get(one.run_id, one.state)
            result = await drive.result(one.task, state)
            closing.append((state, result))
            told = {"phase": LEARN, "epoch": lesson.epoch, "place": one.place, "seconds": one.seconds}
            samples.append(as_sample(result, state, **told))
        with self._made.home.db.write():
            for state, result in closing:
                drive.write(state, result)
            self._book.add(samples)
            self._book.reach(stage(self._made, lesson, window))
            for one in tried:
                self._attempts.closed(one.run_id)
            self._tick()
        return samples


def stage(made: Composition, lesson: Lesson, window: Window | None = None) -> Stage:
    """What the home holds now.

    Args:
        made: the agent's parts.
        lesson: that has just been learned from.
        window: what it changed; None where nothing was learned yet.
    """
    book = made.playbook.current()
    return Stage(
        phase=LEARN,
        epoch=lesson.epoch,
        number=lesson.number,
        samples=lesson.learned + len(lesson.tasks),
        cases=made.bank.count(),
        bullets=len(book) - len(book.checks),
        checks=len(book.checks),
        version=book.version,
        kept=window.kept if window else 0,
        dropped=window.dropped if window else 0,
        mark=to_data(mark(made)),
    )
