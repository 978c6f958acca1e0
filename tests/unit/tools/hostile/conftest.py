"""A stage for each confining tier of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from unit.tools.hostile.ground import Ground
from unit.tools.hostile.stage import Stage

from agentfly.tools.sandbox.check import probe
from agentfly.tools.sandbox.launch import TIERS


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(TIERS))
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    """Workers in one tier and what they attack."""
    problem = await probe(request.param)
    if problem and "got through" not in problem:  # one that lets something through is not skipped
        pytest.skip(f"{request.param}: {problem}")
    stage = Stage()
    ground = Ground(request.param, stage)
    try:
        await ground.start()
        yield ground
    finally:
        await ground.stop()
        stage.close()
