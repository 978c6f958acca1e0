"""What every gate must do."""

from __future__ import annotations

import pytest

from agentfly.gates import GATES, gate_for
from agentfly.protocols import Gate, Trial
from agentfly.types import Attempt, Feedback


def trial(reward: float) -> Trial:
    return Trial(attempt=Attempt(task_id="t"), feedback=Feedback(reward=reward, source="reference"))


@pytest.mark.parametrize("name", sorted(GATES))
async def test_every_gate_keeps_what_mends_and_says_why(name: str) -> None:
    gate = GATES[name]()
    assert isinstance(gate, Gate)
    assert gate.name == name

    async def retry() -> Trial:
        return trial(1.0)

    verdict = await gate.decide(trial(0.0), retry)
    assert verdict.accepted
    assert verdict.reason


@pytest.mark.parametrize(("after", "kept"), [(0.0, False), (0.4, False), (0.41, True), (1.0, True)])
async def test_fix_keeps_only_what_earns_more_and_shows_the_evidence(after: float, kept: bool) -> None:
    async def retry() -> Trial:
        return trial(after)

    verdict = await GATES["fix"]().decide(trial(0.4), retry)
    assert verdict.accepted is kept
    assert [done.feedback.reward for done in verdict.trials] == [after]


async def test_fix_keeps_nothing_that_cannot_be_judged() -> None:
    async def retry() -> None:
        return None

    assert not (await GATES["fix"]().decide(trial(0.0), retry)).accepted


async def test_always_makes_no_attempt() -> None:
    async def retry() -> Trial:
        raise AssertionError("no attempt is needed")

    assert (await GATES["always"]().decide(trial(0.0), retry)).accepted


def test_auto_trusts_a_person_and_tests_everything_else() -> None:
    assert gate_for("auto", Feedback(reward=0.0, source="human")).name == "always"
    assert gate_for("auto", Feedback(reward=0.0, source="reference")).name == "fix"
    assert gate_for("always", Feedback(reward=0.0, source="reference")).name == "always"
