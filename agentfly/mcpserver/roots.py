"""The folders that a client has open, as it names them itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.mcpserver.files import local_path

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server.context import ServerRequestContext

_KEY = "roots"
_SECONDS = 10.0


class RootsWanted(Exception):
    """The client has to be asked, and its protocol wants that in place of an answer; it calls again with what it has."""

    def request(self) -> types.InputRequiredResult:
        """What to answer."""
        import mcp_types as types

        return types.InputRequiredResult(input_requests={_KEY: types.ListRootsRequest()})


async def client_roots(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> Sequence[Path] | None:
    """The folders that the client has open; None where it does not say.

    Raises:
        RootsWanted: see there.
    """
    import mcp_types as types
    from mcp.shared.exceptions import MCPError
    from mcp.shared.message import ServerMessageMetadata
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    can = context.session.client_capabilities
    if can is None or can.roots is None:
        return None
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        answer = (params.input_responses or {}).get(_KEY)
        if answer is None:
            raise RootsWanted
        return _paths(answer.roots) if isinstance(answer, types.ListRootsResult) else None
    try:
        said = await context.session.send_request(
            types.ListRootsRequest(),
            types.ListRootsResult,
            request_read_timeout_seconds=_SECONDS,
            metadata=ServerMessageMetadata(related_request_id=context.request_id),
        )
    except MCPError:  # it cannot after all, or takes too long
        return None
    return _paths(said.roots)


def _paths(roots: Iterable[types.Root]) -> tuple[Path, ...]:
    paths = (local_path(str(root.uri)) for root in roots)
    return tuple(path for path in paths if path is not None)
