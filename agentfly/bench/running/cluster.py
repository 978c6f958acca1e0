"""Attempts on many machines: jobs go to workers that have room, and those of a worker that is lost go to another one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.bench.running.cluster_worker import (
    Did,
    FilesWanted,
    Make,
    Orders,
    Ready,
    checked,
    local_executor,
)
from agentfly.bench.running.executing import Done, Job, Setup
from agentfly.bench.running.machines import Machines, Worker, WorkerLost
from agentfly.bench.running.outcomes import failed
from agentfly.bench.running.shipping import Known, Sent, code_version, pack_home, read_files
from agentfly.errors import InputError, UserError
from agentfly.events import Notice
from agentfly.models.choose import choose_model
from agentfly.nodes.state import Emit

HAND_OUTS = 3
"""How often a job is handed out while workers are lost under it; one that takes every worker down must not take them all."""
FAILURES = 3
"""How often in a row a worker may be lost before it has done anything; after that it is not replaced any more."""
PATIENCE = 180.0
"""Seconds for the first worker to come up."""
PAUSE = 0.5
"""Seconds before a lost worker is replaced for the first time; each further one waits twice as long."""
PARTING = 5.0
"""Seconds for workers to release what they hold."""
_log = logging.getLogger("agentfly.bench")


@dataclass(eq=False, slots=True)
class _Place:
    """A worker that takes jobs."""

    worker: Worker
    about: Ready
    busy: int = 0
    did: int = 0
    sees: bool = True
    """Whether it finds the tasks' files under the paths that they have here."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    """What was noticed first of its loss."""


