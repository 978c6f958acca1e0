"""Model-written Python in a process of its own that keeps its variables between blocks."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from agentfly.errors import SandboxError, ToolError
from agentfly.folders import measure
from agentfly.protocols import Call, Execution, Tool, call_directly, origin_of
from agentfly.tools.placing import place
from agentfly.tools.sandbox import bubblewrap
from agentfly.tools.sandbox.attachments import Kept
from agentfly.tools.sandbox.child import Broken, Child
from agentfly.tools.sandbox.launch import launch
from agentfly.tools.sandbox.owner import open_to_owner
from agentfly.tools.sandbox.paths import packages
from agentfly.tools.sandbox.reading import execution, first, loss
from agentfly.tools.sandbox.stated import stated
from agentfly.tools.sandbox.usage import Bounds, Watch, shrink, together
from agentfly.tools.sandbox.users import give_back, next_user
from agentfly.tools.toolbox import call_positionally, identifier

START_SECONDS = 30.0
GRACE_SECONDS = 0.5
"""How long a block may take to end itself after its time is up."""
CALLS_PER_BLOCK = 200
_TABLES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".json", ".jsonl", ".ods"})
_COUNTED = 1_000_000
"""Most files of the task that are counted before code runs."""


class PythonWorker:
    """A `CodeWorker`. The process starts `early`, beside other work, or else when the first block needs one."""

    def __init__(
        self,
        workspace: Path,
        tier: str,
        memory_mb: int,
        tools: Sequence[Tool] = (),
        tool_seconds: float = 60.0,
        *,
        call: Call = call_directly,
        readonly: Sequence[str] = (),
        bounds: Bounds | None = None,
        cpu_seconds: int = 900,
        early: bool = True,
    ) -> None:
        self._workspace = workspace
        self._through = call
        self._readonly = tuple(readonly)
        self._tier = tier
        self._memory_mb = memory_mb
        self._cpu_seconds = cpu_seconds
        self._bounds = bounds or Bounds(memory_mb=together(memory_mb))
        open_to_owner(workspace)
        self._before = measure(workspace, _COUNTED)
        self._known: set[str] = set()
        shared = tier == "landlock" and os.geteuid() != 0
        self._kept = Kept(workspace, readonly) if shared else None
        self._tools = {identifier(tool.name): tool for tool in tools}
        self._tool_seconds = tool_seconds
        self._user = next_user()
        self._lock = asyncio.Lock()
        self._called: dict[str, Tool] = {}
        self._ready = False
        self._ran = False
        self._closed = False
        self._watch: Watch
        self._child: Child | None = None
        try:
            self._child = self._start() if early else None
        except BaseException:
            self._leave()
            raise

    @property
    def tier(self) -> str:
        return self._tier

    async def run(self, code: str, timeout: float) -> Execution:
        async with self._lock:
            if self._closed:
                raise SandboxError("the Python worker is closed")
            self._called = {}
            if not self._ran and (answer := stated(code)):
                return Execution(answered=True, answer=answer[0])
            child = await self._started()
            begun, self._ran = monotonic(), True
            open_to_owner(self._workspace)
            self._known = {path.name for path in self._workspace.iterdir()}
            try:
                frame = await self._exchange(child, code, timeout)
            except (Broken, TimeoutError) as problem:
                return self._with_tools(await self._lost(child, problem, monotonic() - begun, timeout))
            except BaseException:  # cancelled in the middle of a block, or a bug: its state cannot be known
                child.kill()
                await self._drop(child)
                raise
            if self._kept is not None:
                self._kept.restore()
            child.output.drain()
            return self._with_tools(execution(frame, child.output.take(), monotonic() - begun))

    def _with_tools(self, execution: Execution) -> Execution:
        """The result of a block, with the tools that it called."""
        origins = dict.fromkeys(origin for tool in self._called.values() if (origin := origin_of(tool)))
        return replace(execution, tools=tuple(self._called), origins=tuple(origins))

    async def close(self) -> None:
        self._closed = True
        if self._child is not None:
            await self._drop(self._child)
            if self._watch.reason:
                await asyncio.to_thread(self._shrink)
        self._leave()

    def _leave(self) -> None:
        """Give back what was taken for as long as the worker lives."""
        if self._kept is not None:
            self._kept.close()
        give_back(self._user)
        self._user = 0

    def _shrink(self) -> None:
        """Bring the workspace back within its bounds. Nothing may run in it."""
        open_to_owner(self._workspace)
        shrink(self._workspace, self._known, self._readonly, self._before, self._bounds)

    def _start(self) -> Child:
        offered = [{"name": name, "description": tool.description} for name, tool in self._tools.items()]
        open_to_owner(self._workspace)
        tables = any(p.suffix.lower() in _TABLES for p in self._workspace.iterdir())
        options = {
            "tools": offered,
            "preimport": ["numpy", "pandas"] if tables else ["numpy"],
            "packages": list(packages()),
            "prefix": sys.prefix,
        }
        self._ready = False
        settings = {"memory_mb": self._memory_mb, "cpu_seconds": self._cpu_seconds, "user": self._user, "site": False}
        child = launch(self._tier, self._workspace, **settings, readonly=self._readonly, options=options)
        folders = [self._workspace, *([child.scratch] if child.scratch else [])]
        inner = bubblewrap.SCRATCH if self._tier == "bubblewrap" else ()
        self._watch = Watch(child.pid, folders, inner, self._before, self._bounds)
        return child

    async def _started(self) -> Child:
        child = self._child = self._child or self._start()
        if not self._ready:
            try:
                async with asyncio.timeout(START_SECONDS):
                    while (await child.receive()).get("op") != "ready":
                        pass
            except (Broken, TimeoutError):
                child.output.drain()
                told = " ".join(child.output.take().split())[-500:]
                await self._drop(child)
                raise SandboxError(f"the Python worker ({self._tier}) did not start: {told or 'no answer'}") from None
            except BaseException:
                await self._drop(child)
                raise
            self._ready = True
            self._watch.start()
            child.output.take()
        return child

    async def _exchange(self, child: Child, code: str, timeout: float) -> dict[str, Any]:
        """Send a block, serve its tool calls, return its result. Tool calls stop the clock."""
        name, calls = secrets.token_hex(8), 0  # what an earlier block left running cannot answer for this one
        left = timeout + GRACE_SECONDS
        async with asyncio.timeout(left):
            await child.send({"op": "run", "id": name, "code": code, "seconds": timeout})
        while left > 0:
            begun = monotonic()
            frame = await first(child, self._watch, left)
            left -= monotonic() - begun
            if frame.get("op") == "result" and frame.get("id") == name:
                return frame
            if frame.get("op") == "call":
                calls += 1
                answer = await self._call(frame, calls)
                async with asyncio.timeout(max(left, GRACE_SECONDS)):  # the code need not read it
                    await child.send({"op": "return", **answer})
                left -= monotonic() - begun if calls > CALLS_PER_BLOCK else 0.0
        raise TimeoutError

    async def _call(self, frame: dict[str, Any], calls: int) -> dict[str, Any]:
        if calls > CALLS_PER_BLOCK:
            return {"error": f"more than {CALLS_PER_BLOCK} tool calls in one block; do the rest in the next one"}
        tool = self._tools.get(str(frame.get("name")))
        if tool is None:
            return {"error": f"there is no tool named {frame.get('name')!r}"}
        self._called[tool.name] = tool  # before the call: an error message may carry what was fetched
        try:
            async with asyncio.timeout(self._tool_seconds):
                value = await call_positionally(tool, frame.get("args"), frame.get("kwargs"), self._through)
        except ToolError as error:
            return {"error": str(error)}
        except TimeoutError:
            return {"error": f"{tool.name} did not answer within {self._tool_seconds:g} s"}
        return {"value": value}

    async def _lost(self, child: Child, problem: BaseException, seconds: float, timeout: float) -> Execution:
        """The process had to be ended, or ended by itself: say so and start another."""
        flooded, reason = child.output.flooded.is_set(), self._watch.reason
        child.output.drain()
        output = child.output.take()
        await self._drop(child)
        if reason:
            await asyncio.to_thread(self._shrink)
        if self._kept is not None:
            self._kept.restore()
        self._child = self._start()
        return Execution(
            output=output,
            error=loss(problem, flooded, reason, timeout),
            seconds=seconds,
            timed_out=isinstance(problem, TimeoutError) and not flooded and not reason,
            restarted=True,
        )

    async def _drop(self, child: Child) -> None:
        child.kill()
        self._watch.stop()
        if self._child is child:
            self._child = None
        try:
            await child.gone()
        finally:
            child.release()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PythonSandbox:
    """Opens workers.

    Args:
        memory_mb: private memory of each process of a worker.
        tools: offered as functions to every worker.
        tier: ``bubblewrap``, ``landlock``, ``seatbelt``, or ``auto`` for the strictest that works here; ``unsafe`` is none.
        tool_seconds: longest time that one tool call may take.
        unsafe: whether ``auto`` may do without a sandbox where no tier works. A person must have asked for it.
        disk_mb: that a worker may write to the workspace and to temporary files.
        files: that it may make there.
    """

    def __init__(
        self,
        memory_mb: int = 2048,
        tools: Sequence[Tool] = (),
        tier: str = "auto",
        tool_seconds: float = 60.0,
        *,
        unsafe: bool = False,
        disk_mb: int = 1024,
        files: int = 20_000,
    ) -> None:
        self._unsafe = unsafe
        self._bounds = Bounds(together(memory_mb), disk_mb, files)
        self.memory_mb = memory_mb
        self.tier = tier
        self._tools = tuple(tools)
        self._tool_seconds = tool_seconds
        self._open = 0

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    @asynccontextmanager
    async def open(
        self,
        workspace: Path,
        tools: Sequence[Tool] = (),
        *,
        call: Call = call_directly,
        readonly: Sequence[str] = (),
    ) -> AsyncIterator[PythonWorker]:
        """A worker in `workspace`. Entering does not wait for its process.

        That of one of a few workers starts at once, while the model is still writing. Of many that are open together, each starts
        when there is something to run: waiting for models, they would take memory, and each other's processor time.

        Raises:
            SandboxError: no tier works here.
        """
        from agentfly.tools.sandbox.check import choose

        tier = await choose(self.tier, unsafe=self._unsafe)
        folder = workspace.resolve(strict=True)  # microseconds, where a thread takes a hundred times as long
        offered = place((*self._tools, *tools), folder)
        worker = PythonWorker(
            folder,
            tier,
            self.memory_mb,
            offered,
            self._tool_seconds,
            call=call,
            readonly=readonly,
            bounds=self._bounds,
            early=self._open < _processors(),
        )
        self._open += 1
        try:
            yield worker
        finally:
            self._open -= 1
            await worker.close()
