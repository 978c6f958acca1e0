"""Jobs go out, results come in: each attempt has one in the end, whatever the executor does."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench.configuration import configuration
from agentfly.bench.folder import ResultsFolder, ResultsWriter
from agentfly.bench.results import Result
from agentfly.bench.running.executing import Done, Job
from agentfly.bench.running.jobs import Jobs
from agentfly.bench.running.progress import Progress, Tally
from agentfly.bench.running.runner import Runner
from agentfly.bench.running.strikes import FEWEST
from agentfly.errors import ConfigError, InputError, ProviderError
from agentfly.types import Task, Usage

CONFIG = configuration({"tasks": []})
Ends = Callable[[Job], str]
"""How a try ends: ``ok``, ``passing`` (an error that may pass), ``error``."""


def tasks(count: int) -> list[Task]:
    return [Task(f"question {n}", reference="x", id=f"t{n}") for n in range(count)]


class FakeExecutor:
    """Ends tries as it is told, after a while."""

    def __init__(
        self, ends: Ends = lambda job: "ok", slots: int = 4, record: object = None, pause: float = 0.0
    ) -> None:
        self._ends, self._slots, self._record, self._pause = ends, slots, record, pause
        self.made: list[Job] = []
        self.settled = Counter[str]()
        self.most = self._now = 0

    @property
    def slots(self) -> int:
        return self._slots

    async def start(self, closed: Collection[str] = ()) -> None: ...

    async def do(self, job: Job) -> Done:
        self._now += 1
        self.most = max(self.most, self._now)
        self.made.append(job)
        await asyncio.sleep(self._pause)
        self._now -= 1
        end = self._ends(job)
        result = Result(
            task_id=job.task.id,
            attempt=job.attempt,
            verdict="correct" if end == "ok" else "error",
            error="" if end == "ok" else "away",
            usage=Usage(calls=1, prompt_tokens=10),
            seconds=1.0,
            run_id=job.run_id("identity"),
        )
        return Done(job=job, result=result, record=self._record or {}, again=end == "passing")

    async def settle(self, done: Sequence[Done]) -> None:
        self.settled.update(one.result.run_id for one in done)

    async def aclose(self) -> None: ...


def run(
    out: Path,
    executor: FakeExecutor,
    count: int,
    attempts: int = 1,
    retries: int = 2,
    told: list[Progress] | None = None,
) -> list[Result]:
    """A run, or the rest of it; the results on disk."""

    async def go() -> None:
        with ResultsWriter(out, CONFIG) as writer, ResultsFolder(out) as before:
            tally = Tally(count * attempts, frozenset(), (told if told is not None else []).append)
            tally.begin(before.results())
            await Runner(writer, executor, Jobs(tasks(count), attempts, writer.done), tally, retries=retries).run()
            writer.finish()

    asyncio.run(go())
    return on_disk(out)


def on_disk(out: Path) -> list[Result]:
    with ResultsFolder(out) as folder:
        return list(folder.results())


def test_each_attempt_is_made_once_and_the_first_ones_come_first(tmp_path: Path) -> None:
    executor = FakeExecutor()
    found = run(tmp_path, executor, 10, attempts=3)
    assert sorted(one.key for one in found) == sorted((f"t{n}", k) for n in range(10) for k in range(3))
    assert [job.attempt for job in executor.made] == [0] * 10 + [1] * 10 + [2] * 10
    assert executor.most == 4
    assert set(executor.settled.values()) == {1}
    assert sum(executor.settled.values()) == 30


def test_what_fails_is_tried_again_at_the_end_and_its_cost_counts(tmp_path: Path) -> None:
    executor = FakeExecutor(lambda job: "passing" if job.task.id == "t3" and job.tries < 2 else "ok", slots=1)
    found = {one.task_id: one for one in run(tmp_path, executor, 6)}
    assert [job.task.id for job in executor.made] == ["t0", "t1", "t2", "t3", "t4", "t5", "t3", "t3"]
    assert len({job.run_id("i") for job in executor.made}) == 8
    again = found["t3"]
    assert (again.verdict, again.retries, again.usage.calls, again.seconds) == ("correct", 2, 3, 3.0)
    assert found["t2"].retries == 0


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_an_error_that_does_not_pass_is_a_result_in_the_end(tmp_path: Path, retries: int) -> None:
    executor = FakeExecutor(lambda job: "passing" if job.task.id == "t1" else "ok")
    found = {one.task_id: one for one in run(tmp_path, executor, 5, retries=retries)}
    assert len(found) == 5
    assert (found["t1"].verdict, found["t1"].retries, found["t1"].usage.calls) == ("error", retries, retries + 1)


def test_an_error_of_the_task_itself_is_not_tried_again(tmp_path: Path) -> None:
    executor = FakeExecutor(lambda job: "error" if job.task.id == "t1" else "ok")
    assert {one.verdict for one in run(tmp_path, executor, 5)} == {"correct", "error"}
    assert len(executor.made) == 5


def test_where_nothing_succeeds_any_more_it_stops_and_what_failed_does_not_count(tmp_path: Path) -> None:
    executor = FakeExecutor(lambda job: "ok" if job.place < 20 else "passing")
    with pytest.raises(ProviderError, match=r"away.*same command goes on"):
        run(tmp_path, executor, 200, retries=0)
    assert all(one.verdict == "correct" for one in on_disk(tmp_path))
    assert len(on_disk(tmp_path)) == 20
    assert len(executor.made) <= 20 + FEWEST + 2 * executor.slots + 1
    found = run(tmp_path, FakeExecutor(), 200)
    assert len(found) == 200
    assert {one.verdict for one in found} == {"correct"}


def test_a_provider_that_never_answered_gives_no_results(tmp_path: Path) -> None:
    with pytest.raises(ProviderError):
        run(tmp_path, FakeExecutor(lambda job: "passing"), 2)
    assert on_disk(tmp_path) == []


def test_many_tasks_that_always_fail_do_not_stop_a_run_in_which_others_succeed(tmp_path: Path) -> None:
    executor = FakeExecutor(lambda job: "passing" if job.place % 2 else "ok")
    found = run(tmp_path, executor, 60)
    assert Counter(one.verdict for one in found) == {"correct": 30, "error": 30}


def test_an_agent_that_cannot_work_ends_it_at_once_and_keeps_what_is_done(tmp_path: Path) -> None:
    def ends(job: Job) -> str:
        if job.place == 12:
            raise ConfigError("no such tool")
        return "ok"

    with pytest.raises(ConfigError, match="no such tool"):
        run(tmp_path, FakeExecutor(ends, slots=1), 50)
    assert 9 <= len(on_disk(tmp_path)) <= 12
    with ResultsFolder(tmp_path) as folder:
        assert [event.event for event in folder.events()] == ["start", "interruption"]


@given(st.integers(0, 10_000))
def test_whatever_happens_and_however_often_it_is_stopped_each_attempt_has_one_result(seed: int) -> None:
    import tempfile

    rng = random.Random(seed)
    count, attempts = rng.randint(1, 12), rng.randint(1, 3)
    bad = {n for n in range(count) if rng.random() < 0.2}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        out, settled = Path(name) / "out", Counter[str]()
        for last in (False, False, True):
            left = [rng.randint(0, 25)]

            def ends(job: Job, left: list[int] = left, last: bool = last) -> str:
                left[0] -= 1
                if left[0] == 0 and not last:
                    raise InputError("stopped")
                if job.place in bad:
                    return "error"
                return "passing" if rng.random() < 0.2 else "ok"

            executor = FakeExecutor(ends, slots=rng.randint(1, 5))
            before = {one.key: one for one in on_disk(out)} if out.exists() else {}
            try:
                run(out, executor, count, attempts)
            except (InputError, ProviderError):
                if last:
                    return  # nothing at all succeeded
            assert not before.keys() & {job.key for job in executor.made}, "what has a result is not made again"
            after = {one.key: one for one in on_disk(out)}
            assert {key: after[key] for key in before} == before
            settled += executor.settled
        assert sorted(after) == sorted((f"t{n}", k) for n in range(count) for k in range(attempts))
        assert all(one.verdict == "error" for one in after.values() if int(one.task_id[1:]) in bad)


def test_ten_thousand_tasks_take_no_more_memory_than_a_thousand(tmp_path: Path) -> None:
    def peak(name: str, count: int) -> int:
        executor = FakeExecutor(slots=32, record={"steps": ["x" * 5000]})
        executor.made = _Forgetful()
        executor.settled = _Nothing()
        tracemalloc.start()
        run(tmp_path / name, executor, count)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak("small", 1000), peak("large", 10_000)
    # Tasks and the keys of what is done stay in memory: about a kilobyte each; results and records, of which each has five, do not.
    assert large - small < 9000 * 1500


class _Forgetful(list[Job]):
    def append(self, job: Job) -> None: ...


class _Nothing(Counter[str]):
    def update(self, *args: object, **more: object) -> None: ...


def test_progress_goes_up_and_knows_what_was_there_before(tmp_path: Path) -> None:
    told: list[Progress] = []
    run(tmp_path, FakeExecutor(lambda job: "error" if job.place == 2 else "ok"), 10, told=told)
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert (told[0].done, told[0].left, told[0].resumed) == (0, None, False)
    last = told[-1]
    assert (last.done, last.judged, last.correct, last.errors, last.usage.calls) == (10, 10, 9, 1, 10)
    run(tmp_path, FakeExecutor(), 10, told=(again := []))
    assert (again[-1].done, again[-1].resumed) == (10, True)