class ClusterExecutor:
    """Makes attempts on the workers of a cluster, each with an executor of its own over its own copy of the working home.

    The results folder is never touched there. Not for use from several event loops.

    Args:
        setup: of the benchmark run.
        machines: where workers run.
        workers: how many; None is as many as there is room for, and never more than `slots`.
        slots: attempts at once, of all workers together.
        emit: takes notices.
        environment: variables to set on the workers, such as a provider's key; sent to them and to nobody else.
        make: makes the executor of a worker.
        patience: seconds for the first worker to come up.
    """

    def __init__(
        self,
        setup: Setup,
        machines: Machines,
        *,
        workers: int | None,
        slots: int,
        emit: Emit = lambda event: None,
        environment: Mapping[str, str] | None = None,
        make: Make = local_executor,
        patience: float = PATIENCE,
    ) -> None:
        self._setup, self._machines, self._wanted, self._slots = setup, machines, workers, max(1, slots)
        self._emit, self._environment, self._make, self._patience = emit, dict(environment or {}), make, patience
        self._places: list[_Place] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up = 0
        self._ended: BaseException | None = None
        self._open: dict[str, _Place] = {}
        self._told: set[str] = set()

    @property
    def slots(self) -> int:
        """As `Executor.slots`. What finds no worker waits for one."""
        return self._slots

    async def start(self, closed: Collection[str] = ()) -> None:
        """As `Executor.start`; returns when the first worker is there. Workers have nothing left of earlier processes."""
        await self._machines.open()
        room = self._machines.room()
        self._workers = min(self._slots, self._wanted or room)
        self._at_once = -(-self._slots // self._workers)
        await asyncio.to_thread(self._settle_model)
        home = await asyncio.to_thread(pack_home, self._setup.home)
        self._say(f"{self._workers} workers on the cluster; each is sent a copy of the home ({len(home) / 1e6:.1f} MB)")
        if self._workers > room:
            self._say(
                f"the cluster has room for {room} of {self._workers} workers; the others join when it has more",
                "warning",
            )
        shared = self._machines.share(home)
        for _ in range(self._workers):
            self._background(self._supervise(shared))
        try:
            async with asyncio.timeout(self._patience), self._changed:
                await self._changed.wait_for(lambda: self._places or self._ended)
        except TimeoutError:
            raise UserError(
                f"no worker came up within {self._patience:g} seconds; see what the cluster is busy with (`ray status`)"
            ) from None
        if self._ended is not None:
            raise self._ended

    async def do(self, job: Job) -> Done:
        """As `Executor.do`. A job whose worker is lost is handed out again; after `HAND_OUTS` the loss is its result."""
        began, reasons = time.time(), list[str]()
        while len(reasons) < HAND_OUTS:
            place = await self._taken()
            try:
                done = await self._did(place, job)
            except WorkerLost as lost:
                reasons.append(str(lost))
                place.why = place.why or str(lost)
                place.gone.set()
                continue
            finally:
                await self._returned(place)
            if not reasons:
                return done
            whole = replace(done.result, retries=len(reasons), seconds=round(time.time() - began, 3))
            return replace(done, result=whole)
        return self._failed(job, f"{HAND_OUTS} workers were lost while they worked on it: {reasons[-1]}", began)

    async def settle(self, done: Sequence[Done]) -> None:
        """As `Executor.settle`. Nobody waits for the workers: one that is lost has nothing left to tidy up."""
        for place in {id(p): p for one in done if (p := self._open.get(one.result.run_id))}.values():
            its = [one for one in done if self._open.get(one.result.run_id) is place]
            self._background(self._settled(place, [replace(one, record=None) for one in its]))
        for one in done:
            self._open.pop(one.result.run_id, None)

    async def aclose(self) -> None:
        """As `Executor.aclose`."""
        places, self._places = self._places, []
        parting = [asyncio.ensure_future(place.worker.call("aclose")) for place in places]
        if parting:
            await asyncio.wait(parting, timeout=PARTING)
        tasks, self._tasks = self._tasks, set()
        for task in (*parting, *tasks):
            task.cancel()
        await asyncio.gather(*parting, *tasks, return_exceptions=True)
        await self._machines.close()

    def _settle_model(self) -> None:
        """Choose the model here, once: each machine for itself could come to another one."""
        settings = self._setup.settings
        if settings.model == "auto":
            chosen = {"model": choose_model(settings).name}
            self._setup = replace(self._setup, settings=settings.model_copy(update=chosen))

    # Workers

    async def _supervise(self, home: Any) -> None:
        """Keep one worker up."""
        failures = 0
        while True:
            worker = self._machines.worker(self._at_once)
            place: _Place | None = None
            try:
                place = await self._begun(worker, home)
                await self._until_gone(place)
            except WorkerLost as lost:
                failures = 1 if place and place.did else failures + 1
                reason = str(lost)
            finally:
                if place in self._places:
                    self._places.remove(place)
                worker.kill()
            if failures >= FAILURES:
                self._given_up += 1
                if self._given_up == self._workers:
                    raise UserError(f"no worker of the cluster stays up: {reason}; what was done before is kept")
                return
            where = f"the worker on {place.about.machine}" if place else "a worker"
            self._say(f"{where} was lost and is replaced; its attempts are made again ({reason})", "warning")
            await asyncio.sleep(PAUSE * 2 ** (failures - 1))

    async def _begun(self, worker: Worker, home: Any) -> _Place:
        orders = Orders(
            setup=self._setup,
            make=self._make,
            at_once=self._at_once,
            code="" if self._machines.ours else code_version(),
            folder=self._machines.folder,
            environment=self._environment,
        )
        place = _Place(worker, checked(await worker.call("begin", orders, home)))
        async with self._changed:
            self._places.append(place)
            self._changed.notify_all()
        return place

    async def _until_gone(self, place: _Place) -> None:
        staying = asyncio.ensure_future(place.worker.call("stay"))
        noticed = asyncio.ensure_future(place.gone.wait())
        try:
            await asyncio.wait({staying, noticed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (staying, noticed):
                task.cancel()
            ends = await asyncio.gather(staying, noticed, return_exceptions=True)
        raise WorkerLost(place.why or str(ends[0]))

    def _background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ended = self._ended or error
            self._background(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # Jobs

    async def _taken(self) -> _Place:
        """The worker with the fewest jobs, once one has room."""
        async with self._changed:
            while True:
                if self._ended is not None:
                    raise self._ended
                free = [place for place in self._places if place.busy < self._at_once and not place.gone.is_set()]
                if free:
                    place = min(free, key=lambda one: one.busy)
                    place.busy += 1
                    return place
                await self._changed.wait()

    async def _returned(self, place: _Place) -> None:
        place.busy -= 1
        await self._wake()

    async def _did(self, place: _Place, job: Job) -> Done:
        began = time.time()
        try:
            said = await place.worker.call("do", job, await self._files(place, job))
            if isinstance(said, FilesWanted):
                place.sees = False
                said = await place.worker.call("do", job, await self._files(place, job))
        except InputError as error:
            return self._failed(job, str(error), began)
        did: Did = checked(said)
        place.did += 1
        for notice in did.notices:
            self._say(notice.text, notice.level)
        self._open[did.done.result.run_id] = place
        return replace(did.done, job=job)  # with the paths that its files have here

    async def _files(self, place: _Place, job: Job) -> tuple[Known, ...] | tuple[Sent, ...]:
        """The task's files as the worker needs them: sent along where it does not find the same ones on its own machine."""
        known = [Known.of(file) for file in job.task.files] if place.sees else [None]
        if all(known) or not job.task.files:
            return tuple(one for one in known if one)
        return await asyncio.to_thread(read_files, job.task.files)

    async def _settled(self, place: _Place, done: list[Done]) -> None:
        try:
            await place.worker.call("settle", done)
        except WorkerLost as lost:
            _log.info("what a lost worker held went with it: %s", lost)

    def _failed(self, job: Job, reason: str, started: float) -> Done:
        seconds = round(time.time() - started, 3)
        run_id = job.run_id(self._setup.identity)
        told = failed(job.task, attempt=job.attempt, run_id=run_id, reason=reason, started=started, seconds=seconds)
        return Done(job=job, result=told, record={"status": "error", "reason": reason, "steps": []})

    def _say(self, text: str, level: Any = "info") -> None:
        if text not in self._told:
            self._told.add(text)
            self._emit(Notice(text=text, level=level))
