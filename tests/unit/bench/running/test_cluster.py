"""The cluster executor over workers of this process that die on command: what it hands out, hands out again, and gives up."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pickle
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agentfly.bench.datasets import ReferenceScorer
from agentfly.bench.running import cluster, spreading
from agentfly.bench.running.cluster import ClusterExecutor
from agentfly.bench.running.cluster_worker import ClusterWorker, Make, Orders, local_executor
from agentfly.bench.running.executing import Done, Executor, Job, Setup
from agentfly.bench.running.local import LocalExecutor
from agentfly.bench.running.machines import WorkerLost
from agentfly.bench.running.outcomes import failed
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.shipping import Known, Scratch, lay_files, pack_home, read_files, unpack_home
from agentfly.config import Settings
from agentfly.errors import ConfigError, HomeError, InputError, SandboxError, UserError
from agentfly.events import Notice
from agentfly.models.scripted import ScriptedModel
from agentfly.nodes.state import Emit
from agentfly.scorers import gaia_match
from agentfly.store.home import DATABASE, Home
from agentfly.types import Task

Act = Callable[[Job, int], Awaitable[None]]
"""What an executor does with a job: of the job, and which worker it is on."""


class Pretended:
    """A worker in this process. What goes to and fro is pickled, as it is on the way to another machine."""

    def __init__(self, number: int) -> None:
        self.number, self.it, self.dead = number, ClusterWorker(), asyncio.Event()

    async def call(self, method: str, *arguments: Any) -> Any:
        sent = arguments if method == "begin" else pickle.loads(pickle.dumps(arguments))
        working = asyncio.ensure_future(getattr(self.it, method)(*sent))
        dying = asyncio.ensure_future(self.dead.wait())
        try:
            await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
            if self.dead.is_set():
                raise WorkerLost(f"worker {self.number} was shot")
            return pickle.loads(pickle.dumps(working.result()))
        finally:
            working.cancel()
            dying.cancel()
            await asyncio.gather(working, dying, return_exceptions=True)

    def kill(self) -> None:
        self.dead.set()


@dataclass
class Hall:
    """Machines that are all this one."""

    folder: Path | None
    ours: bool = True
    started: list[Pretended] = field(default_factory=list)
    stillborn: bool = False
    shared: list[int] = field(default_factory=list)
    closed: int = 0

    async def open(self) -> None: ...

    def room(self) -> int:
        return 2

    def share(self, data: bytes) -> bytes:
        self.shared.append(len(data))
        return data

    def worker(self, at_once: int) -> Pretended:
        self.started.append(Pretended(len(self.started)))
        if self.stillborn:
            self.started[-1].kill()
        return self.started[-1]

    async def close(self) -> None:
        self.closed += 1


class Acting:
    """An executor that does with each job what a test says."""

    slots = 1

    def __init__(self, act: Act, number: int) -> None:
        self.act, self.number = act, number
        self.busy = self.busiest = 0
        self.settled: list[str] = []

    async def start(self, closed: Collection[str] = ()) -> None: ...

    async def do(self, job: Job) -> Done:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.act(job, self.number)
        finally:
            self.busy -= 1
        run_id = job.run_id("abcdefgh")
        told = failed(job.task, attempt=job.attempt, run_id=run_id, reason="", started=1.0, seconds=0.5)
        told = replace(told, verdict="correct", answer=str(self.number))
        return Done(job=job, result=told, record={"files": [str(file) for file in job.task.files]})

    async def settle(self, done: Sequence[Done]) -> None:
        self.settled += [one.result.run_id for one in done]

    async def aclose(self) -> None: ...


@dataclass
class Company:
    """A running cluster executor and all that can be seen of it."""

    executor: ClusterExecutor
    hall: Hall
    made: list[Acting]
    notices: list[Notice]

    async def all(self, jobs: Sequence[Job]) -> list[Done]:
        return await asyncio.gather(*(self.executor.do(job) for job in jobs))


@asynccontextmanager
async def company(tmp_path: Path, act: Act, **more: Any) -> AsyncIterator[Company]:
    hall = more.pop("hall", None) or Hall(tmp_path)
    made: list[Acting] = []
    notices: list[Notice] = []

    async def make(setup: Setup, at_once: int, emit: Emit) -> Executor:
        made.append(Acting(act, len(made)))
        return made[-1]

    (tmp_path / "home").mkdir(exist_ok=True)
    setup = Setup(identity="abcdefgh", home=tmp_path / "home", settings=Settings(model="embedded"))
    given: dict[str, Any] = {"workers": 2, "slots": 4, "make": make, "emit": notices.append, "patience": 5.0, **more}
    executor = ClusterExecutor(setup, hall, **given)
    try:
        await executor.start()
        yield Company(executor, hall, made, notices)
    finally:
        await executor.aclose()


def jobs(count: int, files: Sequence[Path] = ()) -> list[Job]:
    return [Job(task=Task(f"q{i}", id=f"t{i}", reference="1", files=tuple(files)), place=i) for i in range(count)]


async def nothing(job: Job, number: int) -> None:
    await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PAUSE", 0.01)


async def test_every_job_is_done_once_and_no_worker_has_more_than_its_share(tmp_path: Path) -> None:
    async with company(tmp_path, nothing) as group:
        done = await group.all(jobs(30))
        assert [one.result.task_id for one in done] == [f"t{i}" for i in range(30)]
        assert Counter(one.result.answer for one in done).keys() == {"0", "1"}
        assert [one.busiest for one in group.made] == [2, 2]
        assert all(one.result.retries == 0 for one in done)
    assert group.hall.closed == 1
    assert not list(tmp_path.glob("agentfly-worker-*"))


async def test_jobs_of_a_lost_worker_are_done_by_others_and_it_is_replaced(tmp_path: Path) -> None:
    begun: list[str] = []

    async def act(job: Job, number: int) -> None:
        begun.append(job.task.id)
        if len(begun) == 7:
            group.hall.started[0].kill()
        await asyncio.sleep(0.02)

    async with company(tmp_path, act) as group:
        done = await group.all(jobs(20))
        retried = {one.result.task_id: one.result.retries for one in done if one.result.retries}
        await asyncio.sleep(0.1)
        again = await group.all(jobs(20))
        assert {one.result.answer for one in again} == {"1", "2"}  # the third one took the place of the first
    assert {one.result.verdict for one in done} == {"correct"}
    assert len({one.result.task_id for one in done}) == 20
    assert set(retried.values()) == {1}
    assert len(retried) == 2
    assert Counter(begun[:22]) == Counter([f"t{i}" for i in range(20)] + list(retried))
    assert any("worker 0 was shot" in notice.text and notice.level == "warning" for notice in group.notices)


async def test_a_worker_that_one_call_alone_finds_lost_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection broke, perhaps: what it still does of that job nobody will hear, and it must not be given the same one again."""
    call, broken = Pretended.call, list[int]()

    async def breaking(self: Pretended, method: str, *arguments: Any) -> Any:
        if method == "do" and not broken:
            broken.append(self.number)
            raise WorkerLost("the connection broke")
        return await call(self, method, *arguments)

    monkeypatch.setattr(Pretended, "call", breaking)
    async with company(tmp_path, nothing, workers=1, slots=1) as group:
        done = await group.executor.do(jobs(1)[0])
        assert (done.result.retries, done.result.answer) == (1, "1")
        assert group.hall.started[0].dead.is_set()
    assert any("the connection broke" in notice.text for notice in group.notices)


