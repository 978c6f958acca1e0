"""What a worker sends back, as its host takes it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from agentfly.protocols import Execution
from agentfly.tools.sandbox.child import Broken, Child
from agentfly.tools.sandbox.usage import Watch


async def first(child: Child, watch: Watch, seconds: float) -> dict[str, Any]:
    """The next frame.

    Raises:
        TimeoutError: it did not come within `seconds`, or the process printed without end or took too much.
        Broken: the process is gone.
    """
    receiving = asyncio.ensure_future(child.receive())
    others = [asyncio.ensure_future(event.wait()) for event in (child.output.flooded, watch.hit)]
    try:
        await asyncio.wait([receiving, *others], timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        if receiving.done():
            return receiving.result()
        raise TimeoutError
    finally:
        for task in (receiving, *others):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Broken):
            await asyncio.gather(receiving, *others, return_exceptions=True)


def execution(frame: dict[str, Any], output: str, seconds: float) -> Execution:
    """The result as the worker told it; fields of the wrong type count as absent."""

    def text(name: str) -> str | None:
        return str(frame[name]) if frame.get(name) is not None else None

    return Execution(
        output=output,
        value=text("value"),
        error=text("error"),
        answered=frame.get("answered") is True,
        answer=frame.get("answer"),
        seconds=seconds,
        timed_out=frame.get("timed_out") is True,
    )


def loss(problem: BaseException, flooded: bool, reason: str, timeout: float) -> str:
    """Why a process had to be ended, or ended by itself, in words for the model.

    Args:
        problem: how it showed.
        flooded: whether it printed without end.
        reason: what it took too much of; empty where it did not.
        timeout: seconds that the block had.
    """
    if flooded:
        told = "The block printed without end and was stopped."
    elif reason:
        told = f"ResourceError: {reason}; it was stopped, and of the files that it wrote too many or too large ones were removed."
    elif isinstance(problem, TimeoutError):
        told = f"TimeoutError: the block ran for more than {timeout:g} s and was stopped."
    else:
        told = "The Python process ended in the middle of the block (out of memory, a crash or an exit)."
    return f"{told} All variables are lost: the next block starts afresh."
