"""Model-written Python in a process of its own that keeps its variables between blocks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from agentfly.errors import SandboxError, ToolError
from agentfly.protocols import Call, Execution, Tool, call_directly, origin_of
from agentfly.tools.sandbox.bubblewrap import packages
from agentfly.tools.sandbox.child import Broken, Child
from agentfly.tools.sandbox.launch import launch, next_user
from agentfly.tools.toolbox import call_positionally, identifier

START_SECONDS = 30.0
GRACE_SECONDS = 0.5
"""How long a block may take to end itself after its time is up."""
CALLS_PER_BLOCK = 200
_TABLES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".json", ".jsonl", ".ods"})
_LOST = "All variables are lost: the next block starts afresh."


class PythonWorker:
    """A `CodeWorker`. The process starts at once and is waited for when the first block runs."""

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
    ) -> None:
        self._workspace = workspace
        self._through = call
        self._readonly = tuple(readonly)
        self._tier = tier
        self._memory_mb = memory_mb
        self._tools = {identifier(tool.name): tool for tool in tools}
        self._tool_seconds = tool_seconds
        self._user = next_user()
        self._lock = asyncio.Lock()
        self._blocks = itertools.count(1)
        self._called: dict[str, Tool] = {}
        self._ready = False
        self._closed = False
        self._child: Child | None = self._start()

    @property
    def tier(self) -> str:
        return self._tier

    async def run(self, code: str, timeout: float) -> Execution:
        async with self._lock:
            if self._closed:
                raise SandboxError("the Python worker is closed")
            begun, self._called = monotonic(), {}
            child = await self._started()
            try:
                frame = await self._exchange(child, code, timeout)
            except (Broken, TimeoutError) as problem:
                return self._with_tools(await self._lost(child, problem, monotonic() - begun, timeout))
            except BaseException:  # cancelled in the middle of a block, or a bug: its state cannot be known
                child.kill()
                await self._drop(child)
                raise
            child.output.drain()
            return self._with_tools(_execution(frame, child.output.take(), monotonic() - begun))

    def _with_tools(self, execution: Execution) -> Execution:
        """The result of a block, with the tools that it called."""
        origins = dict.fromkeys(origin for tool in self._called.values() if (origin := origin_of(tool)))
        return replace(execution, tools=tuple(self._called), origins=tuple(origins))

    async def close(self) -> None:
        self._closed = True
        if self._child is not None:
            await self._drop(self._child)

    def _start(self) -> Child:
        offered = [{"name": name, "description": tool.description} for name, tool in self._tools.items()]
        tables = any(p.suffix.lower() in _TABLES for p in self._workspace.iterdir())
        options = {
            "tools": offered,
            "preimport": ["numpy", "pandas"] if tables else ["numpy"],
            "packages": list(packages()),
        }
        self._ready = False
        settings = {"memory_mb": self._memory_mb, "user": self._user, "options": options}
        return launch(self._tier, self._workspace, **settings)

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
            child.output.take()
        return child

    async def _exchange(self, child: Child, code: str, timeout: float) -> dict[str, Any]:
        """Send a block, serve its tool calls, return its result. Tool calls stop the clock."""
        number, calls = next(self._blocks), 0
        left = timeout + GRACE_SECONDS
        await child.send({"op": "run", "id": number, "code": code, "seconds": timeout})
        while True:
            begun = monotonic()
            frame = await _first(child, left)
            left -= monotonic() - begun
            if frame.get("op") == "result" and frame.get("id") == number:
                return frame
            if frame.get("op") == "call":
                calls += 1
                await child.send({"op": "return", **await self._call(frame, calls)})

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
        flooded = child.output.flooded.is_set()
        child.output.drain()
        output = child.output.take()
        await self._drop(child)
        self._child = self._start()
        timed_out = isinstance(problem, TimeoutError) and not flooded
        if flooded:
            error = "The block printed without end and was stopped."
        elif timed_out:
            error = f"TimeoutError: the block ran for more than {timeout:g} s and was stopped."
        else:
            error = "The Python process ended in the middle of the block (out of memory, a crash or an exit)."
        error = f"{error} {_LOST}"
        return Execution(output=output, error=error, seconds=seconds, timed_out=timed_out, restarted=True)

    async def _drop(self, child: Child) -> None:
        child.kill()
        if self._child is child:
            self._child = None
        try:
            await child.gone()
        finally:
            child.release()


class PythonSandbox:
    """Opens workers.

    Args:
        memory_mb: private memory of each process of a worker.
        tools: offered as functions to every worker.
        tier: ``bubblewrap``, ``process``, or ``auto`` for the strictest that works here.
        tool_seconds: longest time that one tool call may take.
    """

    def __init__(
        self, memory_mb: int = 2048, tools: Sequence[Tool] = (), tier: str = "auto", tool_seconds: float = 60.0
    ) -> None:
        self.memory_mb = memory_mb
        self.tier = tier
        self._tools = tuple(tools)
        self._tool_seconds = tool_seconds

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
        """A worker in `workspace`. Entering does not wait for its process, so that it starts beside other work.

        Raises:
            SandboxError: no tier works here.
        """
        from agentfly.tools.sandbox.check import choose

        tier = await choose(self.tier)
        folder = await asyncio.to_thread(workspace.resolve, strict=True)
        offered = (*self._tools, *tools)
        worker = PythonWorker(
            folder, tier, self.memory_mb, offered, self._tool_seconds, call=call, readonly=readonly
        )
        try:
            yield worker
        finally:
            await worker.close()


async def _first(child: Child, seconds: float) -> dict[str, Any]:
    """The next frame.

    Raises:
        TimeoutError: it did not come within `seconds`, or the process printed without end.
        Broken: the process is gone.
    """
    receiving = asyncio.ensure_future(child.receive())
    flooded = asyncio.ensure_future(child.output.flooded.wait())
    try:
        await asyncio.wait({receiving, flooded}, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        if receiving.done():
            return receiving.result()
        raise TimeoutError
    finally:
        for task in (receiving, flooded):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Broken):
            await asyncio.gather(receiving, flooded, return_exceptions=True)


def _execution(frame: dict[str, Any], output: str, seconds: float) -> Execution:
    """The result as the worker told it; fields of the wrong type count as absent."""

    def text(name: str) -> str | None:
        return str(frame[name]) if frame.get(name) is not None else None

    return Execution(
        output=output,
        value=text("value"),
        error=text("error"),
        answered=frame.get("answered") is True,
        answer=frame.get("answer"),
        seconds=seconds,
        timed_out=frame.get("timed_out") is True,
    )
