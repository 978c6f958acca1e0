"""The tools of one agent: the caller's, those that come with agentfly, and those of MCP servers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentfly.config import Settings
from agentfly.errors import ConfigError
from agentfly.events import Notice
from agentfly.protocols import Tool
from agentfly.store.home import MCP_PINS, MCP_SERVERS, Home
from agentfly.tools.toolbox import as_tool, identifier

if TYPE_CHECKING:
    from agentfly.tools.mcp.servers import McpServers

_MARGIN = 2.0  # seconds by which a silent server is noticed before the call itself is given up
_HEAD = 300  # characters of an observation that are not the page: its number, how to ask for the next


class Toolset:
    """Made when an agent is; nothing is loaded or started before `tools` or `connect` is asked for.

    Args:
        home: keeps the cache of converted content, the MCP servers and what is trusted of them.
        settings: which tools.
        given: the caller's functions and tools.
        model: name of the model that acts; asked only where it matters.
        notify: takes notices of MCP servers.
        mcp: whether MCP servers may be used at all.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        given: Sequence[Any],
        model: Callable[[], str | None],
        notify: Callable[[Notice], None],
        *,
        mcp: bool = True,
    ) -> None:
        self._home = home
        self._settings = settings
        self._given = given
        self._model = model
        self._notify = notify
        self._mcp = mcp
        self._connected = threading.Lock()

    async def connect(self) -> None:
        """Start the MCP servers that are configured, side by side; those that do not answer are left out, with a notice.

        Raises:
            ConfigError: their configuration is wrong, or the package ``mcp`` is missing.
        """
        if self._servers is not None and "tools" not in self.__dict__:
            await asyncio.to_thread(self._connect)

    @cached_property
    def tools(self) -> tuple[Tool, ...]:
        """All of them. Asking starts the MCP servers where `connect` has not.

        Raises:
            ConfigError: two have one name, or one that was asked for cannot work here.
        """
        self._connect()
        servers = self._servers
        found = (*map(as_tool, self._given), *self._builtin(), *(servers.tools if servers is not None else ()))
        names: set[str] = set()
        for tool in found:
            if identifier(tool.name) in names:
                raise ConfigError(
                    f"two tools are named {tool.name!r}: rename one, or leave a built-in out with --tools"
                )
            names.add(identifier(tool.name))
        return found

    async def aclose(self) -> None:
        """End the MCP servers. May be called twice."""
        if "_servers" in self.__dict__ and self._servers is not None:
            await asyncio.to_thread(self._servers.close)

    def _connect(self) -> None:
        if self._servers is not None:
            with self._connected:
                self._servers.connect()

    @cached_property
    def _servers(self) -> McpServers | None:
        config = self._settings.mcp.config or self._home.path / MCP_SERVERS
        if not self._mcp or (self._settings.mcp.config is None and not config.is_file()):
            return None
        from agentfly.tools.mcp.servers import McpServers

        seconds = self._settings.tools.seconds
        return McpServers(
            config.expanduser(),
            self._home.path / MCP_PINS,
            self._settings.mcp.connect_seconds,
            max(seconds - _MARGIN, seconds / 2),
            self._notify,
        )

    def _builtin(self) -> Sequence[Tool]:
        settings = self._settings.tools
        name = self._model() if settings.builtin == "auto" or not settings.vision else None
        if settings.builtin == "none" or (settings.builtin == "auto" and name is None):
            return ()
        from agentfly.models.abilities import sees
        from agentfly.models.senses import hearing, sight
        from agentfly.tools.builtin import builtin_tools
        from agentfly.tools.caching import ContentCache

        eyes = settings.vision or (name if name is not None and sees(name) else None)
        return builtin_tools(
            settings,
            os.environ,
            ContentCache(self._home.path / "cache"),
            look=sight(eyes, self._settings) if eyes else None,
            hear=hearing(settings.speech, self._settings) if settings.speech else None,
            page_chars=max(self._settings.limits.output_chars - _HEAD, 500),
        )
