"""One server while it is in use: what it may offer, its calls, and what happens when it falls silent or dies."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agentfly.errors import ToolError, UserError
from agentfly.events import Notice
from agentfly.tools.mcp.config import Remote, ServerSpec
from agentfly.tools.mcp.definitions import changes
from agentfly.tools.mcp.failures import Failed
from agentfly.tools.mcp.naming import tool_names
from agentfly.tools.mcp.offering import sift
from agentfly.tools.mcp.pins import Pin, Pins, Verdict
from agentfly.tools.mcp.results import value_of
from agentfly.tools.mcp.session import Ended, Session
from agentfly.tools.mcp.tool import McpTool

PATIENCE = 2
"""Calls in a row that may go unanswered before a server counts as dead."""
RELIST_SECONDS = 1.0
"""Least time between two looks at what a server offers; it may tell of changes as often as it likes."""

Through = Callable[["Server", str, Mapping[str, Any]], Awaitable[Any]]


class Server:
    """A server. All of it happens in one event loop, but `tools`, `held` and `problem` may be read from anywhere.

    Args:
        spec: from the configuration.
        prefix: first part of its tools' names.
        pins: what is trusted.
        through: brings a call of a tool into this server's loop.
        tell: takes notices.
        connect_seconds: how long it may take to start and to say what it offers.
        call_seconds: how long a call may take.
    """

    def __init__(
        self,
        spec: ServerSpec,
        prefix: str,
        pins: Pins,
        *,
        through: Through,
        tell: Callable[[Notice], None],
        connect_seconds: float,
        call_seconds: float,
    ) -> None:
        self.spec, self._prefix, self._pins, self._through = spec, prefix, pins, through
        self._notify, self._told = tell, set[str]()
        self._connect_seconds, self._call_seconds = connect_seconds, call_seconds
        self.tools: tuple[McpTool, ...] = ()
        self.held: dict[str, str] = {}
        """Tools that are not offered until a person approves, with what changed."""
        self.problem = ""
        """Why it cannot be used; empty where it can."""
        self._session: Session | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._changed, self._checked = asyncio.Event(), asyncio.Event()
        self._starting = asyncio.Lock()
        self._restarted, self._unanswered = False, 0

    async def start(self) -> None:
        """Connect and see what is offered; where that fails, `problem` says why and a person is told."""
        if self.spec.ignored:
            self._tell(f"settings without a meaning here: {', '.join(self.spec.ignored)}")
        try:
            await self._connect()
        except Failed as error:
            await self._disable(str(error), "its tools are not offered")

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool by the server's own name of it.

        Raises:
            ToolError: it failed, did not answer in time, is held back, or the server is gone.
        """
        session: Session | None = None
        try:
            async with asyncio.timeout(self._call_seconds):
                session = await self._alive()
                await self._checked.wait()
                self._refuse_held(tool)
                result = await session.call(tool, arguments)
        except TimeoutError:
            await self._no_answer(session)
            raise ToolError(
                f"{tool}: the MCP server {self.spec.name} did not answer within {self._call_seconds:.3g} s"
            ) from None
        except Ended as error:
            if session is not None and self._session is session:
                await session.close()
            raise ToolError(f"{tool}: the MCP server {self.spec.name}: {error}; its outcome is not known") from None
        except Failed as error:
            self._unanswered = 0
            raise ToolError(f"{tool}: {error}") from None
        self._unanswered = 0
        return value_of(result, tool)

    async def stop(self) -> None:
        """End the connection and the server's processes."""
        if self._watcher is not None:
            self._watcher.cancel()
        if self._session is not None:
            await self._session.close()
        self.tools, self.problem = (), self.problem or "it was closed"

    async def _alive(self) -> Session:
        """The session; one that ended is replaced, once."""
        async with self._starting:
            if self.problem:
                raise ToolError(self._unusable())
            if self._session is not None and not self._session.gone:
                return self._session
            if self._restarted:
                await self._disable("it ended again after it was started anew", "its tools are no longer offered")
                raise ToolError(self._unusable())
            self._restarted = True
            self._tell("it ended and is started anew", "warning")
            try:
                await self._connect()
            except (Failed, UserError) as error:
                await self._disable(f"it ended and cannot be started anew: {error}", "its tools are no longer offered")
                raise ToolError(self._unusable()) from None
            assert self._session is not None
            return self._session

    async def _connect(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self._session is not None:
            await self._session.close()
        deadline = asyncio.get_running_loop().time() + self._connect_seconds
        session = self._session = await self._opened(deadline)
        self._changed.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._look(session)
        except TimeoutError:
            raise Failed(f"it did not list its tools within {self._connect_seconds:.3g} s") from None
        self._checked.set()
        self._watcher = asyncio.create_task(self._watch(session))

    async def _opened(self, deadline: float) -> Session:
        """An open session; a remote server of an unnamed kind is tried both ways."""
        target = self.spec.target
        left = deadline - asyncio.get_running_loop().time()
        either = isinstance(target, Remote) and target.transport == "any"
        session = Session(
            target, "sse" if isinstance(target, Remote) and target.transport == "sse" else "http", self._on_change
        )
        try:
            await session.open(0.6 * left if either else left)
        except Failed:
            if not either:
                raise
            older = Session(target, "sse", self._on_change)
            with contextlib.suppress(Failed):
                await older.open(max(deadline - asyncio.get_running_loop().time(), 0.01))
                return older
            raise
        return session

    def _on_change(self) -> None:
        self._checked.clear()
        self._changed.set()

    async def _watch(self, session: Session) -> None:
        """Look again whenever the server says that its tools changed; calls wait for that."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with asyncio.timeout(self._connect_seconds):
                    await self._look(session)
            except (Failed, TimeoutError, UserError) as error:
                self.tools = ()
                self._tell(f"it changed its tools and cannot be asked which: {error}; none is offered", "warning")
            self._checked.set()
            await asyncio.sleep(RELIST_SECONDS)

    async def _look(self, session: Session) -> None:
        """See what is offered, hold back what changed, and tell what a person should know."""
        listed, unusable = await session.list()
        sifted = await asyncio.to_thread(sift, listed, unusable)
        definitions = [tool.definition for tool in sifted.tools]
        verdict = await asyncio.to_thread(self._pins.check, self.spec.name, definitions)
        names = tool_names(self._prefix, [tool.name for tool in definitions])
        self.held = {name: _difference(pin) for name, pin in verdict.changed.items()}
        self.tools = tuple(
            McpTool(name=names[name], server=self.spec.name, offered=tool, through=self._call)
            for tool in sifted.tools
            if (name := tool.definition.name) not in self.held
        )
        for note in sifted.notes:
            self._tell(note, "warning")
        self._tell_verdict(verdict)
        if session.rubbish:
            self._tell("it prints lines that are no messages; they are dropped", "warning")

    def _tell_verdict(self, verdict: Verdict) -> None:
        if verdict.new:
            more = f" and {len(verdict.new) - 10} more" if len(verdict.new) > 10 else ""
            self._tell(f"trusted from now on as they are: {', '.join(verdict.new[:10])}{more}")
        for name, difference in self.held.items():
            approve = shlex.join(["agentfly", "mcp-servers", "approve", self.spec.name, name])
            self._tell(f"tool {name} is held back, for its {difference} changed; `{approve}` allows it", "warning")

    def _refuse_held(self, tool: str) -> None:
        if tool in self.held:
            raise ToolError(
                f"{tool} is held back: its {self.held[tool]} changed and a person has not approved that yet; do without it"
            )
        if all(tool != mine.offered.definition.name for mine in self.tools):
            raise ToolError(f"the MCP server {self.spec.name} no longer offers {tool}; do without it")

    async def _no_answer(self, session: Session | None) -> None:
        self._unanswered += 1
        if self._unanswered >= PATIENCE and session is not None and self._session is session:
            self._unanswered = 0
            self._tell(f"{PATIENCE} calls in a row were not answered; it counts as dead", "warning")
            await session.close()

    async def _disable(self, why: str, what: str) -> None:
        self.problem, self.tools = why, ()
        if self._session is not None:
            await self._session.close()
        self._tell(f"{why}; {what}", "warning")

    def _unusable(self) -> str:
        return f"the MCP server {self.spec.name} cannot be used any more ({self.problem}); do the task without it"

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        return await self._through(self, tool, arguments)

    def _tell(self, text: str, level: str = "info") -> None:
        """Tell a person, once."""
        if text not in self._told:
            self._told.add(text)
            self._notify(Notice(text=f"MCP server {self.spec.name}: {text}", level=level))


def _difference(pin: Pin) -> str:
    """What differs from what was trusted, in words."""
    assert pin.changed is not None
    with contextlib.suppress(RecursionError):
        return " and ".join(changes(pin.trusted, pin.changed)) or "definition"
    return "definition"