async def test_a_job_that_takes_every_worker_down_ends_in_an_error_and_the_others_do_not(tmp_path: Path) -> None:
    async def act(job: Job, number: int) -> None:
        await asyncio.sleep(0.02)
        if job.task.id == "t5":
            group.hall.started[number].kill()
            await asyncio.sleep(1)

    # Two innocent jobs may be on the same worker each time, so that they are handed out as often as the guilty one.
    async with company(tmp_path, act, slots=2) as group:
        done = {one.result.task_id: one for one in await group.all(jobs(12))}
    assert done["t5"].result.verdict == "error"
    assert done["t5"].result.error.startswith("3 workers were lost while they worked on it")
    assert not done["t5"].again
    assert {one.result.verdict for id, one in done.items() if id != "t5"} == {"correct"}


async def test_workers_that_never_come_up_are_given_up(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no worker of the cluster stays up: worker \d was shot"):
        async with company(tmp_path, nothing, hall=Hall(tmp_path, stillborn=True)):
            pass


async def test_what_waits_for_a_worker_is_told_that_there_will_be_none(tmp_path: Path) -> None:
    async def act(job: Job, number: int) -> None:
        group.hall.stillborn = True
        for worker in group.hall.started:
            worker.kill()
        await asyncio.sleep(1)

    async with company(tmp_path, act) as group:
        with pytest.raises(UserError, match="stays up"):
            await asyncio.wait_for(group.executor.do(jobs(1)[0]), 5)


async def test_a_cluster_without_room_is_said_after_a_while(tmp_path: Path) -> None:
    class Full(Hall):
        def worker(self, at_once: int) -> Pretended:
            worker = super().worker(at_once)
            worker.it.begin = lambda *given: asyncio.Event().wait()  # type: ignore[assignment, method-assign, return-value]
            return worker

    with pytest.raises(UserError, match=r"no worker came up within 0\.2 seconds"):
        async with company(tmp_path, nothing, hall=Full(tmp_path), patience=0.2):
            pass


async def test_what_a_worker_refuses_is_raised_as_what_it_is(tmp_path: Path) -> None:
    async def refuse(setup: Setup, at_once: int, emit: Emit) -> Executor:
        raise SandboxError("there is no sandbox here")

    with pytest.raises(SandboxError, match=r"there is no sandbox here \(on the worker "):
        async with company(tmp_path, nothing, make=refuse):
            pass


async def test_a_bug_is_raised_and_no_job_waits_for_ever(tmp_path: Path) -> None:
    async def broken(setup: Setup, at_once: int, emit: Emit) -> Executor:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        async with company(tmp_path, nothing, make=broken):
            pass


async def test_another_version_is_refused_on_a_cluster_that_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "code_version", lambda: "0.0.0+other")
    with pytest.raises(UserError, match=r"and this machine 0\.0\.0\+other: install the same version"):
        async with company(tmp_path, nothing, hall=Hall(tmp_path, ours=False)):
            pass


