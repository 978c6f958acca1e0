"""The seam between the cluster executor and what reaches other machines: processes that can be called, and that can be lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class WorkerLost(Exception):
    """A worker's process or machine is gone, or never came up. Its text says why, in one line."""


class Worker(Protocol):
    """A `agentfly.bench.running.cluster_worker.ClusterWorker` somewhere."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call one of its methods; waits also until it has a place to run on.

        Args:
            method: its name.
            arguments: each can be pickled, or was given by `Machines.share`.

        Raises:
            WorkerLost: it is gone.
            asyncio.CancelledError: it was cancelled here, and then there too.
        """
        ...

    def kill(self) -> None:
        """End it at once. May be called twice."""
        ...


class Machines(Protocol):
    """Where workers run."""

    @property
    def folder(self) -> Path | None:
        """Where workers make their folders; None is each machine's own folder for temporary files."""
        ...

    @property
    def ours(self) -> bool:
        """Whether all of it runs on this machine, with this code, and was started for this benchmark run."""
        ...

    async def open(self) -> None:
        """Start or reach it.

        Raises:
            UserError: it cannot be started or reached.
        """
        ...

    def room(self) -> int:
        """How many workers it has room for; at least 1."""
        ...

    def share(self, data: bytes) -> Any:
        """Send data to the machines once, however many workers are given it."""
        ...

    def worker(self, at_once: int) -> Worker:
        """Start a worker; it is there when its first call returns.

        Args:
            at_once: jobs that it gets at once.
        """
        ...

    async def close(self) -> None:
        """Leave it; what was started for us ends. May be called twice."""
        ...
