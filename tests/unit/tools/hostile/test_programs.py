"""Every hostile program in every confining tier: nothing comes through, nothing is left, and the loop goes on."""

from __future__ import annotations

import json
import os

import pytest
from unit.tools.hostile.ground import OUTPUT, Ground, manner, names

from agentfly.protocols import Execution
from agentfly.tools.sandbox.check import probe
from agentfly.tools.sandbox.launch import TIERS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_confining_tier_works_here() -> None:
    problems = {tier: await probe(tier) for tier in TIERS}
    if all(problems.values()) and not os.environ.get("CI"):
        pytest.skip(f"no tier confines anything here: {problems}")
    assert not all(problems.values()), problems


async def test_there_are_programs() -> None:
    assert len(names()) > 80


@pytest.mark.parametrize("name", names())
async def test_it_is_stopped(ground: Ground, name: str) -> None:
    outcome = await ground.run(name)
    assert outcome.damage == []
    assert outcome.left == {}, "processes are left"
    assert outcome.execution.answer not in ("forged", "second")
    assert "forged" not in (outcome.execution.value or "")
    assert outcome.execution.seconds < manner(name).seconds + 6, "it took more than its time"
    assert outcome.after[0].value == "2", outcome.after[0]
    assert (outcome.after[1].answered, outcome.after[1].answer) == (True, "still here")
    for execution in (outcome.execution, *outcome.after):
        check_record(execution)


def check_record(execution: Execution) -> None:
    """What a block gave can be written down as JSON in UTF-8, and is not longer than it may be."""
    assert len(execution.output) <= OUTPUT
    assert len(execution.value or "") <= OUTPUT
    assert len(execution.error or "") <= OUTPUT
    for text in (execution.output, execution.value or "", execution.error or ""):
        text.encode()
    json.dumps(execution.answer, allow_nan=False, ensure_ascii=False).encode()
