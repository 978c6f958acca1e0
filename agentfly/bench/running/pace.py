"""A call that takes much longer than all others has most likely been lost on the way: it is made a second time, and the first
answer counts. Without that a provider that answers one call in a hundred never would hold up a whole run until its time is over."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from agentfly.errors import ProviderError
from agentfly.types import Reply, Usage

TIMES = 1.5
"""The longest of the latest calls so many times over is too long: a second call in vain costs little."""
LEAST = 2.0
"""Seconds that a call may always take."""
MOST = 4
"""Calls that are made beside one at most."""
KNOWN, LATEST = 20, 100
"""So many calls must be known, and so many are remembered."""
GLANCE = 1.0
"""Seconds between two looks at how long other calls take."""

Ask = Callable[[], Awaitable[Reply]]


class Pace:
    """How long calls take."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LATEST)

    @property
    def patience(self) -> float | None:
        """Seconds after which a call is made a second time; None while too little is known. What a provider told calls to wait is
        part of how long they took."""
        return max(LEAST, TIMES * max(self._seconds)) if len(self._seconds) >= KNOWN else None

    async def call(self, ask: Ask, again: Ask) -> Reply:
        """Make a call.

        Args:
            ask: makes it.
            again: makes it once more.

        Returns:
            The first answer, with what the other call cost as far as is known.

        Raises:
            ProviderError: it failed, and so did those that were made beside it.
        """
        began = time.monotonic()
        first: asyncio.Future[Reply] = asyncio.ensure_future(ask())
        calls = [first]
        try:
            await self._in_time(first, began)
            reply = first.result() if first.done() else await _raced(calls, again, self.patience or LEAST)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        if len(calls) == 1:
            self._seconds.append(time.monotonic() - began)
            return reply
        lost = sum((_lost(call, time.monotonic() - began) for call in calls), Usage())
        return replace(reply, usage=reply.usage + lost)

    async def _in_time(self, call: asyncio.Future[Reply], began: float) -> None:
        """Wait until a call has ended or takes too long; what that is may become known meanwhile."""
        while not call.done():
            patience, taken = self.patience, time.monotonic() - began
            if patience is not None and taken >= patience:
                return
            left = GLANCE if patience is None else min(GLANCE, patience - taken)
            await asyncio.wait([call], timeout=left)


async def _raced(calls: list[asyncio.Future[Reply]], again: Ask, patience: float) -> Reply:
    """The first answer of a call and those made beside it; where all have failed, the failure of the call itself.

    Args:
        calls: the call, to which the others are added.
        again: makes one of the others: one at once, the next when that has failed or takes too long as well.
        patience: seconds that one may take.
    """
    due = 0.0
    while True:
        if len(calls) <= MOST and time.monotonic() >= due:
            calls.append(asyncio.ensure_future(again()))
            due = time.monotonic() + patience
        waiting = [call for call in calls if not call.done()]
        left = None if len(calls) > MOST else max(0.0, due - time.monotonic())
        done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for call in done:
            if call.exception() is None:
                return call.result()
        if all(call.done() for call in calls):
            return calls[0].result()
        if calls[-1] in done:  # it was turned away, say
            due = time.monotonic() + GLANCE


def _lost(call: asyncio.Future[Reply], seconds: float) -> Usage:
    """What a call cost that gave no answer."""
    if call.cancelled():
        return Usage(calls=1, failed_calls=1, seconds=seconds)
    error = call.exception()
    return error.usage if isinstance(error, ProviderError) else Usage()
