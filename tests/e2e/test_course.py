"""Courses of learning: the same whatever ended first, to a clean end whatever runs out, and on from where they were."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import course
from support.course import SleepyModel, learn, says, summary, tasks

from agentfly.errors import InputError, ModelUnavailableError, ProviderError
from agentfly.learning.adaptation.breaker import STRIKES
from agentfly.learning.adaptation.course import Course, Progress, Tasks
from agentfly.learning.adaptation.plan import Budget, Plan
from agentfly.store.adaptations import AdaptationStore, Sample
from agentfly.store.home import Home
from agentfly.types import Message

SMALL = tasks(train=8, validation=2, test=2)
PLAN = Plan(window=4, concurrency=4)
ALWAYS = {"gate": "always", "policy": "similarity", "explore": 0, "memory.capacity": None}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where there is such a place: a course waits for the disk again and again."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    course.pretend(monkeypatch.setattr)


def samples(home: Path, phase: str | None = None) -> list[Sample]:
    store = AdaptationStore(Home.open(home).db)
    id = store.latest()
    assert id is not None
    return store.samples(id, phase)


def done(*args: Any, **more: Any) -> Any:
    return asyncio.run(learn(*args, **more))


# The same, whatever ended first


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "neural", "gate": "replay", "explore": 1},
        {"policy": "episodic", "gate": "fix", "explore": 2, "recall.temperature": 0.3},
        {"policy": "similarity", "gate": "always", "explore": 0, "learning.answers": "always"},
    ],
    ids=lambda settings: f"{settings['policy']}-{settings['gate']}",
)
def test_what_comes_of_it_does_not_depend_on_what_ended_first(settings: dict[str, Any], tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=2, order="shuffled", seed=3)
    groups = tasks(train=8, validation=1, test=1)
    done(tmp_path / "one", replace(plan, concurrency=1), groups, settings=settings)
    expected = summary(tmp_path / "one")
    for seed, most in ((1, 8), (2, 3)):
        model = SleepyModel(seed=seed, most=0.03)
        done(tmp_path / f"{most}", replace(plan, concurrency=most), groups, settings=settings, model=model)
        found = summary(tmp_path / f"{most}")
        for name, value in expected.items():
            assert found[name] == value, name
    assert expected["left over"] == [0, 0, 0]


# Going on


def stop_after(phase: str, samples: int) -> Callable[[Progress], None]:
    """Ctrl-C when so many samples of a phase are done."""

    def look(progress: Progress) -> None:
        if progress.phase == phase and progress.done == samples:
            signal.raise_signal(signal.SIGINT)

    return look


@pytest.mark.parametrize(("phase", "at"), [("base", 1), ("learn", 4), ("validate", 1), ("test", 1)])
def test_interrupted_the_same_call_goes_on_in_the_same_process(phase: str, at: int, tmp_path: Path) -> None:
    done(tmp_path / "whole", PLAN, SMALL)
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path / "home", PLAN, SMALL, on_progress=stop_after(phase, at))
    before = len(samples(tmp_path / "home"))
    ended = done(tmp_path / "home", replace(PLAN, concurrency=2), SMALL)  # less at once is no other course
    assert ended.resumed
    assert before > 0
    found, expected = summary(tmp_path / "home"), summary(tmp_path / "whole")
    for name, value in expected.items():
        assert found[name] == value, name


def test_other_tasks_or_settings_are_another_course(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path, PLAN, SMALL, settings=ALWAYS, on_progress=stop_after("base", 1))
    first = AdaptationStore(Home.open(tmp_path).db).latest()
    other = replace(SMALL, train=[*SMALL.train[:-1], replace(SMALL.train[-1], reference="0")])
    ended = done(tmp_path, PLAN, other, settings=ALWAYS)
    assert not ended.resumed
    assert ended.id != first
    assert done(tmp_path, PLAN, SMALL, settings=ALWAYS).id == first


def test_two_processes_do_not_work_on_one_course(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path, PLAN, SMALL, settings=ALWAYS, on_progress=stop_after("base", 1))
    db = Home.open(tmp_path).db
    code = "import sys; from agentfly.store import process; print(process.mark(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        mark = other.stdout.readline().strip()
        with db.write() as tx:
            tx.execute("UPDATE adaptations SET owner = ?", (mark,))
        with pytest.raises(InputError, match=rf"another process \({other.pid} on .*\); wait for it to end"):
            done(tmp_path, PLAN, SMALL, settings=ALWAYS)
        other.kill()
        other.wait()
    assert done(tmp_path, PLAN, SMALL, settings=ALWAYS).resumed, "whoever is dead works on nothing"


def test_one_process_does_not_work_on_a_course_twice(tmp_path: Path) -> None:
    async def twice() -> list[Any]:
        async with course.agent_on(tmp_path, SleepyModel(most=0.02), ALWAYS) as agent:
            both = [Course(agent._made, SMALL, PLAN).run() for _ in range(2)]
            return await asyncio.gather(*both, return_exceptions=True)

    first, second = asyncio.run(twice())
    assert first.reason == "done"
    assert isinstance(second, InputError)
    assert "by this process already" in str(second)


# The best version


def validated(right: Sequence[int]) -> Any:
    """A model that gets so many validation tasks right, validation by validation; all else as it is."""
    seen: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        told = messages[-1].content
        if "validation " in told.splitlines()[-1] or "Task: validation" in told:
            seen.append(told)
            number, place = divmod(len(seen) - 1, 2)
            return f"```python\nfinal_answer({TRUTH[_asked(told)] if place < right[number] else 0})\n```"
        return says(messages)

    return SleepyModel(answer)


TRUTH = {task.question: task.reference for task in SMALL.validation}


def _asked(told: str) -> str:
    return next(question for question in TRUTH if question in told)


@pytest.mark.parametrize(
    ("right", "reason", "kept", "learned"),
    [
        ((2, 1, 1), "done", 0, 8),  # the base was best
        ((0, 2, 1), "done", 4, 8),
        ((1, 1, 1), "done", None, 8),  # as good, and it has seen more
        ((1, 1), "early", None, 4),
        ((2, 1), "early", 0, 4),
    ],
)
def test_the_best_version_is_kept(
    right: tuple[int, ...], reason: str, kept: int | None, learned: int, tmp_path: Path
) -> None:
    plan = replace(PLAN, concurrency=1, every=4, patience=1 if reason == "early" else None)
    ended = done(tmp_path, plan, SMALL, model=validated(right), settings=ALWAYS)
    assert (ended.reason, ended.kept, ended.notices) == (reason, kept, ())
    assert len(samples(tmp_path, "learn")) == learned
    assert len(samples(tmp_path, "test")) == 2
    cases = [case for case in summary(tmp_path)["cases"] if case[6] == "active"]
    assert len(cases) == {0: 0, 4: 4, None: learned}[kept]
    assert ("Whenever" in summary(tmp_path)["playbook"]) is (kept != 0)


def test_what_was_restored_is_not_learned_again(tmp_path: Path) -> None:
    plan = replace(PLAN, concurrency=1, every=4)
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path, plan, SMALL, model=validated((2, 1, 1)), settings=ALWAYS, on_progress=stop_after("test", 1))
    calls: list[str] = []
    model = SleepyModel(called=lambda messages: calls.append(messages[-1].content))
    ended = done(tmp_path, plan, SMALL, model=model, settings=ALWAYS)
    assert (ended.kept, ended.notices, ended.resumed) == (0, (), True)
    assert len(calls) == 1, "the one test task that was left"
    assert len([line for line in summary(tmp_path)["deltas"] if line[2] == "rollback"]) == 1


def test_validation_that_nobody_can_judge_says_nothing(tmp_path: Path) -> None:
    groups = replace(SMALL, validation=[replace(one, reference=None) for one in SMALL.validation])
    ended = done(tmp_path, replace(PLAN, patience=1, every=4), groups, settings=ALWAYS)
    assert (ended.reason, ended.kept) == ("done", None)
    assert "nobody can judge" in ended.notices[0]
    assert [one.verdict for one in samples(tmp_path, "validate")] == ["unjudged"] * 2


# What runs out


@pytest.mark.parametrize("budget", [Budget(tokens=1), Budget(seconds=1e-6)], ids=["tokens", "seconds"])
def test_a_budget_ends_learning_and_nothing_else(budget: Budget, tmp_path: Path) -> None:
    ended = done(tmp_path, replace(PLAN, budget=budget), SMALL, settings=ALWAYS)
    assert ended.reason == "budget"
    assert "is used up" in ended.notices[0]
    phases = [one.phase for one in samples(tmp_path)]
    assert (phases.count("base"), phases.count("test"), phases.count("learn")) == (2, 2, 0)


def test_what_a_budget_has_bought_is_validated_and_kept(tmp_path: Path) -> None:
    """Without a validation of its own it would be thrown away for the base."""
    assert done(tmp_path / "all", PLAN, SMALL, settings=ALWAYS).reason == "done"
    every = samples(tmp_path / "all")
    first_window = [one for one in every if one.phase == "learn" and one.place < 4]
    before = [one for one in every if (one.phase, one.epoch) == ("validate", 0)]
    spent = sum(one.usage.tokens for one in (*before, *first_window))
    plan = replace(PLAN, budget=Budget(tokens=spent - 1))
    ended = done(tmp_path / "home", plan, SMALL, settings=ALWAYS)
    assert (ended.reason, ended.kept) == ("budget", None)
    assert len(samples(tmp_path / "home", "learn")) == 4
    assert [one.epoch for one in samples(tmp_path / "home", "validate")] == [0, 0, 4, 4]


def test_seconds_are_those_of_all_processes(tmp_path: Path) -> None:
    plan = replace(PLAN, budget=Budget(seconds=1000))
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path, plan, SMALL, settings=ALWAYS, on_progress=stop_after("learn", 4))
    db = Home.open(tmp_path).db
    store, id = AdaptationStore(db), AdaptationStore(db).latest()
    assert id is not None
    assert 0 < store.show(id).outcome["seconds"] < 1000
    store.note(id, {"seconds": 1000.0})
    ended = done(tmp_path, plan, SMALL, settings=ALWAYS)
    assert (ended.reason, len(samples(tmp_path, "learn"))) == ("budget", 4)


# What fails


def down(messages: Sequence[Message]) -> str:
    raise ProviderError("the server says 503")


def up_for(calls: int) -> SleepyModel:
    """A provider that goes down after so many calls."""
    left = [calls]

    def answer(messages: Sequence[Message]) -> str:
        left[0] -= 1
        return says(messages) if left[0] >= 0 else down(messages)

    return SleepyModel(answer)


def test_a_provider_that_is_down_ends_the_course_at_once(tmp_path: Path) -> None:
    asked: list[Any] = []
    groups = tasks(train=40, validation=0, test=20)
    with pytest.raises(ProviderError, match="the model fails on every task: the server says 503"):
        done(tmp_path, PLAN, groups, model=SleepyModel(down, called=asked.append), settings=ALWAYS)
    assert len(asked) <= STRIKES + PLAN.concurrency
    assert samples(tmp_path) == [], "nothing that failed counts"


@pytest.mark.parametrize("mode", ["offline", "online"])
@pytest.mark.parametrize("calls", [4, 11])
def test_what_a_provider_failed_is_tried_again(mode: Any, calls: int, tmp_path: Path) -> None:
    plan, groups = Plan(mode=mode, concurrency=2), tasks(train=12, validation=0, test=2)
    settings = {**ALWAYS, "learning.strategies": False}
    done(tmp_path / "whole", plan, groups, settings=settings)
    with pytest.raises(ProviderError):
        done(tmp_path / "home", plan, groups, settings=settings, model=up_for(calls))
    ended = done(tmp_path / "home", plan, groups, settings=settings)
    assert ended.resumed
    found, expected = summary(tmp_path / "home"), summary(tmp_path / "whole")
    assert [one[0]["verdict"] for one in found["samples"]].count("error") <= PLAN.window - 1
    assert found["left over"] == [0, 0, 0]
    assert len(found["samples"]) == len(expected["samples"])
    if "error" not in [one[0]["verdict"] for one in found["samples"]]:
        for name in ("cases", "judged", "playbook"):
            assert found[name] == expected[name], name
        answers = [[one[0][key] for key in ("run_id", "verdict", "answer", "cases")] for one in found["samples"]]
        assert answers == [
            [one[0][key] for key in ("run_id", "verdict", "answer", "cases")] for one in expected["samples"]
        ]


def test_what_was_begun_after_failed_windows_begins_again_with_what_they_come_to_teach(tmp_path: Path) -> None:
    class Down(SleepyModel):
        """After four calls it fails, but for one task, of which nothing is heard any more."""

        async def complete(self, messages: Sequence[Message], *options: Any, **more: Any) -> Any:
            self.made = getattr(self, "made", 0) + 1
            if "train 6" in messages[-1].content:
                await asyncio.Event().wait()
            return await super().complete(messages, *options, **more) if self.made <= 4 else down(messages)

    plan, groups = Plan(window=2, concurrency=2), tasks(train=12, validation=0, test=2)
    settings = {**ALWAYS, "learning.strategies": False}
    done(tmp_path / "whole", plan, groups, settings=settings)
    with pytest.raises(ProviderError):
        done(tmp_path / "home", plan, groups, settings=settings, model=Down())
    left = Home.open(tmp_path / "home").db.read("SELECT run_id FROM recalls UNION SELECT thread_id FROM checkpoints")
    assert not [row[0] for row in left if row[0].endswith("-6")]
    done(tmp_path / "home", plan, groups, settings=settings)
    found, expected = summary(tmp_path / "home"), summary(tmp_path / "whole")
    for name in ("cases", "judged", "playbook"):
        assert found[name] == expected[name], name


def test_a_provider_that_fails_now_and_then_costs_its_samples_only(tmp_path: Path) -> None:
    count = [0]

    def answer(messages: Sequence[Message]) -> str:
        count[0] += 1
        return down(messages) if count[0] % 4 == 0 else says(messages)

    settings = {**ALWAYS, "learning.strategies": False}
    groups = tasks(train=12, validation=0, test=2)
    assert done(tmp_path, PLAN, groups, model=SleepyModel(answer), settings=settings).reason == "done"
    verdicts = [one.verdict for one in samples(tmp_path)]
    assert verdicts.count("error") == 4
    assert len(verdicts) == 16


def test_a_refused_key_ends_the_course_with_its_own_words(tmp_path: Path) -> None:
    def refused(messages: Sequence[Message]) -> str:
        raise ModelUnavailableError("the key was refused")

    with pytest.raises(ModelUnavailableError, match="the key was refused"):
        done(tmp_path, PLAN, SMALL, model=SleepyModel(refused), settings=ALWAYS)
    assert samples(tmp_path) == []


def test_what_is_wrong_with_one_task_is_that_tasks_own_error(tmp_path: Path) -> None:
    train = [replace(SMALL.train[0], reference="odd"), *SMALL.train[1:]]
    test = [replace(SMALL.test[0], reference="odd"), replace(SMALL.test[1], reference=None)]
    groups = replace(SMALL, train=train, test=test, validation=())
    done(tmp_path, PLAN, groups, settings=ALWAYS, scorer="numeric")
    assert [one.verdict for one in samples(tmp_path, "learn")].count("error") == 1
    assert [one.verdict for one in samples(tmp_path, "test")] == ["error", "unjudged"]
    assert summary(tmp_path)["left over"] == [0, 0, 0]


# What counts


def test_without_feedback_no_answer_is_right(tmp_path: Path) -> None:
    groups = Tasks(train=[replace(one, reference=None) for one in SMALL.train[:4]])
    done(tmp_path, PLAN, groups, settings={**ALWAYS, "feedback": "none"})
    assert {(one.verdict, one.solved) for one in samples(tmp_path)} == {("unjudged", False)}


def test_online_answers_first_and_learns_then(tmp_path: Path) -> None:
    """A kind that was answered wrongly once is known from the next time on, and not before."""
    groups = Tasks(train=[course.task(place) for place in (1, 5, 9, 13)])  # all of one kind, and not known by itself
    settings = {**ALWAYS, "learning.cases": False}
    assert Plan(mode="online").window == 1
    done(tmp_path, Plan(mode="online", concurrency=4), groups, settings=settings)
    assert [one.verdict for one in samples(tmp_path, "learn")] == ["wrong", "correct", "correct", "correct"]


def test_a_task_never_sees_its_own_case(tmp_path: Path) -> None:
    """In a later epoch it would be right by that alone."""
    shown: list[tuple[str, str]] = []

    def look(messages: Sequence[Message]) -> None:
        told = messages[-1].content
        asked = [line for line in told.splitlines() if "what does" in line and "example" not in line]
        shown.extend((asked[-1], line) for line in told.splitlines() if line.startswith("Solved example"))

    done(tmp_path, replace(PLAN, epochs=2), SMALL, model=SleepyModel(called=look), settings=ALWAYS)
    assert shown
    question = "what does"
    for asked, line in shown:
        assert line.partition("]: ")[2] not in asked, asked
        assert question in line


def test_nothing_grows_with_the_number_of_samples(tmp_path: Path) -> None:
    async def run() -> tuple[Any, ...]:
        async with course.agent_on(tmp_path, SleepyModel(), ALWAYS) as agent:
            work = Course(agent._made, tasks(train=16, validation=2, test=2), PLAN)
            await work.run()
            made = agent._made
            return made.parts.told, made._references, work._attempts._begun, work._open

    assert [len(held) for held in asyncio.run(run())] == [0, 0, 0, 0]
    assert summary(tmp_path)["left over"] == [0, 0, 0]


def test_tasks_that_ask_the_same_are_samples_of_their_own(tmp_path: Path) -> None:
    one = SMALL.train[0]
    groups = Tasks(train=[one, replace(one, id="again"), *SMALL.train[1:3]])
    done(tmp_path, PLAN, groups, settings=ALWAYS)
    assert [sample.task_id for sample in samples(tmp_path, "learn")] == [one.id, "again", "train-1", "train-2"]
    assert len([case for case in summary(tmp_path)["cases"] if case[1] == one.question and case[6] == "active"]) == 1


def test_a_task_is_not_judged_by_what_it_was_learned_from(tmp_path: Path) -> None:
    async def course_of(groups: Tasks) -> None:
        async with course.agent_on(tmp_path, SleepyModel(), ALWAYS) as agent:
            Course(agent._made, groups, PLAN)

    with pytest.raises(InputError, match=r"task train-0 is both to learn from and to be judged by \(learn, test\)"):
        asyncio.run(course_of(replace(SMALL, test=SMALL.train[:1])))
    with pytest.raises(InputError, match="two tasks have the id train-0"):
        asyncio.run(course_of(Tasks(train=[SMALL.train[0], SMALL.train[0]])))
    with pytest.raises(InputError, match="there is no task to learn from"):
        asyncio.run(course_of(Tasks(train=[])))
