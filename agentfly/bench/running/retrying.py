"""Tries of a model call: as `agentfly.models` makes them, but a place among the calls under way is held only while one is asked.

So each answer of the provider tells the throttle at once, and who waits to ask again keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from agentfly.bench.running.throttle import Throttle
from agentfly.errors import ProviderError
from agentfly.models.calls import Transient
from agentfly.models.failures import Failure
from agentfly.types import Reply, Usage

FIRST, LONGEST = 0.5, 20.0
"""Seconds of the longest pause before the second try, doubled each time, and of any pause."""

Ask = Callable[[float], Awaitable[Reply]]
"""Makes one try, within so many seconds."""


async def tried(ask: Ask, throttle: Throttle, *, retries: int, seconds: float) -> Reply:
    """The reply, after as many tries as it takes.

    Args:
        ask: makes a try, with a model that does not try again by itself.
        throttle: of all calls.
        retries: further tries after failures that may pass.
        seconds: for all tries together, pauses included; waiting for the throttle is not.

    Returns:
        The reply with what all tries cost.

    Raises:
        ProviderError: it kept failing; has what all tries cost.
    """
    left, lost, number = seconds, Usage(), 0
    while True:
        async with throttle.turn():
            began = time.monotonic()
            try:
                reply = await ask(left)
            except ProviderError as error:
                failure = _passing(error)
                throttle.saw(pressed=failure is not None)
                lost, problem = lost + error.usage, error
            else:
                throttle.saw(pressed=False)
                return _with(reply, lost)
        number += 1
        pause = _pause(failure, number)
        left -= time.monotonic() - began + pause
        if failure is None or number > retries or left <= 0:
            problem.usage = lost
            raise problem
        await asyncio.sleep(pause)


def _with(reply: Reply, lost: Usage) -> Reply:
    return replace(reply, usage=lost + reply.usage) if lost.calls else reply


def _passing(error: ProviderError) -> Failure | None:
    """The failure behind an error, where it is one that may pass; the error itself is for people."""
    behind = error.__context__
    return behind.failure if isinstance(behind, Transient) else None


def _pause(failure: Failure | None, number: int) -> float:
    """Seconds until the next try: what the provider asks for, else exponential with full jitter."""
    if failure is not None and failure.retry_after is not None:
        return failure.retry_after
    return random.uniform(0.0, min(LONGEST, FIRST * 2.0**number))  # noqa: S311  no secret
