"""What lies between a transport and the session: what passes, what is answered, and that floods have to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from agentfly.tools.mcp import sieve as module
from agentfly.tools.mcp.sieve import CHANGED, Sieve

ANSWER = JSONRPCResponse(jsonrpc="2.0", id=1, result={})


class Source:
    """Messages, one after the other."""

    def __init__(self, messages: Iterator[Any]) -> None:
        self._messages = messages

    async def __anext__(self) -> Any:
        for message in self._messages:
            return message if isinstance(message, Exception) else SessionMessage(message)
        raise StopAsyncIteration

    async def aclose(self) -> None: ...


class Sink:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, item: SessionMessage, /) -> None:
        self.sent.append(item.message)


async def passed(*messages: Any) -> tuple[list[Any], Sink, list[str]]:
    sink, told = Sink(), list[str]()
    sieve = Sieve(Source(iter(messages)), sink, lambda: told.append("changed"), lambda: told.append("closed"))
    return [item.message async for item in sieve], sink, told  # type: ignore[union-attr]


async def test_answers_pass_and_the_rest_is_dealt_with_here() -> None:
    note = JSONRPCNotification(jsonrpc="2.0", method="notifications/message", params={})
    changed = JSONRPCNotification(jsonrpc="2.0", method=CHANGED)
    ping = JSONRPCRequest(jsonrpc="2.0", id=9, method="ping")
    roots = JSONRPCRequest(jsonrpc="2.0", id="a", method="roots/list")
    out, sink, told = await passed(ValueError("rubbish"), note, changed, ping, roots, ANSWER)
    assert out == [ANSWER]
    assert told == ["changed", "closed"]
    assert [(message.id, hasattr(message, "error")) for message in sink.sent] == [(9, False), ("a", True)]


async def test_a_flood_waits_twice_as_long_as_it_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(module.asyncio, "sleep", noted)
    out, _, _ = await passed(*[ValueError("rubbish")] * 5_000, ANSWER)
    assert out == [ANSWER]
    assert len([pause for pause in pauses if 0 < pause <= 0.1]) == 10