async def test_files_are_used_where_they_are_found_and_sent_where_not(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n")
    seen: list[str] = []

    async def act(job: Job, number: int) -> None:
        seen.extend(path.read_text() for path in job.task.files)

    async with company(tmp_path, act, workers=1) as group:
        here = await group.executor.do(jobs(1, [file])[0])
        assert here.record == {"files": [str(file)]}
        # A file of the same name and another content on the worker is not the file: only the numbers of the file tell.
        for place in group.executor._places:
            place.sees = False
        sent = await group.executor.do(jobs(1, [file])[0])
        (laid,) = map(Path, sent.record["files"])
        assert (laid.name, seen) == ("table.csv", ["a,b\n", "a,b\n"])
        assert laid != file
        assert not laid.exists()
        assert sent.job.task.files == (file,)


async def test_a_worker_asks_for_files_that_are_others_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, looks, reads = tmp_path / "table.csv", Counter[str](), list[str]()
    file.write_text("a,b\n")
    known, read = Known.of(file), read_files
    assert known is not None

    def elsewhere(kind: type[Known], path: Path) -> Known:
        """Each look finds another file, as on another machine."""
        looks["all"] += 1
        return replace(known, inode=looks["all"])

    async def act(job: Job, number: int) -> None:
        assert job.task.files[0] != file
        reads.append(job.task.files[0].read_text())

    monkeypatch.setattr(Known, "of", classmethod(elsewhere))
    sent: list[str] = []
    monkeypatch.setattr(cluster, "read_files", lambda files: sent.append("") or read(files))
    async with company(tmp_path, act, workers=1, slots=1) as group:
        for one in jobs(3, [file]):
            assert (await group.executor.do(one)).result.verdict == "correct"
    assert reads == ["a,b\n"] * 3
    assert len(sent) == 3
    assert looks["all"] == 2  # once here, once there: after that it is known that they differ


async def test_files_that_cannot_be_sent_are_an_error_of_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "big.bin"
    file.write_bytes(b"x" * 100)
    monkeypatch.setattr(cluster, "read_files", lambda files: read_files(files, most=50))
    async with company(tmp_path, nothing, workers=1) as group:
        for place in group.executor._places:
            place.sees = False
        large = await group.executor.do(jobs(1, [file])[0])
        absent = await group.executor.do(jobs(1, [tmp_path / "absent"])[0])
        fine = await group.executor.do(jobs(1)[0])
    assert (large.result.verdict, large.again) == ("error", False)
    assert "big.bin is too large to be sent" in large.result.error
    assert "absent cannot be read" in absent.result.error
    assert fine.result.verdict == "correct"


async def test_settling_goes_to_the_worker_that_did_the_job(tmp_path: Path) -> None:
    async with company(tmp_path, nothing) as group:
        done = await group.all(jobs(8))
        await group.executor.settle(done)
        await asyncio.sleep(0.05)
        for number, made in enumerate(group.made):
            assert sorted(made.settled) == sorted(d.result.run_id for d in done if d.result.answer == str(number))
        assert not group.executor._open
        group.hall.started[0].kill()
        await group.executor.settle(done)  # nothing is left to settle, and nobody minds


async def test_a_cancelled_job_is_cancelled_on_its_worker_and_leaves_its_place(tmp_path: Path) -> None:
    ended: list[str] = []

    async def act(job: Job, number: int) -> None:
        try:
            await asyncio.sleep(30 if job.task.id == "t0" else 0)
        finally:
            ended.append(job.task.id)

    async with company(tmp_path, act, workers=1, slots=1) as group:
        waiting = asyncio.ensure_future(group.executor.do(jobs(1)[0]))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ended == ["t0"]
        assert (await group.executor.do(jobs(2)[1])).result.verdict == "correct"


async def test_local_and_cluster_come_to_the_same(tmp_path: Path) -> None:
    """The contract of executors, over both of them, with a model that is right, wrong, silent or out of steps by what it is asked."""
    replies = {
        "right": "```python\nfinal_answer(7)\n```",
        "wrong": "```python\nfinal_answer(8)\n```",
        "silent": "I do not know.",
        "loops": "```python\nprint(1)\n```",
        "template": "```python\nfinal_answer('so FINAL ANSWER: 7')\n```",
    }

    def reply(messages: Any, options: Any = None) -> str:
        return next(text for kind, text in replies.items() if f"Kind: {kind}" in str(messages))

    async def scripted(setup: Setup, at_once: int, emit: Emit) -> Executor:
        return LocalExecutor(setup, at_once, emit, model=ScriptedModel(reply))

    async def results(make: Callable[[Setup], Executor]) -> list[dict[str, Any]]:
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        Home.open(home).close()
        settings = Settings.model_validate({"model": "embedded", "strategy": "codeact", "limits": {"steps": 2}})
        scorer = ReferenceScorer("gaia", gaia_match)
        executor = make(Setup(identity="abcdefgh", home=home, settings=settings, scorer=scorer))
        asked = [
            Job(task=Task(f"Kind: {kind}", id=kind, reference="7", level="1"), place=place, attempt=attempt)
            for place, kind in enumerate(replies)
            for attempt in range(2)
        ]
        try:
            await executor.start()
            done = await asyncio.gather(*(executor.do(job) for job in asked))
            await executor.settle(done)
            return [_told(one) for one in done]
        finally:
            await executor.aclose()

    here = await results(lambda setup: LocalExecutor(setup, 4, model=ScriptedModel(reply)))
    there = await results(
        lambda setup: ClusterExecutor(setup, Hall(tmp_path), workers=2, slots=4, make=scripted, patience=30)
    )
    assert here == there
    assert [one["verdict"] for one in here[::2]] == ["correct", "wrong", "limit", "limit", "correct"]


def _told(done: Done) -> dict[str, Any]:
    """All of a result that is not a time."""
    result = done.result
    names = ("task_id", "attempt", "verdict", "level", "answer", "reward", "source", "run_id", "steps", "error")
    usage = (result.usage.calls, result.usage.prompt_tokens, result.usage.completion_tokens)
    actions = [step["action"] for step in done.record["steps"]]
    return {**{name: getattr(result, name) for name in names}, "usage": usage, "again": done.again, "actions": actions}


# What is shipped


def test_a_home_is_packed_as_it_is_at_one_moment_without_what_runs_wrote(tmp_path: Path) -> None:
    with Home.open(tmp_path / "home") as home:
        (home.artifacts / "big").write_bytes(b"x" * 10_000)
        (tmp_path / "home" / "mcp.json").write_text("{}")
        with home.db.write() as writing:  # a transaction that is open, and must not be in the copy
            writing.execute("INSERT INTO meta VALUES ('half', 'done')")
            packed = pack_home(tmp_path / "home")
        identity = home.id
    unpack_home(packed, tmp_path / "copy")
    with Home.open(tmp_path / "copy", create=False) as copy:
        assert copy.id == identity
        assert not copy.db.read("SELECT * FROM meta WHERE key = 'half'")
        assert not list(copy.artifacts.iterdir())
        assert (tmp_path / "copy" / "mcp.json").read_text() == "{}"
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {DATABASE}


def test_a_home_that_is_not_there_or_damaged_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="cannot be copied to the workers"):
        pack_home(tmp_path / "none")
    (tmp_path / DATABASE).write_bytes(b"no database at all, but long enough to look like one" * 40)
    with pytest.raises(HomeError, match="cannot be copied to the workers"):
        pack_home(tmp_path)


