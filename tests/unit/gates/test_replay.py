"""The gate that tries past successes again: what flips, what is noise, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.gates.replay import Replay
from agentfly.protocols import PastSuccess, Retry, Trial
from agentfly.types import Attempt, Feedback


def trial(reward: float, name: str = "") -> Trial:
    return Trial(attempt=Attempt(task_id="t"), feedback=Feedback(reward=reward, source="reference"), id=name)


class Log:
    """Past successes with set outcomes, and which of them were tried."""

    def __init__(self, *outcomes: tuple[float | None, float | None]) -> None:
        self.outcomes = outcomes
        self.tried: list[str] = []

    def attempt(self, name: str, reward: float | None) -> Retry:
        async def retry() -> Trial | None:
            self.tried.append(name)
            return None if reward is None else trial(reward, name)

        return retry

    async def past(self) -> Sequence[PastSuccess]:
        return [
            PastSuccess(
                run=f"run{n}",
                task_id=f"task{n}",
                reward=1.0,
                candidate=self.attempt(f"run{n}/new", candidate),
                current=self.attempt(f"run{n}/old", current),
            )
            for n, (candidate, current) in enumerate(self.outcomes)
        ]


async def mended() -> Trial:
    return trial(1.0, "here/1")


async def forbidden() -> Trial:
    raise AssertionError("there is nothing to mend")


async def test_a_flip_drops_the_delta_at_once_and_is_shown() -> None:
    log = Log((1.0, None), (0.0, 1.0), (1.0, None))
    verdict = await Replay(3).decide(trial(0.0), mended, log.past)
    assert not verdict.accepted
    assert "task1" in verdict.reason
    assert log.tried == ["run0/new", "run1/new", "run1/old"], "one flip is enough"
    flip = verdict.replays[1]
    assert (flip.run, flip.before, flip.after, flip.control, flip.outcome) == ("run1", 1.0, 0.0, 1.0, "flipped")
    assert flip.attempts == ("run1/new", "run1/old")
    assert [done.id for done in verdict.trials] == ["here/1"]


async def test_what_fails_either_way_is_noise_and_another_takes_its_place() -> None:
    log = Log((0.0, 0.0), (1.0, None), (1.0, None), (1.0, None), (0.0, 1.0))
    verdict = await Replay(3).decide(trial(0.0), mended, log.past)
    assert verdict.accepted
    assert [replayed.outcome for replayed in verdict.replays] == ["noise", "held", "held", "held"]
    assert "3 of 3" in verdict.reason
    assert "1 failed either way" in verdict.reason


async def test_what_cannot_be_judged_is_passed_over_but_a_failure_without_a_control_is_held_against_the_delta() -> None:
    assert (await Replay(1).decide(trial(0.0), mended, Log((None, None), (1.0, None)).past)).accepted
    assert not (await Replay(1).decide(trial(0.0), mended, Log((0.0, None)).past)).accepted


async def test_nothing_is_replayed_for_a_delta_that_does_not_mend() -> None:
    async def retry() -> Trial:
        return trial(0.0)

    log = Log((1.0, None))
    verdict = await Replay().decide(trial(0.0), retry, log.past)
    assert not verdict.accepted
    assert log.tried == []


@pytest.mark.parametrize(("first", "adds"), [(1.0, True), (0.0, False)])
async def test_what_comes_from_a_success_or_only_removes_needs_no_mend_and_may_spoil_nothing(
    first: float, adds: bool
) -> None:
    kept = await Replay().decide(trial(first), forbidden, Log((1.0, None)).past, adds=adds)
    assert kept.accepted
    dropped = await Replay().decide(trial(first), forbidden, Log((0.0, 1.0)).past, adds=adds)
    assert not dropped.accepted


async def test_without_anything_to_replay_it_is_fix() -> None:
    verdict = await Replay().decide(trial(0.0), mended, Log().past)
    assert verdict.accepted
    assert "no past success" in verdict.reason


rewards = st.sampled_from([None, 0.0, 0.4, 0.5, 1.0])


@given(outcomes=st.lists(st.tuples(rewards, rewards), max_size=12), n=st.integers(1, 5))
def test_kept_means_that_nothing_that_was_tried_flipped_and_attempts_are_bounded(
    outcomes: list[tuple[float | None, float | None]], n: int
) -> None:
    import asyncio

    log = Log(*outcomes)
    verdict = asyncio.run(Replay(n).decide(trial(0.0), mended, log.past))
    flips = [replayed for replayed in verdict.replays if replayed.outcome == "flipped"]
    assert verdict.accepted is not bool(flips)
    assert sum(name.endswith("new") for name in log.tried) <= 2 * n
    assert sum(replayed.outcome == "held" for replayed in verdict.replays) <= n
    for replayed in verdict.replays:
        failed = replayed.after < 0.5
        assert failed is (replayed.outcome != "held")
        assert (replayed.outcome == "noise") is (failed and replayed.control is not None and replayed.control < 0.5)
