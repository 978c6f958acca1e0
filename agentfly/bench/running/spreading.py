"""From a plan to attempts on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable

from agentfly.bench.running.cluster import ClusterExecutor
from agentfly.bench.running.executing import Setup
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.ray_machines import RayMachines
from agentfly.errors import ConfigError, InputError
from agentfly.nodes.state import Emit


def on_ray(
    setup: Setup,
    plan: Plan,
    emit: Emit = lambda event: None,
    *,
    address: str | None = None,
    workers: int | None = None,
    send: Iterable[str] = (),
) -> ClusterExecutor:
    """An executor whose workers run on a Ray cluster; `plan.concurrency` is how many attempts they make at once, all together.

    Args:
        setup: of the benchmark run.
        plan: how it is run.
        emit: takes notices.
        address: of the cluster, see `RayMachines`.
        workers: processes that make attempts; None is one for each processor of the cluster.
        send: names of environment variables that workers get from this process, such as ``OPENAI_API_KEY``. Those of a cluster of our
            own have its whole environment anyway.

    Raises:
        ConfigError: Ray is not installed, or a variable is not set here.
        InputError: no workers at all.
    """
    if workers is not None and workers < 1:
        raise InputError(f"there must be at least 1 worker, not {workers}")
    names = tuple(send)
    if absent := [name for name in names if name not in os.environ]:
        raise ConfigError(f"{', '.join(absent)} is to be sent to the workers, and is not set here")
    room = min(plan.concurrency, workers or os.cpu_count() or 1)
    machines = RayMachines(address, room)
    environment = {name: os.environ[name] for name in names}
    return ClusterExecutor(setup, machines, workers=workers, slots=plan.concurrency, emit=emit, environment=environment)
