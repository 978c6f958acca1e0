"""A thread with an event loop of its own: sessions outlive the loops of the runs that use them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """Runs coroutines for any thread and any loop, until it is closed."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: the interpreter would otherwise wait for it before anybody could tell it to end.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Run to its end from a thread that may block.

        Raises:
            TimeoutError: it took longer than that; it has been cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except BaseException:
            future.cancel()
            raise

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end from another event loop; cancelling this cancels it.

        Raises:
            RuntimeError: closed, before or meanwhile.
        """
        if self._loop.is_closed() or not self._thread.is_alive():
            work.close()
            raise RuntimeError("closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():
                raise RuntimeError("closed") from None
            raise

    def close(self, seconds: float = 2.0) -> None:
        """End the loop; what still runs in it is cancelled. May be called twice."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(seconds)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
