"""What runs on a worker of a cluster: an executor of its own over a copy of the working home. Knows nothing of how it is reached."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agentfly import errors
from agentfly.bench.running.executing import Done, Executor, Job, Setup
from agentfly.bench.running.local import LocalExecutor
from agentfly.bench.running.shipping import Known, Scratch, Sent, code_version, lay_files, unpack_home
from agentfly.errors import UserError
from agentfly.events import Notice
from agentfly.folders import remove_tree
from agentfly.nodes.state import Emit

FOLDER = "agentfly-worker-"
"""What the name of a worker's folder begins with."""
Make = Callable[[Setup, int, Emit], Awaitable[Executor]]
"""Makes the executor of a worker, ready for jobs: from its setup, how many attempts it makes at once, and what takes notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is told before its first job; can be pickled.

    Args:
        setup: of the benchmark run; its home is that of the machine that sends this.
        make: makes the executor.
        at_once: jobs that it gets at once.
        code: version of the code that the others run, see `code_version`; empty where it is the same by nature.
        folder: where it makes a folder of its own; None is the system's folder for temporary files.
        environment: variables to set, such as a provider's key.
    """

    setup: Setup
    make: Make
    at_once: int
    code: str = ""
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that can be given jobs."""

    machine: str
    pid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What a person must put right before this worker can do anything.

    Args:
        kind: name of the error in `agentfly.errors`.
        message: its text.
    """

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Did:
    """A try that was made.

    Args:
        done: what it came to.
        notices: warnings since the last one.
    """

    done: Done
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class FilesWanted:
    """The task's files are not on this machine: they must be sent along."""


class ClusterWorker:
    """One process of a cluster. Called from afar: what it returns and takes can be pickled, and no error of ours is raised."""

    def __init__(self) -> None:
        self._executor: Executor | None = None
        self._scratch: Scratch | None = None
        self._notices: list[Notice] = []

    async def begin(self, orders: Orders, home: bytes) -> Ready | Refused:
        """Make ready for jobs.

        Args:
            orders: what to do.
            home: the working home, see `pack_home`.
        """
        try:
            if orders.code and orders.code != (own := code_version()):
                raise UserError(
                    f"it has agentfly {own}, and this machine {orders.code}: install the same version on every machine"
                )
            os.environ.update(orders.environment)
            self._scratch = Scratch(FOLDER, orders.folder)
            folder = self._scratch.path / "home"
            await asyncio.to_thread(unpack_home, home, folder)
            setup = replace(orders.setup, home=folder)
            if setup.cache is not None and not setup.cache.is_dir():
                raise UserError(f"the cache of model calls {setup.cache} is not there: it serves one machine only")
            self._executor = await orders.make(setup, orders.at_once, self._notice)
        except UserError as error:
            return _refused(error)
        return Ready(socket.gethostname(), os.getpid())

    async def do(self, job: Job, files: tuple[Known, ...] | tuple[Sent, ...]) -> Did | Refused | FilesWanted:
        """Make one try.

        Args:
            job: what to do.
            files: the task's, as they are on the machine that sends them, or what is in them.
        """
        assert self._executor is not None
        assert self._scratch is not None
        known = [file for file in files if isinstance(file, Known)]
        if any(Known.of(file.path) != file for file in known):
            return FilesWanted()
        sent = [file for file in files if isinstance(file, Sent)]
        place = self._scratch.path / "files" / f"{job.place}-{job.attempt}"
        try:
            if sent:
                paths = await asyncio.to_thread(lay_files, sent, place)
                job = replace(job, task=replace(job.task, files=paths))
            done = await self._executor.do(job)
            notices, self._notices = tuple(self._notices), []
            return Did(done, notices)
        except UserError as error:
            return _refused(error)
        finally:
            if sent:
                await asyncio.to_thread(remove_tree, place)

    async def settle(self, done: Sequence[Done]) -> None:
        """As `Executor.settle`."""
        assert self._executor is not None
        await self._executor.settle(done)

    async def stay(self) -> None:
        """Never returns: whoever waits for it learns that the worker is gone."""
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Release everything; the worker's folder goes."""
        if self._executor is not None:
            await self._executor.aclose()
        if self._scratch is not None:
            self._scratch.remove()

    def _notice(self, event: object) -> None:
        if isinstance(event, Notice) and event.level == "warning":
            self._notices.append(event)


async def local_executor(setup: Setup, at_once: int, emit: Emit) -> Executor:
    """What a worker makes attempts with."""
    executor = LocalExecutor(setup, at_once, emit)
    await executor.start()
    return executor


def _refused(error: UserError) -> Refused:
    return Refused(type(error).__name__, f"{error} (on the worker {socket.gethostname()})")


def checked(said: Any) -> Any:
    """What a worker said, unless it refused.

    Raises:
        UserError: it did.
    """
    if isinstance(said, Refused):
        kind = getattr(errors, said.kind, UserError)
        raise (kind if isinstance(kind, type) and issubclass(kind, UserError) else UserError)(said.message)
    return said
