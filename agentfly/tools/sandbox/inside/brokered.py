"""Tools as functions: each call goes to the host and waits for what comes back."""

from __future__ import annotations

import threading

from .values import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .channel import Channel
    from .execute import Clock


class ToolError(Exception):
    """A tool refused, or was called wrongly."""

    __module__ = "builtins"  # shown without a module, as the code can name it


class Broker:
    """Calls tools one at a time over the channel."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0

    def function(self, name: str, description: str) -> Callable[..., Any]:
        """A function that calls the tool `name`."""

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._call(name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        call.__doc__ = description
        return call

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = {"args": plain(list(args)), "kwargs": plain(kwargs)}
        with self._lock:
            left = self._clock.stop()  # also keeps the alarm from tearing a frame
            try:
                self._count += 1
                self._channel.send({"op": "call", "id": self._count, "name": name, **arguments})
                reply = self._channel.receive()
            finally:
                if left:
                    self._clock.start(left)
        if "error" in reply:
            raise ToolError(reply["error"])
        return reply.get("value")
