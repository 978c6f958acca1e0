"""The course of learning over a dataset:

    base → epochs of windows, validated at intervals → the best version → test → report

Every sample is on record as soon as it counts, every window is learned from as a whole or not at all, and whatever stops a course,
the same call goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from time import monotonic
from typing import Any

from agentfly.composition import Composition
from agentfly.config import ShowSettings
from agentfly.errors import InputError
from agentfly.learning.adaptation.attempts import Attempts, as_sample, side_by_side
from agentfly.learning.adaptation.book import CourseBook, accuracy
from agentfly.learning.adaptation.breaker import Breaker
from agentfly.learning.adaptation.ending import Best, Ended, ending, keep_best
from agentfly.learning.adaptation.groups import Tasks
from agentfly.learning.adaptation.lesson import Lesson, Teacher, stage
from agentfly.learning.adaptation.plan import BASE, LEARN, PARTS, TEST, VALIDATE, Plan, identity, ordered, windows
from agentfly.learning.adaptation.progress import Count, OnProgress, Progress
from agentfly.nodes.state import Emit
from agentfly.store.adaptations import AdaptationStore, Sample
from agentfly.types import Task

__all__ = ["BASE", "LEARN", "TEST", "VALIDATE", "Course", "Ended", "OnProgress", "Progress", "Tasks"]

_AT_WORK: set[tuple[str, str]] = set()
"""Home and id of the courses that this process works on."""


class Course:
    """Learns over a dataset.

    Args:
        made: the agent's parts.
        tasks: what to learn from, and what to try it on.
        plan: how.
        emit: takes events.
        on_progress: called as samples come in.
        again: begin anew, even where an unfinished course of the same identity could be gone on with.

    Raises:
        InputError: a task is in two groups, or there is none.
    """

    def __init__(
        self,
        made: Composition,
        tasks: Tasks,
        plan: Plan,
        *,
        emit: Emit = lambda event: None,
        on_progress: OnProgress = lambda progress: None,
        again: bool = False,
    ) -> None:
        tasks.check()
        self._made, self._tasks, self._plan = made, tasks, plan
        self._emit, self._on_progress, self._again = emit, on_progress, again
        self._store = AdaptationStore(made.home.db)
        self._notices: list[str] = []
        self._open: set[str] = set()
        self._id, self._resumed = "", False
        self._worked, self._since = 0.0, monotonic()

    @property
    def id(self) -> str:
        """Its id, once it runs."""
        return self._id

    async def run(self) -> Ended:
        """Run it to its end, or go on with it.

        Raises:
            InputError: another process works on it.
            ProviderError: the model's provider failed several attempts in a row, which do not count.
            UserError: the agent cannot work as it is set up.
        """
        await self._made.toolset.connect()
        _ = self._made.parts  # an unknown model or a missing key is said before anything is recorded
        self._begin()
        try:
            with self._made.home.db.relaxed():  # what a power cut takes of a course is done again when it goes on
                return await self._run()
        except BaseException:
            self._attempts.interrupted(self._open)
            with self._made.home.db.write():
                if self._book.forget(self._breaker.row, self._plan.window):
                    self._attempts.anew(self._open)
            self._store.release(self._id)
            raise
        finally:
            _AT_WORK.discard(self._place)

    @property
    def _place(self) -> tuple[str, str]:
        return str(self._made.home.path), self._id

    def _begin(self) -> None:
        made, plan, groups = self._made, self._plan, self._tasks.groups()
        settings = made.settings.model_dump(mode="json")
        same = identity(groups, plan, settings, made.model_choice[0])
        told = {**asdict(plan), "model": made.model_choice[0], "strategy": made.strategy, "settings": settings}
        told |= {"tasks": {name: len(group) for name, group in groups.items()}}
        id, self._resumed = self._store.open(same, told, again=self._again)
        self._id = id
        if self._place in _AT_WORK:
            raise InputError(f"{id} is being worked on by this process already; wait for it to end")
        self._book = CourseBook(self._store, id)
        self._breaker = Breaker(self._book.worked)
        self._attempts = Attempts(made, self._emit, self._breaker)
        _AT_WORK.add(self._place)

    async def _run(self) -> Ended:
        self._attempts.sweep(f"{self._id}-", self._book.closed)
        await self._frozen(BASE, 0, self._tasks.test)
        noted = self._book.noted
        if "ending" not in noted:
            self._worked, self._since = float(noted.get("seconds", 0.0)), monotonic()
            try:
                told = await self._learn()
            finally:
                self._tick()
            self._book.note(ending=told)
        ended = keep_best(self._made, self._book, resumed=self._resumed)
        await self._tests()
        self._store.finish(self._id, {**asdict(ended), "seconds": self._book.noted.get("seconds", 0.0)})
        return ended

    # Frozen evaluation

    async def _tests(self) -> None:
        await self._frozen(TEST, 0, self._tasks.test)
        for parts in self._plan.ablations:
            if set(parts) != set(PARTS):
                show = ShowSettings(**{name: name in parts for name in PARTS})
                attempts = Attempts(self._made.varied({"show": show}), self._emit, self._breaker)
                await self._frozen(f"{TEST}:{'+'.join(parts) or 'nothing'}", 0, self._tasks.test, attempts)

    async def _frozen(
        self, phase: str, epoch: int, tasks: Sequence[Task], attempts: Attempts | None = None
    ) -> list[Sample]:
        """Answer tasks without learning; all samples in their order."""
        attempts = attempts or self._attempts
        known = {one.place: one for one in self._book.samples(phase, epoch)}
        count = Count(self._tell, phase, len(tasks), known.values())

        async def answer(place: int, task: Task) -> Sample:
            run_id = self._run_id(phase, epoch, place)
            state, result = await attempts.frozen(run_id, task, f"{phase} {epoch} {place}")
            seconds = attempts.seconds(run_id)
            sample = as_sample(result, None, phase=phase, epoch=epoch, place=place, seconds=seconds)
            with self._made.home.db.write():
                attempts.drive.write(state, result)
                self._book.add([sample])
                attempts.closed(run_id)
            self._open.discard(run_id)
            return sample

        todo = [(place, task) for place, task in enumerate(tasks) if place not in known]
        self._made.bank.expect(task.question for _, task in todo)
        work = [lambda place=place, task=task: answer(place, task) for place, task in todo]
        found = await side_by_side(work, self._plan.concurrency, count.add)
        self._breaker.ended(len(found))
        return sorted([*known.values(), *found], key=lambda one: one.place)

    # Learning

    async def _learn(self) -> dict[str, Any]:
        """Learn until the end, whatever that is; what is to be kept, and why it ended."""
        plan, best, learned, validated = self._plan, Best(), 0, 0
        every = plan.every or len(self._tasks.train)
        total = plan.epochs * len(self._tasks.train)
        await self._validate_first(best)
        count = Count(self._tell, LEARN, total, self._book.samples(LEARN))
        teacher = Teacher(
            self._made, self._book, self._attempts, most=plan.concurrency, emit=self._emit, tick=self._tick
        )
        for lesson in self._lessons():
            if not self._book.reached(lesson.epoch, lesson.number):
                if why := self._spent():
                    self._notices.append(why)
                    if best.mark is not None and learned > validated:
                        await self._validate(best, learned)
                    return ending(best, "budget", learned, self._notices)
                runs = {place: self._run_id(LEARN, lesson.epoch, place) for place, _ in lesson.tasks}
                for sample in await teacher.give(lesson, runs):
                    self._open.discard(sample.run_id)
                    count.add(sample)
            learned += len(lesson.tasks)
            due = learned == total or learned // every > validated // every
            if best.mark is not None and due:
                validated = learned
                await self._validate(best, learned)
                if plan.patience is not None and best.since >= plan.patience and learned < total:
                    return ending(best, "early", learned, self._notices)
        self._breaker.ended()
        return ending(best, "done", learned, self._notices)

    def _lessons(self) -> Iterator[Lesson]:
        """The windows of all epochs; the order of an epoch is settled when it begins."""
        learned = 0
        for epoch in range(1, self._plan.epochs + 1):
            tasks = ordered(self._tasks.train, self._plan, epoch, self._book.rewards(before=epoch))
            for number, window in enumerate(windows(tasks, self._plan.window)):
                yield Lesson(epoch=epoch, number=number, tasks=window, learned=learned)
                learned += len(window)

    async def _validate_first(self, best: Best) -> None:
        """How the agent does before it has learned anything, and what its home holds then."""
        if not self._tasks.validation or self._plan.mode == "online":
            return
        samples = await self._frozen(VALIDATE, 0, self._tasks.validation)
        if all(one.verdict in ("unjudged", "error") for one in samples):
            self._notices.append(
                "nobody can judge the answers to validation tasks: the last version is kept, not the best"
            )
            return
        first = self._book.first()
        if first is None:
            first = stage(self._made, Lesson(epoch=0, number=0, tasks=(), learned=0))
            self._book.reach(first)
        best.accuracy, best.mark = accuracy(samples), first.mark

    async def _validate(self, best: Best, learned: int) -> None:
        samples = await self._frozen(VALIDATE, learned, self._tasks.validation)
        best.saw(accuracy(samples), learned, self._book.stage(learned).mark)
        self._tick()

    def _tick(self) -> None:
        """Put on record how long learning has taken so far, in all calls."""
        self._book.note(seconds=round(self._seconds, 3))

    @property
    def _seconds(self) -> float:
        return self._worked + monotonic() - self._since

    def _spent(self) -> str:
        """Which budget is used up; empty where none is."""
        budget, usage = self._plan.budget, self._book.usage
        if budget.tokens is not None and usage.tokens >= budget.tokens:
            return f"the budget of {budget.tokens:,} tokens is used up"
        if budget.cost_usd is not None and usage.cost_usd >= budget.cost_usd:
            return f"the budget of {budget.cost_usd} USD is used up"
        if budget.seconds is not None and self._seconds >= budget.seconds:
            return f"the budget of {budget.seconds:g} seconds is used up"
        return ""

    def _run_id(self, phase: str, epoch: int, place: int) -> str:
        """The id of a sample's run, which is open from here on. No two samples have the same."""
        run_id = f"{self._id}-{phase.replace(':', '.')}-{epoch}-{place}"
        self._open.add(run_id)
        return run_id

    def _tell(self, progress: Progress) -> None:
        self._on_progress(replace(progress, id=self._id, resumed=self._resumed))
