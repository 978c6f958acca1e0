"""Running programs in real workers, and looking what came of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unit.tools.hostile.belonging import processes
from unit.tools.hostile.stage import Stage

from agentfly.protocols import Execution
from agentfly.tools.python import PythonSandbox, PythonWorker
from agentfly.tools.toolbox import tool

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
MEMORY_MB, DISK_MB, FILES = 256, 64, 1_000
GONE_SECONDS = 1.0
"""How long the kernel may take to bury what was killed."""
OUTPUT = 40_000
"""Characters of the longest output that a block may give."""
ATTACHMENTS = ("data.csv", "second.csv", "third.csv")
TABLE = "name,value\nfirst,1\n"
_HARMLESS = ("network", "secrets", "kernel")
"""Folders of programs that may share a worker: they leave it as they found it."""
_turns = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a program is run where it needs something of its own."""

    seconds: float = 5.0
    alone: bool = True


SPECIAL = {
    "network/listen": Manner(),
    "bombs/cpu": Manner(seconds=0.3),
    "bombs/fork": Manner(seconds=3),
    "bombs/sleep": Manner(seconds=0.3),
    "answers/endless_list": Manner(seconds=0.5),
    "answers/endless_text": Manner(seconds=0.3),
    "answers/error_that_loops": Manner(seconds=0.3),
    "endings/recursion": Manner(seconds=2),
    "endings/close_everything": Manner(seconds=0.5),
    "endings/exit_handlers": Manner(seconds=0.5),
    "forgery/endless_frames": Manner(seconds=0.5),
    "forgery/endless_calls": Manner(seconds=0.5),
    "forgery/slow_frame": Manner(seconds=0.5),
    "forgery/shut_channel": Manner(seconds=0.5),
    "processes/stop_itself": Manner(seconds=0.3),
    "writing/preload": Manner(seconds=10),
}


@tool
def helper(text: str) -> str:
    """A tool that every worker here has."""
    return text


@dataclass(slots=True)
class Outcome:
    """A program that ran."""

    execution: Execution
    after: list[Execution]
    """What the next blocks gave: ``1 + 1``, then a final answer."""
    damage: list[str]
    left: dict[int, str] = field(default_factory=dict)
    """Processes that were still there when the worker was closed."""
    seconds: float = 0.0


def names() -> list[str]:
    """All programs, by folder and name."""
    return sorted(str(p.relative_to(PROGRAMS).with_suffix("")) for p in PROGRAMS.glob("*/*.py"))


def manner(name: str) -> Manner:
    """How a program is run."""
    return SPECIAL.get(name, Manner(alone=not name.startswith(_HARMLESS)))


def source(name: str, facts: dict[str, Any]) -> str:
    """A program with what stands above it."""
    host = f"import json\nHOST = json.loads({json.dumps(facts)!r})\n"
    return host + (HERE / "prelude.py").read_text() + (PROGRAMS / f"{name}.py").read_text()


