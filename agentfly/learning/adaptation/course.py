"""The course of learning over a dataset:

    base → epochs of windows, validated at intervals → the best version → test → report

Every sample is on record as soon as it counts, every window is learned from as a whole or not at all, and whatever stops a course,
the same call goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

from agentfly.composition import Composition
from agentfly.config import ShowSettings
from agentfly.errors import InputError
from agentfly.learning.adaptation.attempts import Attempts, as_sample, side_by_side
from agentfly.learning.adaptation.marks import Mark, back_to, mark
from agentfly.learning.adaptation.plan import PARTS, Plan, identity, ordered
from agentfly.learning.windows import Member, Window
from agentfly.nodes.state import Emit, State
from agentfly.records import to_data
from agentfly.store.adaptations import AdaptationStore, Sample, Stage
from agentfly.types import RunResult, Task, Usage

BASE, LEARN, VALIDATE, TEST = "base", "learn", "validate", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a course stands."""

    id: str
    phase: str
    done: int
    """Samples of this phase that are done, those of earlier calls included."""
    total: int
    correct: int
    usage: Usage
    """Of the phase."""
    left: float | None
    """Seconds to the end of the phase at the pace so far; None where there is no pace yet."""
    resumed: bool = False


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What to learn from, and what not to."""

    train: Sequence[Task]
    validation: Sequence[Task] = ()
    test: Sequence[Task] = ()

    def groups(self) -> Mapping[str, Sequence[Task]]:
        return {LEARN: self.train, VALIDATE: self.validation, TEST: self.test}


@dataclass(slots=True, kw_only=True)
class _Best:
    """The best validation so far."""

    accuracy: float = -1.0
    samples: int = 0
    mark: Mark | None = None
    since: int = 0
    """Validations that were no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a course ended."""

    id: str
    reason: str
    """``done``, ``early`` (no better validation), ``budget``."""
    kept: int | None = None
    """Samples after which the version that was kept had been learned; None where it is the last one."""
    notices: tuple[str, ...] = ()
    resumed: bool = False


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
        _check(tasks)
        self._made, self._tasks, self._plan = made, tasks, plan
        self._emit, self._on_progress, self._again = emit, on_progress, again
        self._store = AdaptationStore(made.home.db)
        self._attempts = Attempts(made, emit)
        self._notices: list[str] = []
        self._begun = monotonic()
        self._id, self._resumed = "", False

    @property
    def id(self) -> str:
        """Its id, once it runs."""
        return self._id

    async def run(self) -> Ended:
        """Run it to its end, or go on with it.

        Raises:
            InputError: another process works on it.
            UserError: the agent cannot work as it is set up.
        """
        made, plan = self._made, self._plan
        _ = made.parts  # an unknown model or a missing key is said before anything is recorded
        settings = made.settings.model_dump(mode="json")
        same = identity(self._tasks.groups(), plan, settings, made.model_choice[0])
        told = {**asdict(plan), "model": made.model_choice[0], "strategy": made.strategy, "settings": settings}
        told |= {"tasks": {name: len(group) for name, group in self._tasks.groups().items()}}
        self._id, self._resumed = self._store.open(same, told, again=self._again)
        try:
            await self._frozen(BASE, 0, self._tasks.test)
            ended = await self._learn()
            await self._tests()
        except BaseException:
            self._store.release(self._id)
            raise
        self._store.finish(self._id, {**asdict(ended), "resumed": self._resumed})
        return ended

    # Frozen evaluation

    async def _tests(self) -> None:
        await self._frozen(TEST, 0, self._tasks.test)
        for parts in self._plan.ablations:
            if set(parts) != set(PARTS):
                show = ShowSettings(**{name: name in parts for name in PARTS})
                attempts = Attempts(self._made.varied({"show": show}), self._emit)
                await self._frozen(f"{TEST}:{'+'.join(parts) or 'nothing'}", 0, self._tasks.test, attempts)

    async def _frozen(self, phase: str, epoch: int, tasks: Sequence[Task], attempts: Attempts | None = None) -> float:
        """Answer tasks without learning; the accuracy over all of them."""
        attempts = attempts or self._attempts
        known = {one.place: one for one in self._store.samples(self._id, phase) if one.epoch == epoch}
        count = _Count(self, phase, len(tasks), known.values())

        async def answer(place: int, task: Task) -> Sample:
            run_id = self._run_id(phase, epoch, place)
            result = await attempts.frozen(run_id, task, f"{phase} {epoch} {place}")
            sample = as_sample(
                result, None, phase=phase, epoch=epoch, place=place, seconds=round(attempts.seconds(run_id), 3)
            )
            self._store.add(self._id, [sample])
            return sample

        todo = [(place, task) for place, task in enumerate(tasks) if place not in known]
        work = [lambda place=place, task=task: answer(place, task) for place, task in todo]
        found = await side_by_side(work, self._plan.concurrency, count.add)
        samples = [*known.values(), *found]
        return sum(one.correct for one in samples) / len(samples) if samples else 0.0

    # Learning

    async def _learn(self) -> Ended:
        plan, best, learned = self._plan, _Best(), 0
        validated = 0
        every = plan.every or len(self._tasks.train)
        validating = bool(self._tasks.validation)
        if validating:
            best.accuracy = await self._frozen(VALIDATE, 0, self._tasks.validation)
            best.mark = self._first_mark()
        count = _Count(self, LEARN, plan.epochs * len(self._tasks.train), self._store.samples(self._id, LEARN))
        reason = "done"
        for epoch in range(1, plan.epochs + 1):
            for number, window in enumerate(_windows(self._order(epoch), plan.window)):
                if (why := self._spent()) and not self._reached(epoch, number):
                    self._notices.append(why)
                    return await self._keep_best(best, "budget", learned)
                await self._window(epoch, number, window, count, learned)
                learned += len(window)
                due = validating and (learned // every > validated or self._last(epoch, learned))
                if due:
                    validated = learned // every
                    await self._validate(best, learned)
                    if plan.patience is not None and best.since >= plan.patience:
                        return await self._keep_best(best, "early", learned)
        return await self._keep_best(best, reason, learned)

    def _last(self, epoch: int, learned: int) -> bool:
        return epoch == self._plan.epochs and learned == self._plan.epochs * len(self._tasks.train)

    def _order(self, epoch: int) -> list[Task]:
        rewards: dict[str, list[float]] = {}
        for one in self._store.samples(self._id, LEARN):
            if one.epoch < epoch and one.reward is not None:
                rewards.setdefault(one.task_id, []).append(one.reward)
        return ordered(self._tasks.train, self._plan, epoch, rewards)

    def _reached(self, epoch: int, number: int) -> bool:
        return any((stage.epoch, stage.number) == (epoch, number) for stage in self._store.stages(self._id))

    async def _window(
        self, epoch: int, number: int, window: Sequence[tuple[int, Task]], count: _Count, learned: int
    ) -> None:
        """Work on the tasks of a window side by side, then learn from them in their order."""
        if self._reached(epoch, number):
            return

        async def attempt(place: int, task: Task) -> tuple[int, Task, State | None, float]:
            run_id = self._run_id(LEARN, epoch, place)
            state = await self._attempts.learning(run_id, task, f"{LEARN} {epoch} {place}")
            return place, task, state, self._attempts.seconds(run_id)

        work = [lambda place=place, task=task: attempt(place, task) for place, task in window]
        tried = await side_by_side(work, self._plan.concurrency, lambda done: None)
        learning = Window(self._made, self._emit)
        members = {
            place: Member(task=task, state=state) for place, task, state, _ in tried if state and state.get("trials")
        }
        for place in sorted(members):
            members[place] = await learning.keep(members[place])
        places = sorted(members)
        members = dict(zip(places, await learning.curate([members[place] for place in places]), strict=True))
        results = list[tuple[State, RunResult]]()
        samples = list[Sample]()
        for place, task, state, seconds in tried:
            assert state is not None  # a window is closed as a whole
            state = members[place].state if place in members else state
            result = await self._attempts.drive.result(task, state)
            results.append((state, result))
            told = {"phase": LEARN, "epoch": epoch, "place": place, "seconds": round(seconds, 3)}
            samples.append(as_sample(result, state, **told))
        with self._made.home.db.write():  # the window counts as a whole, or not at all
            for state, result in results:
                self._attempts.drive.write(state, result)
            self._store.add(self._id, samples)
            self._store.reach(self._id, self._stage(epoch, number, learned + len(window), learning))
        for _, result in results:
            await self._attempts.drive.clear(result.run_id)
        for sample in samples:
            count.add(sample)

    def _stage(self, epoch: int, number: int, samples: int, learning: Window) -> Stage:
        book = self._made.playbook.current()
        return Stage(
            phase=LEARN,
            epoch=epoch,
            number=number,
            samples=samples,
            cases=self._made.bank.count(),
            bullets=len(book) - len(book.checks),
            checks=len(book.checks),
            version=book.version,
            kept=learning.kept,
            dropped=learning.dropped,
            mark=to_data(mark(self._made)),
        )

    async def _validate(self, best: _Best, learned: int) -> None:
        accuracy = await self._frozen(VALIDATE, learned, self._tasks.validation)
        if accuracy > best.accuracy:
            stage = next(stage for stage in self._store.stages(self._id) if stage.samples == learned)
            best.accuracy, best.samples, best.since = accuracy, learned, 0
            best.mark = Mark(**stage.mark)
        else:
            best.since += 1

    def _first_mark(self) -> Mark:
        """What the home held before anything was learned; on record, so that a resumed course knows it too."""
        stages = [stage for stage in self._store.stages(self._id) if stage.epoch == 0]
        if not stages:
            empty = Window(self._made, self._emit)
            self._store.reach(self._id, self._stage(0, 0, 0, empty))
            stages = [stage for stage in self._store.stages(self._id) if stage.epoch == 0]
        return Mark(**stages[0].mark)

    async def _keep_best(self, best: _Best, reason: str, learned: int) -> Ended:
        """Bring the home back to the best version where that is not the last one."""
        kept = None
        if best.mark is not None and best.samples < learned:
            kept = best.samples
            self._notices += back_to(self._made, best.mark, f"{self._id}-", f"version after {kept} samples was better")
        return Ended(id=self._id, reason=reason, kept=kept, notices=tuple(self._notices), resumed=self._resumed)

    def _spent(self) -> str:
        """Which budget is used up; empty where none is."""
        budget = self._plan.budget
        usage = sum((one.usage for one in self._store.samples(self._id)), Usage())
        if budget.tokens is not None and usage.tokens >= budget.tokens:
            return f"the budget of {budget.tokens:,} tokens is used up"
        if budget.cost_usd is not None and usage.cost_usd >= budget.cost_usd:
            return f"the budget of {budget.cost_usd} USD is used up"
        if budget.seconds is not None and monotonic() - self._begun >= budget.seconds:
            return f"the budget of {budget.seconds:g} seconds is used up"
        return ""

    def _run_id(self, phase: str, epoch: int, place: int) -> str:
        return f"{self._id}-{phase.replace(':', '.')}-{epoch}-{place}"

    def tell(self, progress: Progress) -> None:
        """Pass progress on."""
        self._on_progress(replace(progress, id=self._id, resumed=self._resumed))


class _Count:
    """Counts the samples of a phase as they come in."""

    def __init__(self, course: Course, phase: str, total: int, known: Any) -> None:
        known = list(known)
        self._course, self._phase, self._total = course, phase, total
        self._before, self._done = len(known), len(known)
        self._correct = sum(one.correct for one in known)
        self._usage = sum((one.usage for one in known), Usage())
        self._begun = monotonic()
        if total:
            self._tell()

    def add(self, sample: Sample) -> None:
        self._done += 1
        self._correct += sample.correct
        self._usage += sample.usage
        self._tell()

    def _tell(self) -> None:
        here, spent = self._done - self._before, monotonic() - self._begun
        left = spent / here * (self._total - self._done) if here else None
        self._course.tell(
            Progress(
                id="",
                phase=self._phase,
                done=self._done,
                total=self._total,
                correct=self._correct,
                usage=self._usage,
                left=left,
            )
        )


def _windows(tasks: Sequence[Task], size: int) -> list[tuple[tuple[int, Task], ...]]:
    placed = list(enumerate(tasks))
    return [tuple(placed[start : start + size]) for start in range(0, len(placed), size)]


def _check(tasks: Tasks) -> None:
    if not tasks.train:
        raise InputError("there is no task to learn from")
    seen: dict[str, str] = {}
    for name, group in tasks.groups().items():
        for task in group:
            if task.id in seen and seen[task.id] != name:
                raise InputError(f"task {task.id} is both to learn from and to be judged by ({seen[task.id]}, {name})")
            if task.id in seen:
                raise InputError(f"two tasks have the id {task.id}")
            seen[task.id] = name
