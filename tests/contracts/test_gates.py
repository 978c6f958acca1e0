"""What every gate must do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agentfly.gates import GATES, gate_for
from agentfly.protocols import Gate, PastSuccess, Trial
from agentfly.types import Attempt, Feedback, Step

TESTING = sorted(set(GATES) - {"always"})


def trial(reward: float, steps: int = 1) -> Trial:
    attempt = Attempt(task_id="t", steps=tuple(Step(index=number) for number in range(steps)))
    return Trial(attempt=attempt, feedback=Feedback(reward=reward, source="reference"), id=f"r/{reward:g}")


async def mended() -> Trial:
    return trial(1.0)


async def unjudged() -> None:
    return None


async def nothing_to_try() -> Sequence[PastSuccess]:
    return ()


@pytest.mark.parametrize("name", sorted(GATES))
async def test_every_gate_keeps_what_mends_and_says_why(name: str) -> None:
    gate = GATES[name]()
    assert isinstance(gate, Gate)
    assert gate.name == name
    verdict = await gate.decide(trial(0.0), mended)
    assert verdict.accepted
    assert verdict.reason
    assert (await gate.decide(trial(0.0), mended, nothing_to_try, adds=True)).accepted


@pytest.mark.parametrize("name", TESTING)
@pytest.mark.parametrize(("after", "kept"), [(0.0, False), (0.4, False), (0.41, True), (1.0, True)])
async def test_a_gate_that_tests_keeps_only_what_earns_more_and_shows_the_evidence(
    name: str, after: float, kept: bool
) -> None:
    async def retry() -> Trial:
        return trial(after)

    verdict = await GATES[name]().decide(trial(0.4), retry)
    assert verdict.accepted is kept
    assert [done.feedback.reward for done in verdict.trials] == [after]


@pytest.mark.parametrize(
    ("reward", "steps", "kept", "reason"),
    [
        (1.0, 2, True, "quicker: 4 steps → 2"),
        (1.0, 4, False, "not quicker: 4 steps → 4"),
        (1.0, 5, False, "not quicker: 4 steps → 5"),
        (0.9, 1, False, "not quicker: reward 1 → 0.9"),
        (0.0, 1, False, "not quicker: reward 1 → 0"),
    ],
)
async def test_fix_keeps_what_was_learned_from_a_success_where_it_gets_there_sooner(
    reward: float, steps: int, kept: bool, reason: str
) -> None:
    async def retry() -> Trial:
        return trial(reward, steps)

    verdict = await GATES["fix"]().decide(trial(1.0, 4), retry)
    assert (verdict.accepted, verdict.reason) == (kept, reason)
    assert len(verdict.trials) == 1
    assert not (await GATES["fix"]().decide(trial(1.0, 4), unjudged)).accepted


@pytest.mark.parametrize("name", TESTING)
async def test_a_gate_that_tests_keeps_nothing_that_cannot_be_judged_and_says_so(name: str) -> None:
    verdict = await GATES[name]().decide(trial(0.0), unjudged)
    assert not verdict.accepted
    assert "could not be judged" in verdict.reason


@pytest.mark.parametrize("name", sorted(GATES))
async def test_no_gate_swallows_a_cancellation(name: str) -> None:
    async def cancelled() -> Trial:
        raise asyncio.CancelledError

    async def past() -> Sequence[PastSuccess]:
        return [PastSuccess(run="p", task_id="q", reward=1.0, candidate=cancelled, current=mended)]

    if name == "always":
        assert (await GATES[name]().decide(trial(0.0), cancelled, past)).accepted, "it tries nothing"
        return
    with pytest.raises(asyncio.CancelledError):
        await GATES[name]().decide(trial(0.0), cancelled, past)
    if name == "replay":
        with pytest.raises(asyncio.CancelledError):
            await GATES[name]().decide(trial(0.0), mended, past)


async def test_always_makes_no_attempt() -> None:
    async def retry() -> Trial:
        raise AssertionError("no attempt is needed")

    assert (await GATES["always"]().decide(trial(0.0), retry)).accepted


def test_auto_trusts_a_person_and_tests_everything_else() -> None:
    assert gate_for("auto", Feedback(reward=0.0, source="human")).name == "always"
    assert gate_for("auto", Feedback(reward=0.0, source="reference")).name == "fix"
    assert gate_for("always", Feedback(reward=0.0, source="reference")).name == "always"
    assert gate_for("replay", Feedback(reward=0.0, source="human")).name == "replay", "what is asked for is done"
