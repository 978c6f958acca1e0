"""Blocking work that the event loop waits for and that nobody waits for once the loop is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[], T], name: str) -> Future[T]:
    """Run `work` in a daemon thread.

    `asyncio.to_thread` will not do here: its threads are joined when the loop and the interpreter end, so an
    interrupted program would hang until a long import or a load of gigabytes is through.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # running futures cannot be cancelled by one of several waiters

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=f"agentfly-{name}", daemon=True).start()
    return future


async def detached(work: Callable[[], T], name: str = "work") -> T:
    """Await `work` running in a daemon thread; cancellation returns at once and leaves the thread to itself."""
    return await asyncio.wrap_future(start(work, name))
