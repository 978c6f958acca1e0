"""Recall in a thread: a run that is cancelled leaves none behind."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentfly.config import Settings
from agentfly.nodes.recall import cases_for
from agentfly.nodes.state import Parts, State
from agentfly.types import Task


class SlowMemory:
    """Searches until it is told to go on."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.recorded: list[str] = []

    def recollect(self, *_: Any, **__: Any) -> Any:
        self.asked.set()
        assert self.go_on.wait(30)
        return SimpleNamespace(shown=())

    def record_shown(self, run_id: str, *_: Any) -> None:
        self.recorded.append(run_id)


def test_a_cancelled_recall_ends_with_its_thread() -> None:
    memory = SlowMemory()
    parts = cast(Parts, SimpleNamespace(memory=memory, settings=Settings(), temperature=0.0))
    state: State = {"run_id": "one", "task": Task("What?"), "learn": True}

    async def cancelled() -> list[str]:
        running = asyncio.create_task(cases_for("What?", state, parts))
        await asyncio.to_thread(memory.asked.wait)
        running.cancel()
        asyncio.get_running_loop().call_later(0.05, memory.go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await running
        return list(memory.recorded)

    assert asyncio.run(cancelled()) == ["one"], "what comes later can take it back"
