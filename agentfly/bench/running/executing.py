"""What makes attempts: the seam between the runner, which owns order, retries and the results folder, and where the work is done.

The runner calls `Executor.do` for at most `Executor.slots` jobs at once, puts what comes back on disk, and says so with
`Executor.settle`. An executor holds nothing of a job that is settled, so that any number of them stream through.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agentfly.bench.results import Key, Result
from agentfly.config import Settings
from agentfly.protocols import Scorer
from agentfly.types import Task, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that it takes to make attempts at tasks, here or on another machine; can be pickled.

    Args:
        identity: of the benchmark run; with `Job.run_id` it names the runs in the working home.
        home: folder of the working home, which belongs to this benchmark run; an executor with several processes gives each a copy.
        settings: the agent's.
        scorer: judges by the dataset's own rule; None is by the settings alone.
        cache: folder of the cache of model calls; None caches nothing.
        critique: a critic without the reference gives each answer a score.
    """

    identity: str
    home: Path
    settings: Settings
    scorer: Scorer | None = None
    cache: Path | None = None
    critique: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One try of one attempt at a task."""

    task: Task
    """With its reference."""
    place: int
    """Of the task in the selection, from 0."""
    attempt: int = 0
    """Which of the attempts at this task, from 0."""
    tries: int = 0
    """Earlier tries of this attempt, all of which ended in an error of a provider or of a lost machine."""
    spent: Usage = field(default_factory=Usage)
    """Of the earlier tries."""
    seconds: float = 0.0
    """Of the earlier tries."""

    @property
    def key(self) -> Key:
        """What there will be one result of."""
        return self.task.id, self.attempt

    def run_id(self, identity: str) -> str:
        """Of this try's run: the same after a kill, so that it goes on; another one for a further try, which begins anew.

        Args:
            identity: of the benchmark run.
        """
        again = f"-r{self.tries}" if self.tries else ""
        return f"{prefix(identity)}{self.place}-{self.attempt}{again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a try came to.

    Args:
        job: that was done.
        result: of this try alone; the runner adds what earlier tries cost.
        record: the full record of the try as plain JSON data: the fields of `agentfly.types.Attempt`, and beside them ``feedback``,
            ``further`` (attempts made to learn from, each with ``attempt`` and ``feedback``) and ``cached_calls``.
        again: whether it ended in an error that may pass (a provider that failed after its retries, a machine that was lost), so that
            another try may end otherwise. An error of the task itself (a missing file) is final.
    """

    job: Job
    result: Result
    record: Any
    again: bool = False


class Executor(Protocol):
    """Makes attempts. Many calls of `do` may be under way at once."""

    @property
    def slots(self) -> int:
        """How many jobs may be under way at once; at least 1. Looked at again whenever a job has ended."""
        ...

    async def start(self, closed: Collection[str] = ()) -> None:
        """Make sure that attempts can be made at all.

        Args:
            closed: ids of the runs that have a result from an earlier process; what is left of them may go.

        Raises:
            UserError: the agent cannot work as it is set up.
        """
        ...

    async def do(self, job: Job) -> Done:
        """Make one try; never learns anything, and never shows a case of the task itself.

        A machine that is lost under a job is an error of that try (`Done.again`), not an exception.

        Args:
            job: what to do.

        Raises:
            UserError: no job would fare better, such as without a usable model or sandbox.
            asyncio.CancelledError: it was cancelled; the try's run stays open, and goes on when it is done again.
        """
        ...

    async def settle(self, done: Sequence[Done]) -> None:
        """Each of these has its result on disk, or another try takes its place: what it could have begun again from may go."""
        ...

    async def aclose(self) -> None:
        """Release everything. May be called twice."""
        ...


def prefix(identity: str) -> str:
    """What the ids of a benchmark run's runs begin with."""
    return f"bench-{identity[:8]}-"
