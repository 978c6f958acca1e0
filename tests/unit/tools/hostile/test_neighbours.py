"""While one worker does its worst, others answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from unit.tools.hostile.ground import Ground, source

pytestmark = pytest.mark.asyncio(loop_scope="module")
SLOWEST = 5.0
"""Seconds for an answer on two busy processors."""


@pytest.mark.parametrize("name", ["bombs/fork", "bombs/threads", "bombs/cpu_in_the_background", "output/endless"])
async def test_others_go_on(ground: Ground, name: str) -> None:
    async with AsyncExitStack() as stack:
        hostile, _ = await stack.enter_async_context(ground.open())
        others = [(await stack.enter_async_context(ground.open()))[0] for _ in range(3)]
        await asyncio.gather(*(other.run("kept = 40", 20) for other in others))
        attack = asyncio.create_task(hostile.run(source(name, ground.facts(hostile)), 2))
        rounds, slowest = 0, 0.0
        while rounds < 3 or not attack.done():
            begun = time.monotonic()
            answers = await asyncio.gather(*(other.run("kept + 2", 20) for other in others))
            assert [answer.value for answer in answers] == ["42"] * 3
            slowest = max(slowest, time.monotonic() - begun)
            rounds += 1
            await asyncio.sleep(0.05)
        await attack
        assert slowest < SLOWEST
