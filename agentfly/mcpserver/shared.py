"""One agent for all calls of a server, opened when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from agentfly.agent import Agent

T = TypeVar("T")


class SharedAgent:
    """Opens the agent once and closes it at the end; use it as an async context.

    Importing and opening take seconds, in a thread, so that the server goes on answering.

    Args:
        make: makes the agent; called again after it raised.
    """

    def __init__(self, make: Callable[[], Agent]) -> None:
        self._make = make
        self._opening: asyncio.Task[Agent] | None = None
        self._lock = asyncio.Lock()
        self._ready = False

    async def opened(self) -> Agent:
        """The agent, good for what needs no model.

        Raises:
            UserError: it cannot be made.
        """
        async with self._lock:
            return await self._open()

    async def ready(self) -> Agent:
        """The agent, with its model chosen and its loop built.

        Raises:
            UserError: it cannot be made, or there is no model to use.
        """
        async with self._lock:
            agent = await self._open()
            if not self._ready:
                await asyncio.to_thread(getattr, agent, "graph")
                self._ready = True
            return agent

    async def _open(self) -> Agent:
        if self._opening is None:
            self._opening = asyncio.create_task(asyncio.to_thread(self._make))
        opening = self._opening
        try:
            return await asyncio.shield(opening)  # a thread cannot be stopped: what it makes serves the next call
        finally:
            if opening.done() and (opening.cancelled() or opening.exception() is not None):
                self._opening = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                await opening.result().aclose()


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work in a task of its own; cancelling the wait cancels the work once and waits for its end.

    The SDK's cancel scopes cancel a task again at each await, which would break off the clean-up of a run half-way.
    """
    import anyio

    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise
