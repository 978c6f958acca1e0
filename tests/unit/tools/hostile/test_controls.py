"""Without a sandbox the programs do come through: an attack that cannot succeed would show nothing by failing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from unit.tools.hostile.ground import Ground
from unit.tools.hostile.stage import Stage

from agentfly.tools.sandbox.launch import UNSAFE

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTROLS = [
    "network/ipv6",
    "network/listen",
    "network/mptcp",
    "network/tcp",
    "network/tcp_fast_open",
    "network/udp",
    "network/unix_abstract",
    "network/unix_path",
    "secrets/environments",
    "secrets/home",
    "secrets/memory",
    "secrets/neighbours",
    "secrets/shared_memory",
    "writing/links",
    "writing/metadata",
    "writing/preload",
    "writing/temporary",
    "processes/kill_parent",
    "processes/signal_by_file",
    "kernel/loader",
    "forgery/printed",
]
"""Those that do no harm to the machine they run on: they touch canaries only."""
HARMLESS_ANYWHERE = ("forgery/printed",)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_ground() -> AsyncIterator[Ground]:
    """Workers without a sandbox."""
    stage = Stage()
    ground = Ground(UNSAFE, stage)
    try:
        await ground.start()
        yield ground
    finally:
        await ground.stop()
        stage.close()


@pytest.mark.parametrize("name", CONTROLS)
async def test_it_would_come_through(open_ground: Ground, name: str) -> None:
    outcome = await open_ground.run(name, alone=True)
    open_ground.stage.place()
    seen = bool(outcome.damage)
    assert seen is (name not in HARMLESS_ANYWHERE), (outcome.damage, outcome.execution)
