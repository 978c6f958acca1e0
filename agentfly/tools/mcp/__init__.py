"""Tools of MCP servers. Importing this does not load the MCP library; `McpServers.connect` does."""

from agentfly.tools.mcp.pins import Pins
from agentfly.tools.mcp.servers import McpServers, ServerState, ToolState

__all__ = ["McpServers", "Pins", "ServerState", "ToolState"]