def test_files_keep_their_names_and_stay_where_they_are_laid(tmp_path: Path) -> None:
    for folder, name in (("a", "same.txt"), ("b", "same.txt"), ("c", "ünï codé.xlsx")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(folder)
    files = [tmp_path / "a" / "same.txt", tmp_path / "b" / "same.txt", tmp_path / "c" / "ünï codé.xlsx"]
    sent = read_files(files)
    sent = (*sent, replace(sent[0], name="../../../outside.txt"))
    laid = lay_files(sent, tmp_path / "laid")
    assert [path.name for path in laid] == ["same.txt", "same.txt", "ünï codé.xlsx", "outside.txt"]
    assert [path.read_text() for path in laid] == ["a", "b", "c", "a"]
    assert all(path.is_relative_to(tmp_path / "laid") for path in laid)
    assert read_files(files, most=3) == read_files(files)
    with pytest.raises(InputError, match="too large to be sent"):
        read_files(files, most=2)


def test_a_file_is_known_by_what_a_look_tells(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    before = Known.of(file)
    assert before == Known.of(file)
    time.sleep(0.01)
    file.write_text("two")
    assert before != Known.of(file)
    assert Known.of(tmp_path / "none") is None


def test_folders_of_killed_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from agentfly.bench.running.shipping import Scratch; "
        "s = Scratch('kind-', Path(sys.argv[1])); print(s.path, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        mine = Scratch("kind-", tmp_path)
        assert theirs.is_dir()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    (tmp_path / "kind-unfinished").mkdir()
    another = Scratch("kind-", tmp_path)
    assert not theirs.exists()
    assert mine.path.is_dir()
    assert (tmp_path / "kind-unfinished").is_dir()
    another.remove()
    mine.remove()
    mine.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["kind-unfinished"]


def test_what_a_worker_is_told_can_be_pickled_and_tells_no_key(tmp_path: Path) -> None:
    make: Make = local_executor
    scorer = ReferenceScorer("gaia", gaia_match)
    setup = Setup(identity="x", home=tmp_path, settings=Settings(), scorer=scorer)
    orders = Orders(setup=setup, make=make, at_once=2, environment={"OPENAI_API_KEY": "sk-secret"})
    assert pickle.loads(pickle.dumps(orders)) == orders
    assert "sk-secret" not in repr(orders)


async def test_variables_are_set_and_a_cache_on_another_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLY_TEST_KEY", "before")
    worker = ClusterWorker()
    seen: list[Any] = []

    async def make(setup: Setup, at_once: int, emit: Emit) -> Executor:
        seen.append((os.environ["AGENTFLY_TEST_KEY"], at_once, setup.home))
        return Acting(nothing, 0)

    (tmp_path / "home").mkdir()
    setup = Setup(identity="x", home=tmp_path / "home", settings=Settings(), cache=tmp_path / "none")
    packed = pack_home(tmp_path / "home")
    orders = Orders(setup=setup, make=make, at_once=3, folder=tmp_path, environment={"AGENTFLY_TEST_KEY": "sent"})
    refused = await worker.begin(orders, packed)
    assert "serves one machine only" in getattr(refused, "message", "")
    await worker.aclose()
    assert getattr(await worker.begin(replace(orders, setup=replace(setup, cache=None)), packed), "pid", 0)
    assert seen[0][:2] == ("sent", 3)
    assert seen[0][2] != tmp_path / "home"
    await worker.aclose()
    assert not list(tmp_path.glob("agentfly-worker-*"))


# What is asked for


def _setup(tmp_path: Path) -> Setup:
    return Setup(identity="x", home=tmp_path, settings=Settings())


def test_without_ray_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "agentfly.bench.running.ray_machines.find_spec", lambda name: None if name == "ray" else find(name)
    )
    with pytest.raises(ConfigError, match=r"pip install 'agentfly-framework\[ray\]'"):
        spreading.on_ray(_setup(tmp_path), Plan(executor="ray"))


def test_impossible_wishes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentfly.bench.running.ray_machines.find_spec", lambda name: object())
    plan = Plan(executor="ray", concurrency=3)
    with pytest.raises(InputError, match="at least 1 worker, not 0"):
        spreading.on_ray(_setup(tmp_path), plan, workers=0)
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is to be sent to the workers, and is not set here"):
        spreading.on_ray(_setup(tmp_path), plan, send=["PATH", "NO_SUCH_KEY"])
    with pytest.raises(ConfigError, match="give host:port"):
        spreading.on_ray(_setup(tmp_path), plan, address="ray://far:10001")
    assert spreading.on_ray(_setup(tmp_path), plan, send=["PATH"]).slots == 3


def test_nothing_of_ray_is_imported_before_it_is_needed() -> None:
    code = "import agentfly.bench.running.spreading, sys; sys.exit('ray' in sys.modules or 'litellm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_database_in_use_is_not_changed_by_packing(tmp_path: Path) -> None:
    with Home.open(tmp_path) as home:
        before = home.db.read("SELECT COUNT(*) AS n FROM sqlite_master")[0]["n"]
        pack_home(tmp_path)
        assert home.db.read("SELECT COUNT(*) AS n FROM sqlite_master")[0]["n"] == before
    with sqlite3.connect(tmp_path / DATABASE) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
