"""What a worker costs beyond the code that it runs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from agentfly.tools.python import PythonSandbox
from agentfly.tools.sandbox.check import choose, probe

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock", "unsafe"])
async def test_step_and_start(tier: str, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    if problem := await probe(tier):
        pytest.skip(problem)
    sandbox = PythonSandbox(tier=tier)
    await choose(tier)
    starts, ends, steps = [], [], []
    for _ in range(9):
        begun = time.perf_counter()
        async with sandbox.open(tmp_path) as worker:
            await worker.run("1 + 1", 10)
            starts.append(time.perf_counter() - begun)
            for _ in range(20):
                begun = time.perf_counter()
                await worker.run("1 + 1", 10)
                steps.append(time.perf_counter() - begun)
            begun = time.perf_counter()
        ends.append(time.perf_counter() - begun)
    figures = {"start": median(starts), "step": median(steps), "close": median(ends)}
    for name, seconds in figures.items():
        record_property(name, seconds)
    print(f"{tier}: " + ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in figures.items()))
    slow = _slowness()
    assert figures["step"] < 0.005 * slow
    assert figures["start"] < 0.150 * slow


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock", "unsafe"])
async def test_eight_at_once(tier: str, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    if problem := await probe(tier):
        pytest.skip(problem)
    sandbox = PythonSandbox(tier=tier)
    await choose(tier)
    steps: list[float] = []

    async def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with sandbox.open(folder) as worker:
            await worker.run(f"x = {number}", 20)
            for _ in range(20):
                begun = time.perf_counter()
                assert (await worker.run("x", 20)).value == str(number)
                steps.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(8)))
    total = time.perf_counter() - begun
    record_property("total", total)
    record_property("step", median(steps))
    print(f"{tier}: 8 workers of 21 blocks {1000 * total:.0f} ms, step {1000 * median(steps):.1f} ms")
    assert total < 3 * _slowness()


def _slowness() -> float:
    """Times slower than a quiet machine, where Python starts in 25 ms."""
    return max(1.0, _interpreter_seconds() / 0.025)


def _interpreter_seconds() -> float:
    """How long Python itself takes to start here and now."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "import ast, json, socket"], check=True)
        times.append(time.perf_counter() - begun)
    return median(times)
