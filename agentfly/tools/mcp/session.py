"""One connection to one server, from its opening to its end. The only place that drives the SDK's client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import httpx2
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter

from agentfly.tools.mcp.config import Program, Remote
from agentfly.tools.mcp.definitions import Definition
from agentfly.tools.mcp.failures import Failed, leaf, said
from agentfly.tools.mcp.offering import MOST_TOOLS
from agentfly.tools.mcp.transports import Way, opened

PAGES = 50
"""Of one listing; a listing may go on without end."""
POLITE_SECONDS = 1.0
"""How long saying goodbye may take before the connection is cut."""
ERRORS = (
    MCPError,
    httpx2.HTTPError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What the SDK raises when a server misbehaves or cannot be reached."""
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

for _logger in (logging.getLogger("mcp"), logging.getLogger("client")):
    if (
        _logger.level == logging.NOTSET
    ):  # the SDK logs each mistake of a server, with a traceback: a flood of them would be the server's to start
        _logger.setLevel(logging.CRITICAL)


class Session:
    """A connection in a task of its own: the SDK's scopes belong to the task that entered them.

    Args:
        target: the server.
        transport: ``http`` or ``sse``, for remote ones.
        changed: told that the server changed its tools.
    """

    def __init__(self, target: Program | Remote, transport: str, changed: Callable[[], None]) -> None:
        self._target, self._transport, self._changed = target, transport, changed
        self._end = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._way: Way | None = None
        self._client: Client | None = None

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return self._end.is_set() or self._task is None or self._task.done()

    @property
    def rubbish(self) -> int:
        """How many lines of the server were no messages."""
        return self._way.read.rubbish if self._way else 0

    async def open(self, seconds: float) -> None:
        """Connect and shake hands.

        Raises:
            Failed: not within the time, or the server refused, ended or is not there.
        """
        self._task = asyncio.create_task(self._run())
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._task, ready}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if self._ready.is_set() and not self._task.done():
                return
            late = not self._task.done()
            await self.close()
            raise Failed(f"it did not answer within {seconds:.3g} s{self._complaint()}" if late else self._why())
        except asyncio.CancelledError:
            await self.close()
            raise
        finally:
            ready.cancel()

    async def list(self) -> tuple[list[Definition], list[str]]:
        """The tools that the server lists, as far as they can be of use, and why others are not.

        Raises:
            Failed: it does not say.
        """
        assert self._client is not None
        assert self._way is not None
        self._way.read.unusable.clear()
        found: list[Definition] = []
        cursor: str | None = None
        try:
            for _ in range(PAGES):
                page = await self._client.list_tools(cursor=cursor)
                found += [_definition(tool) for tool in page.tools]
                cursor = page.next_cursor
                if not cursor or len(found) > 10 * MOST_TOOLS:
                    break
        except ERRORS as error:
            if not (isinstance(error, MCPError) and error.code == METHOD_NOT_FOUND):
                raise Failed(f"it does not list its tools: {said(error)}{self._complaint()}") from None
        return found, list(self._way.read.unusable)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool.

        Raises:
            Failed: the server refused the call, or its answer cannot be used.
            Ended: the connection ended before an answer came.
        """
        assert self._client is not None
        params = CallToolRequestParams(name=name, arguments=dict(arguments))
        try:
            # Not `Client.call_tool`: it holds results against the server's own schema, whose patterns may never end.
            result = await self._client.session.send_request(CallToolRequest(params=params), _RESULT)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise Ended(f"it ended during the call{self._complaint()}") from None
            raise Failed(said(error)) from None
        except (httpx2.HTTPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Ended(f"it cannot be reached: {said(error)}") from None
        except ERRORS as error:
            raise Failed(f"the server's answer cannot be used: {said(error)}") from None
        if isinstance(result, InputRequiredResult):
            raise Failed("the server asks a person for more input, which is not possible here")
        return result

    async def close(self) -> None:
        """End the connection, and the server's processes with it. May be called twice."""
        self._end.set()
        if self._task is None:
            return
        if self._ready.is_set():
            await asyncio.wait({self._task}, timeout=POLITE_SECONDS)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=6.0)

    async def _run(self) -> None:
        async with opened(self._target, self._transport, self._changed, self._end.set) as way:
            self._way = way
            streams = contextlib.nullcontext((way.read, way.write))
            async with Client(streams, mode="auto", cache=None, client_info=_ourselves()) as client:
                self._client = client
                way.read.version = client.protocol_version
                self._ready.set()
                listening = asyncio.create_task(self._listen(client))
                try:
                    await self._end.wait()
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, client: Client) -> None:
        """From 2026 on, servers tell of changes only those that ask."""
        tools = client.server_capabilities.tools
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS and tools is not None and tools.list_changed:
            async with client.listen(tools_list_changed=True):
                await self._end.wait()

    def _why(self) -> str:
        """Why the task ended before it was ready."""
        assert self._task is not None
        error = None if self._task.cancelled() else leaf(self._task.exception())
        if isinstance(error, Failed):
            return str(error)
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            return f"it ended before it was ready{self._complaint()}"
        return said(error) + self._complaint()

    def _complaint(self) -> str:
        words = self._way.complaint() if self._way else ""
        return f" (its last words: {words})" if words else ""


class Ended(Failed):
    """The connection is no more; the outcome of the call is not known."""


def _definition(tool: Any) -> Definition:
    annotations = tool.annotations.model_dump(by_alias=True, exclude_none=True, mode="json") if tool.annotations else {}
    return Definition(
        name=tool.name, description=tool.description or "", schema=tool.input_schema, annotations=annotations
    )


def _ourselves() -> Implementation:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("agentfly-framework")
    except PackageNotFoundError:
        number = "0"
    return Implementation(name="agentfly", version=number)
