"""What checks cost: the first verdict of a worker, one answer before it is given, a whole record."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

import pytest

from agentfly.protocols import Subject
from agentfly.tools.checking import SandboxedChecker
from agentfly.tools.sandbox.check import choose, probe
from agentfly.types import Bullet, Step

pytestmark = pytest.mark.benchmark

LIBRARY = """
import re
def bare(answer):
    return "" if re.fullmatch(r"-?[0-9.]+", answer) else "give the bare number"
"""
CALLS = ["bare(answer)"] * 10
WRITTEN = "import re\n'round it' if 'round' in question and re.search(r'[.][0-9]{5}', answer) else ''"


def checks(texts: list[str]) -> list[Bullet]:
    return [Bullet(id=f"chk-{n:05d}", section="checks", text=text, kind="check") for n, text in enumerate(texts)]


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock", "unsafe"])
async def test_one_answer_and_a_record(tier: str, record_property: pytest.RecordProperty) -> None:
    if problem := await probe(tier):
        pytest.skip(problem)
    await choose(tier)
    steps = tuple(Step(index=n, thought="t" * 300, action="print(1)" * 40, observation="o" * 800) for n in range(4))
    record = [Subject(question="round to two places", answer=f"{n / 7:.2f}", steps=steps) for n in range(400)]
    starts, calls, mixed, records = [], [], [], []
    for _ in range(5):
        begun = time.perf_counter()
        async with SandboxedChecker(LIBRARY, tier=tier).open() as worker:
            await worker.check(checks(CALLS), record[:1])
            starts.append(time.perf_counter() - begun)
            for times, texts in ((calls, CALLS), (mixed, [*CALLS[:7], *[WRITTEN] * 3])):
                for _ in range(9):
                    begun = time.perf_counter()
                    await worker.check(checks(texts), record[:1])
                    times.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            rows = await worker.check(checks([*CALLS[:6], *[WRITTEN] * 6]), record)
            records.append(time.perf_counter() - begun)
            assert not any(checked.problem or checked.message for row in rows for checked in row)
    figures = {
        "start": median(starts),
        "one answer, 10 calls of the library": median(calls),
        "one answer, 7 calls and 3 written checks": median(mixed),
        "400 answers, 12 checks": median(records),
    }
    for name, seconds in figures.items():
        record_property(name, seconds)
    print(f"{tier}: " + ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in figures.items()))
    slow = max(1.0, _interpreter_seconds() / 0.012)  # against a quiet machine, where Python starts in 12 ms
    assert figures["start"] < 0.150 * slow
    assert figures["one answer, 10 calls of the library"] < 0.010 * slow
    assert figures["400 answers, 12 checks"] < 1.0 * slow


def _interpreter_seconds() -> float:
    """How long Python itself takes to start here and now."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "import json"], check=True)
        times.append(time.perf_counter() - begun)
    return median(times)
