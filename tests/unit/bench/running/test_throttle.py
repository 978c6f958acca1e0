"""Fewer model calls at once while a provider turns many away."""

from __future__ import annotations

import asyncio
import random

import pytest

from agentfly.bench.running.throttle import WINDOW, Throttle


def tell(throttle: Throttle, pressed: bool, times: int) -> None:
    for _ in range(times):
        throttle.saw(pressed=pressed)


def test_pressure_halves_and_calm_adds_one() -> None:
    throttle = Throttle(32)
    tell(throttle, True, 16)
    assert throttle.limit == 16
    tell(throttle, True, 16)
    assert throttle.limit == 8
    tell(throttle, False, 16)
    assert throttle.limit == 9
    tell(throttle, False, 10_000)
    assert throttle.limit == 32


def test_it_never_falls_below_one() -> None:
    throttle = Throttle(4)
    tell(throttle, True, 50 * WINDOW)
    assert throttle.limit == 1


def test_single_failures_change_nothing() -> None:
    throttle, rng = Throttle(32), random.Random(3)
    least = 32
    for _ in range(3000):
        throttle.saw(pressed=rng.random() < 0.09)
        least = min(least, throttle.limit)
    assert least == 32


async def _busy(throttle: Throttle, calls: int) -> int:
    now = most = 0

    async def call() -> None:
        nonlocal now, most
        async with throttle.turn():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1

    await asyncio.gather(*(call() for _ in range(calls)))
    assert now == 0
    return most


async def test_no_more_at_once_than_the_limit() -> None:
    throttle = Throttle(8)
    assert await _busy(throttle, 50) == 8
    tell(throttle, True, 16)
    assert await _busy(throttle, 50) == 4


@pytest.mark.parametrize("seed", range(5))
async def test_who_is_cancelled_leaves_no_place_taken(seed: int) -> None:
    throttle, rng = Throttle(3), random.Random(seed)

    async def call() -> None:
        async with throttle.turn():
            await asyncio.sleep(0.002 * rng.random())

    calls = [asyncio.create_task(call()) for _ in range(40)]
    for task in rng.sample(calls, 20):
        await asyncio.sleep(0.0005)
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert await asyncio.wait_for(_busy(throttle, 10), 5) == 3
