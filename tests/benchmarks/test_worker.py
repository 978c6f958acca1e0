"""What a worker costs beyond the code that it runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from agentfly.tools.python import PythonSandbox
from agentfly.tools.sandbox.check import choose, probe

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("tier", ["bubblewrap", "process"])
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
    slow = max(1.0, _interpreter_seconds() / 0.025)  # against a quiet machine, where Python starts in 25 ms
    assert figures["step"] < 0.005 * slow
    assert figures["start"] < 0.150 * slow


def _interpreter_seconds() -> float:
    """How long Python itself takes to start here and now."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "import ast, json, socket"], check=True)
        times.append(time.perf_counter() - begun)
    return median(times)
