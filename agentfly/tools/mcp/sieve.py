"""Between a transport and the SDK's session: passes on what this client uses, and answers or drops the rest at a bounded rate.

The session starts a task for whatever comes in. A server that floods us would fill memory with them; here it has to wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

import anyio
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types import (
    METHOD_NOT_FOUND,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    Tool,
)
from mcp_types.methods import validate_server_result
from mcp_types.version import LATEST_HANDSHAKE_VERSION
from pydantic import ValidationError

CHANGED = "notifications/tools/list_changed"
_PASSED = frozenset({"notifications/subscriptions/acknowledged", "notifications/cancelled"})
_BURST = 500
"""Messages without use after which reading pauses, twice as long as they took: a flood gets a third of the processor at most."""
_LONGEST_PAUSE = 0.1


class Source(Protocol):
    """What the SDK's read streams have in common."""

    async def __anext__(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class Sink(Protocol):
    """What the SDK's write streams have in common."""

    async def send(self, item: SessionMessage, /) -> None: ...


class Sieve:
    """A read stream over another one.

    Args:
        source: the transport's.
        sink: takes the answers to a server's own requests.
        changed: told that the server changed its tools.
        closed: told once that there will be no more messages.
    """

    def __init__(self, source: Source, sink: Sink, changed: Callable[[], None], closed: Callable[[], None]) -> None:
        self._source, self._sink = source, sink
        self._changed, self._closed = changed, closed
        self._useless, self._since = 0, time.monotonic()
        self.rubbish = 0
        """Messages that were none."""
        self.unusable: list[str] = []
        """Why tools of the last listing were left out before the session saw them."""
        self.version = LATEST_HANDSHAKE_VERSION
        """Of the protocol, as negotiated."""

    async def __anext__(self) -> SessionMessage | Exception:
        while True:
            try:
                item = await anext(self._source)
                wanted = isinstance(item, SessionMessage) and await self._wanted(item)
            except BaseException:
                self._closed()
                raise
            if wanted:
                await asyncio.sleep(0)  # lets the tasks end that the session started for earlier ones
                return item
            if not isinstance(item, SessionMessage):
                self.rubbish += 1
            self._useless += 1
            if self._useless % _BURST == 0:
                await asyncio.sleep(min(2 * (time.monotonic() - self._since), _LONGEST_PAUSE))
                self._since = time.monotonic()

    async def receive(self) -> SessionMessage | Exception:
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    async def _wanted(self, item: SessionMessage) -> bool:
        message = item.message
        if isinstance(message, JSONRPCNotification):
            if message.method == CHANGED:
                self._changed()
            return message.method in _PASSED
        if isinstance(message, JSONRPCRequest):
            await self._answer(message)
            return False
        if isinstance(message, JSONRPCResponse):
            self._mend(message.result)
        return True

    async def _answer(self, request: JSONRPCRequest) -> None:
        """A ping is answered; models, people and folders of ours are not offered to servers."""
        answer: JSONRPCResponse | JSONRPCError = JSONRPCResponse(jsonrpc="2.0", id=request.id, result={})
        if request.method != "ping":
            error = ErrorData(code=METHOD_NOT_FOUND, message=f"{request.method[:100]} is not offered by this client")
            answer = JSONRPCError(jsonrpc="2.0", id=request.id, error=error)
        try:
            await self._sink.send(SessionMessage(answer, ClientMessageMetadata()))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # the end of the source tells of it

    def _mend(self, result: dict[str, Any]) -> None:
        """Take malformed tools out of a listing: the session would refuse all of it because of one."""
        tools = result.get("tools")
        if not isinstance(tools, list) or "content" in result:
            return
        sound = []
        for entry in tools:
            try:
                _check(entry, self.version)
            except ValidationError as error:
                self.unusable.append(_named(entry) + "; ".join(_fields(error)))
            except (ValueError, RecursionError) as error:
                self.unusable.append(_named(entry) + str(error))
            else:
                sound.append(entry)
        result["tools"] = sound

    def __aiter__(self) -> Sieve:
        return self

    async def aclose(self) -> None:
        await self._source.aclose()

    async def __aenter__(self) -> Sieve:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _check(entry: Any, version: str) -> None:
    """See whether the session would take this tool, after putting right what many servers get wrong.

    Raises:
        ValueError: it would not.
    """
    schema = entry.get("inputSchema") if isinstance(entry, dict) else None
    if isinstance(schema, dict):
        schema.setdefault("type", "object")
        if isinstance(properties := schema.get("properties"), dict):  # `true` stands for anything, as `{}` does
            schema["properties"] = {key: {} if value is True else value for key, value in properties.items()}
    Tool.model_validate(entry, by_name=False)
    if not entry["name"]:
        raise ValueError("it has no name")
    validate_server_result(
        "tools/list", version, {"tools": [entry], "ttlMs": 0, "cacheScope": "private", "resultType": "complete"}
    )


def _named(entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{name[:80]}: " if isinstance(name, str) and name else "a tool without a name: "


def _fields(error: ValidationError) -> list[str]:
    problems = error.errors(include_url=False, include_input=False)[:2]
    return [f"{'.'.join(str(part) for part in p['loc'])}: {p['msg']}" for p in problems]
