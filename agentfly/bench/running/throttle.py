"""How many model calls may be under way at once: fewer while the provider turns many away, slowly more again afterwards."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PRESSED = 0.3
"""Share of a window's calls that met a failing provider from which on it counts as pressed. Single failures are no sign of that:
whoever halves on each of them ends up with a few calls at once under 5 % of them (W ≈ √(1.5 / p), as TCP does), and each call
that was turned away waits as long as it was told to anyway."""
PLAIN = 0.5
"""Share from which on a part of a window says enough."""
CALM = 0.15
"""Share up to which there may be one more."""
WINDOW = 16
"""Fewest calls that say something; a window has twice as many as may be under way, where that is more, unless it is plain before."""


class Throttle:
    """Additive increase, multiplicative decrease, window by window. Of one event loop.

    Args:
        most: calls at once when nothing is wrong.
    """

    def __init__(self, most: int) -> None:
        self.most = self.limit = max(1, most)
        """`limit` is how many may be under way now."""
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._calls = self._pressed = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        await self._enter()
        try:
            yield
        finally:
            self._busy -= 1
            self._admit()

    def saw(self, *, pressed: bool) -> None:
        """Take note of how a call ended.

        Args:
            pressed: whether the provider failed, even if a further try of the call succeeded.
        """
        self._calls += 1
        self._pressed += pressed
        share = self._pressed / self._calls
        if self._calls < WINDOW or (self._calls < 2 * self.limit and share <= PLAIN):
            return
        self._calls = self._pressed = 0
        if share > PRESSED:
            self.limit = max(1, self.limit // 2)
        elif share <= CALM:
            self.limit = min(self.most, self.limit + 1)
            self._admit()

    async def _enter(self) -> None:
        if self._busy < self.limit and not self._waiting:
            self._busy += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was let in and cancelled in the same moment
                self._busy -= 1
            else:
                self._waiting.remove(place)
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._busy < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self._busy += 1
                place.set_result(None)
