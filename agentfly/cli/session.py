"""An agent for the time of one command: opened, run under the interrupt guard, closed in the same event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from agentfly.cli.interrupt import guard

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.events import Event

T = TypeVar("T")


def make_agent(home: Path, settings: Mapping[str, Any], notify: Callable[[Event], None]) -> Agent:
    """The agent that a command works with."""
    from agentfly.agent import Agent

    return Agent(home=home, settings=settings, notify=notify)


class Session:
    """Owns an agent and the event loop that it lives in.

    Args:
        home: the home folder.
        settings: the arguments layer of the settings.
        notify: takes notices.

    Raises:
        UserError: the agent cannot be made.
    """

    def __init__(self, home: Path, settings: Mapping[str, Any], notify: Callable[[Event], None]) -> None:
        self._runner = asyncio.Runner()
        self.agent = make_agent(home, settings, notify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._runner.run(self.agent.aclose())
        finally:
            self._runner.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine; Ctrl-C cancels it and raises `KeyboardInterrupt`."""
        return guard.run(self._runner, work)
