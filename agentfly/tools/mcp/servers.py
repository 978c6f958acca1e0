"""All MCP servers of one configuration, as tools that work from any event loop. Read this first."""

from __future__ import annotations

import atexit
import importlib.util
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agentfly.errors import ConfigError, ToolError
from agentfly.events import Notice
from agentfly.protocols import Risk, Tool
from agentfly.tools.mcp.config import read_servers
from agentfly.tools.mcp.naming import prefixes
from agentfly.tools.mcp.pins import Pins

if TYPE_CHECKING:
    from agentfly.tools.mcp.background import Background
    from agentfly.tools.mcp.server import Server

CLOSE_SECONDS = 10.0
"""Longest wait for servers to end; they end side by side, most of them at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolState:
    """One tool of a server, for people."""

    tool: str
    """The server's name of it."""
    name: str
    """The name under which it is offered; empty where it is held back."""
    risk: Risk | None
    held: str = ""
    """What changed, where it is held back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """One server, for people."""

    name: str
    where: str
    """Program or address, without what may be secret."""
    problem: str = ""
    """Why it cannot be used."""
    tools: tuple[ToolState, ...] = ()


class McpServers:
    """The tools of MCP servers. A context manager: entering connects, leaving closes.

    The servers run beside each other in one background thread, so that they stay connected between runs.

    Args:
        config: file or data with ``mcpServers``.
        pins: JSON file of what is trusted.
        connect_seconds: how long a server may take to start and to say what it offers.
        call_seconds: how long a call may take.
        notify: told what a person should know; called in the threads that use this object.

    Raises:
        ConfigError: the configuration cannot be used.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | Path,
        pins: Path,
        connect_seconds: float = 30.0,
        call_seconds: float = 60.0,
        notify: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        self._specs = read_servers(config)
        self._pins = Pins(pins)
        self._connect_seconds, self._call_seconds = connect_seconds, call_seconds
        self._notify, self._notices = notify, deque[Notice]()
        self._servers: tuple[Server, ...] = ()
        self._background: Background | None = None
        self._lock = threading.Lock()

    @property
    def tools(self) -> Sequence[Tool]:
        """What is offered now. It may change while servers run: ask for it at the beginning of each attempt."""
        self._pass_on()
        return tuple(tool for server in self._servers for tool in server.tools)

    def connect(self) -> None:
        """Start all servers side by side. One that does not work is told of and left out. May be called twice.

        Raises:
            ConfigError: the SDK is not installed.
            HomeError: the pins cannot be read or written.
        """
        with self._lock:
            if not self._specs or self._background is not None:
                return
            self._background, self._servers = self._made()
            atexit.register(self.close)
            try:
                self._background.wait(_beside([server.start() for server in self._servers]))
            except BaseException:
                self._close()
                raise
            finally:
                self._pass_on()

    def close(self) -> None:
        """End all servers with everything that they started. May be called twice."""
        with self._lock:
            self._close()
        self._pass_on()

    def state(self) -> tuple[ServerState, ...]:
        """The servers of the configuration, connected or not."""
        if not self._servers:
            return tuple(ServerState(name=spec.name, where=spec.target.where) for spec in self._specs)
        return tuple(_state(server) for server in self._servers)

    def __enter__(self) -> McpServers:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _made(self) -> tuple[Background, tuple[Server, ...]]:
        if importlib.util.find_spec("mcp") is None:
            raise ConfigError("MCP servers need the MCP library: pip install 'agentfly-framework[mcp]'")
        from agentfly.tools.mcp.background import Background
        from agentfly.tools.mcp.server import Server

        names = prefixes([spec.name for spec in self._specs])
        servers = tuple(
            Server(
                spec,
                names[spec.name],
                self._pins,
                through=self._through,
                tell=self._notices.append,
                connect_seconds=self._connect_seconds,
                call_seconds=self._call_seconds,
            )
            for spec in self._specs
        )
        return Background("agentfly-mcp"), servers

    async def _through(self, server: Server, tool: str, arguments: Mapping[str, Any]) -> Any:
        background = self._background
        try:
            if background is None:
                raise RuntimeError
            return await background.run(server.call(tool, arguments))
        except RuntimeError:
            raise ToolError(f"{tool}: the MCP servers were closed") from None
        finally:
            self._pass_on()

    def _close(self) -> None:
        background, self._background = self._background, None
        if background is None:
            return
        atexit.unregister(self.close)
        try:
            background.wait(_beside([server.stop() for server in self._servers]), CLOSE_SECONDS)
        except (TimeoutError, RuntimeError):
            pass  # each server's keeper ends it when this process lets go
        finally:
            background.close()

    def _pass_on(self) -> None:
        while self._notices:
            self._notify(self._notices.popleft())


async def _beside(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it, whatever becomes of one; then raise the first error."""
    import asyncio

    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _state(server: Server) -> ServerState:
    offered = [ToolState(tool=tool.offered.definition.name, name=tool.name, risk=tool.risk) for tool in server.tools]
    held = [ToolState(tool=name, name="", risk=None, held=what) for name, what in server.held.items()]
    return ServerState(
        name=server.spec.name,
        where=server.spec.target.where,
        problem=server.problem,
        tools=tuple(sorted(offered + held, key=lambda state: state.tool)),
    )