class Ground:
    """A stage, a neighbour that minds its own business, and a worker for the programs that leave it as it was."""

    def __init__(self, tier: str, stage: Stage) -> None:
        self.tier = tier
        self.stage = stage
        self._stack = AsyncExitStack()
        self._shared: tuple[PythonWorker, Path] | None = None
        self._folders = itertools.count()
        self._neighbour: PythonWorker | None = None
        self._private = Path()
        self._siblings: list[int] = []

    async def start(self) -> None:
        """Open the neighbour, and give it something to keep."""
        self._neighbour, folder = await self._stack.enter_async_context(self.open())
        self._private = folder / "private.txt"
        await self._settle()

    async def _settle(self) -> None:
        assert self._neighbour is not None
        secret = self.stage.secret[::-1]  # turned round: only what it tells itself reads as the secret
        await self._neighbour.run(f"kept = 'kept'\nopen('private.txt', 'w').write({secret!r})", 20)
        self._siblings = sorted(processes(self._private.parent, user_of(self._neighbour)))

    async def stop(self) -> None:
        """Close all workers."""
        await self._stack.aclose()

    @asynccontextmanager
    async def open(self, inner: str = "") -> AsyncIterator[tuple[PythonWorker, Path]]:
        """A worker and its folder, which holds an attachment that must not be changed and two that may.

        Args:
            inner: path below the folder made for it.
        """
        folder = self.stage.folder / f"work{next(self._folders)}" / inner
        folder.mkdir(parents=True)
        for name in ATTACHMENTS:
            (folder / name).write_text(TABLE)
        async with self.sandbox().open(folder, readonly=ATTACHMENTS[:1]) as worker:
            yield worker, folder

    def sandbox(self) -> PythonSandbox:
        """The sandbox as it is opened for all programs."""
        return PythonSandbox(memory_mb=MEMORY_MB, tier=self.tier, tools=[helper], disk_mb=DISK_MB, files=FILES)

    def facts(self, worker: PythonWorker | None = None) -> dict[str, Any]:
        """What a program is told."""
        more = {"memory_mb": MEMORY_MB, "disk_mb": DISK_MB, "turn": next(_turns), "siblings": self._siblings}
        own_user = worker is not None and bool(user_of(worker))
        return self.stage.facts() | more | {"sibling_file": str(self._private), "own_user": own_user}

    async def run(self, name: str, *, alone: bool = False) -> Outcome:
        """Run a program, alone or in the shared worker, and look at everything afterwards."""
        begun = time.monotonic()
        files = _open_files()
        if alone or manner(name).alone:
            async with self.open() as (worker, folder):
                outcome = await self._attack(name, worker, folder)
            await _until(lambda: not processes(folder, user_of(worker)), GONE_SECONDS)
            outcome.left = processes(folder, user_of(worker))
            outcome.damage += self.stage.damage([], folder) + _attachment_harmed(folder)
            if _open_files() > files:
                outcome.damage.append("files of the host are left open")
        else:
            if self._shared is None:
                self._shared = await self._stack.enter_async_context(self.open())
            outcome = await self._attack(name, *self._shared)
        outcome.damage += await self._neighbour_harmed()
        outcome.seconds = time.monotonic() - begun
        return outcome

    async def _attack(self, name: str, worker: PythonWorker, folder: Path) -> Outcome:
        execution = await worker.run(source(name, self.facts(worker)), manner(name).seconds)
        first = await worker.run("1 + 1", 10)
        if first.restarted:  # what it left behind may end the worker later: once
            first = await worker.run("1 + 1", 10)
        after = [first, await worker.run("final_answer('still here')", 10)]
        damage = self.stage.damage([text for e in (execution, *after) for text in texts(e)], folder)
        return Outcome(execution, after, damage + _attachment_harmed(folder))

    async def _neighbour_harmed(self) -> list[str]:
        assert self._neighbour is not None
        execution = await self._neighbour.run("print(open('private.txt').read()[::-1])\nkept", 10)
        fine = execution.value == "'kept'" and execution.output.strip() == self.stage.secret
        if not fine:  # so that the next program is judged by what it does itself
            await self._settle()
        return [] if fine else [f"another worker was harmed: {execution}"]


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _attachment_harmed(folder: Path) -> list[str]:
    path = folder / ATTACHMENTS[0]
    if not path.is_file() or path.is_symlink() or path.read_text() != TABLE:
        return ["the attachment was changed"]
    return []


async def _until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.02)


def user_of(worker: PythonWorker) -> int:
    """The uid that only this worker has; 0 where the host is no root and has no others to give."""
    return int(getattr(worker, "_user", 0)) if os.geteuid() == 0 else 0


def texts(execution: Execution) -> list[str]:
    """Everything that a program could put something into."""
    return [execution.output, execution.value or "", execution.error or "", json.dumps(execution.answer)]
