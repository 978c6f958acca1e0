"""The dozen small tasks of the generators' contract under the embedded model: what a fresh machine without a key can do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from contracts.test_generators import JOBS, convert, fetch, put

from agentfly.generators.codeact import CodeActGenerator
from agentfly.protocols import Brief, Model
from agentfly.scorers.gaia import gaia_match
from agentfly.tools.python import PythonSandbox
from agentfly.types import Attempt, Task

NEEDED = 9


@pytest.mark.benchmark
@pytest.mark.embedded
@pytest.mark.timeout(900)
async def test_codeact_with_the_embedded_model(embedded_model: Model, tmp_path: Path) -> None:
    generator = CodeActGenerator(embedded_model, PythonSandbox(memory_mb=1024, tools=[convert, fetch]))

    async def attempt(name: str) -> Attempt:
        job, folder = JOBS[name], tmp_path / name.replace(" ", "-")
        folder.mkdir()
        files = put(folder, job.files)
        return await generator.attempt(Brief(task=Task(job.question, files=files), workspace=folder))

    attempts = dict(zip(JOBS, await asyncio.gather(*map(attempt, JOBS)), strict=True))
    right = [name for name, made in attempts.items() if gaia_match(made.answer, JOBS[name].answer)]
    for name, made in attempts.items():
        print(f"{name}: {made.answer!r}, wanted {JOBS[name].answer!r}, {len(made.steps)} steps, {made.status}")
    print(f"{len(right)} of {len(JOBS)}")
    assert all(made.status in ("answered", "limit") for made in attempts.values())
    assert len(right) >= NEEDED
