"""One tool of an MCP server, as generators see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentfly.protocols import Origin, Risk
from agentfly.tools.mcp.offering import Offered


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTool:
    """A `Tool` that a server runs. What it brings is from outside."""

    name: str
    server: str
    offered: Offered
    through: Callable[[str, Mapping[str, Any]], Awaitable[Any]]
    """Makes a call, given the server's own name of the tool."""
    origin: Origin = "mcp"

    @property
    def description(self) -> str:
        return self.offered.description

    @property
    def schema(self) -> Mapping[str, Any]:
        return self.offered.schema

    @property
    def risk(self) -> Risk:
        return self.offered.definition.risk

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Have the server run it.

        Raises:
            ToolError: it failed, did not answer in time, is held back, or its server is gone.
        """
        return await self.through(self.offered.definition.name, arguments)
