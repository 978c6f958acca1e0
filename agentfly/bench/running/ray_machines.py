"""Workers on a Ray cluster (sole import of ray): one that was there before, or one of this machine alone, started for a benchmark run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from agentfly.bench.running.cluster_worker import ClusterWorker
from agentfly.bench.running.machines import WorkerLost
from agentfly.bench.running.shipping import Scratch
from agentfly.errors import ConfigError, UserError

T = TypeVar("T")
ADDRESS = "RAY_ADDRESS"
LOCAL = "local"
"""The address that means: start a cluster on this machine."""
AUTO = "auto"
"""The address that means: the cluster that runs on this machine."""
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
_KNOCK_SECONDS = 5.0
_FOLDER = "agentfly-ray-"
_STORE_BYTES = 128 * 2**20
_LONGEST_FOLDER = 40
"""Characters; Ray makes sockets below it, whose paths must not be longer than 107."""
_BESIDE = 4
"""Calls that a worker takes beside its jobs: to stay, to settle."""


def missing() -> str:
    """Why there can be no Ray here; empty where there can."""
    return "" if find_spec("ray") else "attempts on a cluster need Ray: pip install 'agentfly-framework[ray]'"


class RayMachines:
    """A Ray cluster.

    Args:
        address: ``host:port`` of a cluster, ``auto`` for the one on this machine, ``local`` for one of our own; None takes
            ``RAY_ADDRESS``, and one of our own where that is not set.
        workers: how many a cluster of our own has room for.

    Raises:
        ConfigError: Ray is not installed.
    """

    def __init__(self, address: str | None, workers: int) -> None:
        if reason := missing():
            raise ConfigError(reason)
        self._address = address or os.environ.get(ADDRESS) or LOCAL
        if self._address.startswith("ray://"):
            raise ConfigError(
                f"{self._address} is the address of a Ray client server; run this on a machine of the cluster and give host:port"
            )
        self._workers = workers
        self._scratch: Scratch | None = None
        self._before: dict[str, str | None] = {}
        # What Ray starts ends with the thread that started it, so that one thread does it all.
        self._thread = ThreadPoolExecutor(1, "ray")
        self._open = self._used = False

    @property
    def ours(self) -> bool:
        """As `Machines.ours`."""
        return self._address == LOCAL

    @property
    def folder(self) -> Path | None:
        """As `Machines.folder`."""
        return self._scratch.path if self._scratch else None

    async def open(self) -> None:
        """As `Machines.open`."""
        if self.ours:
            self._scratch = Scratch(_FOLDER, _short_folder())
            self._set(_alone(self._scratch.path))
        else:
            await asyncio.to_thread(self._check_address)
            self._set(_QUIET)
        self._open = True
        await self._in_thread(self._begin)

    def room(self) -> int:
        """As `Machines.room`."""
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def share(self, data: bytes) -> Any:
        """As `Machines.share`."""
        import ray

        return ray.put(data)

    def worker(self, at_once: int) -> RayWorker:
        """As `Machines.worker`."""
        import ray

        # It is not started again by Ray: the executor does that, since a new one must be told what to do first.
        remote: Any = ray.remote(ClusterWorker)
        options = remote.options(num_cpus=1, max_concurrency=at_once + _BESIDE, max_restarts=0, max_task_retries=0)
        return RayWorker(options.remote())

    async def close(self) -> None:
        """As `Machines.close`."""
        if not self._open:
            return
        self._open = False
        try:
            await self._in_thread(self._end)
        finally:
            self._thread.shutdown(wait=False)
            self._restore()
            if self._scratch is not None:
                self._scratch.remove()

    def _check_address(self) -> None:
        """Ray itself tries for a quarter of an hour where nobody answers.

        Raises:
            UserError: nobody does, or it is no address.
        """
        if self._address == AUTO:
            return
        host, colon, port = self._address.rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise ConfigError(f"{self._address!r} is no address of a Ray cluster: give host:port, auto or local")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise UserError(f"no Ray cluster answers at {self._address}: {error}") from None

    def _begin(self) -> None:
        import ray

        # Ray's own setting for this replaces the handlers of the whole program.
        logging.getLogger("ray").setLevel(logging.ERROR)
        if ray.is_initialized():
            raise ConfigError("this process uses Ray already; end that with ray.shutdown() first")
        self._used = True
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        try:
            if self.ours:
                assert self._scratch is not None
                context = ray.init(
                    address=LOCAL,
                    num_cpus=self._workers,
                    num_gpus=0,
                    include_dashboard=False,
                    object_store_memory=_STORE_BYTES,
                    _temp_dir=str(self._scratch.path),
                    **quiet,
                )
            else:
                context = ray.init(address=self._address, **quiet)
        except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            raise UserError(self._unreached(error)) from None
        host = context.address_info["node_ip_address"]
        if self.ours and host != "127.0.0.1":
            ray.shutdown()
            raise ConfigError(
                f"Ray was imported before and would listen on {host}, for others to reach; start this in a process of its own"
            )
        _no_prints()

    def _end(self) -> None:
        if self._used:
            import ray

            ray.shutdown(wait_for_processes=True)

    def _unreached(self, error: Exception) -> str:
        reason = _line(error)
        if self.ours:
            return f"Ray cannot be started on this machine: {reason}"
        return (
            f"the Ray cluster at {self._address} cannot be used from here: {reason}; this machine must belong to it "
            "(`ray start --address=...`) and know its token (RAY_AUTH_TOKEN)"
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _set(self, wanted: Mapping[str, str]) -> None:
        self._before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class RayWorker:
    """A worker on a Ray cluster.

    Args:
        actor: its handle.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def call(self, method: str, *arguments: Any) -> Any:
        """As `Worker.call`."""
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        called = getattr(self._actor, method).remote(*arguments)
        try:
            return await called
        except asyncio.CancelledError:
            with contextlib.suppress(RayError, ValueError):
                ray.cancel(called)
            raise
        except RayTaskError:
            raise  # our own bug
        except TaskCancelledError:
            raise asyncio.CancelledError from None
        except RayError as error:
            raise WorkerLost(_line(error)) from None

    def kill(self) -> None:
        """As `Worker.kill`."""
        import ray

        if ray.is_initialized():
            ray.kill(self._actor)


def _alone(folder: Path) -> dict[str, str]:
    """The environment of a cluster that nobody else can reach: on loopback only, behind a token, telling nobody of itself."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what makes Ray take 127.0.0.1 for its address, on Linux too
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        **_QUIET,
        "RAY_TMPDIR": str(folder),
        "RAY_USE_UVLOOP": "0",
    }


@cache
def _token() -> str:
    """Of this process; Ray remembers the first one that it was given."""
    return secrets.token_hex(32)


def _short_folder() -> Path | None:
    """Where to make folders with short names; None where the usual place will do."""
    return None if len(tempfile.gettempdir()) <= _LONGEST_FOLDER else Path("/tmp")  # noqa: S108


def _no_prints() -> None:
    """Ray prints to this process's output when a worker is lost, in the middle of what a program may read there."""
    import ray

    with contextlib.suppress(AttributeError):
        ray._private.worker._worker_logs_enabled = False  # what its own debugger does, for want of a setting


def _line(error: Exception) -> str:
    """An error's text in one line, without Ray's fields and general advice."""
    lines = [line for line in str(error).splitlines() if not line.startswith("\t")]
    text = " ".join(" ".join(lines).split()).split(" Some common causes")[0]
    text = text.removeprefix("The actor died unexpectedly before finishing this task. ")
    return text if len(text) <= 240 else text[:240] + "…"
