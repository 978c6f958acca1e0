"""The jobs of a benchmark run in their order: each attempt that has no result, and what failed once more at the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from agentfly.bench.results import Key
from agentfly.bench.running.executing import Done, Job
from agentfly.types import Task


class Jobs:
    """Gives out jobs; of one event loop.

    The first attempt at every task comes before the second at any, so that a run that is cut short is whole as far as it goes.
    Whether a task is worked on depends on nothing but whether it has a result.

    Args:
        tasks: that were selected, in their order.
        attempts: at each.
        done: what has a result.
    """

    def __init__(self, tasks: Sequence[Task], attempts: int, done: Container[Key]) -> None:
        self._plan = _planned(tasks, attempts, done)
        self._again: deque[Job] = deque()
        self._out = 0
        self._changed = asyncio.Event()

    async def next(self) -> Job | None:
        """The next job; waits while one that is out may come back. None when everything is done."""
        while True:
            job = next(self._plan, None) or (self._again.popleft() if self._again else None)
            if job is not None:
                self._out += 1
                return job
            if not self._out:
                return None
            self._changed.clear()
            await self._changed.wait()

    def finished(self) -> None:
        """A job that was out is done for good."""
        self._out -= 1
        self._changed.set()

    def again(self, done: Done) -> None:
        """A job that was out failed, and is to be tried again when all others have been."""
        job, result = done.job, done.result
        self._again.append(
            replace(job, tries=job.tries + 1, spent=job.spent + result.usage, seconds=job.seconds + result.seconds)
        )
        self.finished()


def _planned(tasks: Sequence[Task], attempts: int, done: Container[Key]) -> Iterator[Job]:
    for attempt in range(attempts):
        for place, task in enumerate(tasks):
            if (task.id, attempt) not in done:
                yield Job(task=task, place=place, attempt=attempt)
