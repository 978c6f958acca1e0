"""A call that was lost on the way is made a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agentfly.bench.running import pace
from agentfly.bench.running.pace import KNOWN, Pace
from agentfly.errors import ProviderError
from agentfly.types import Reply, Usage


def answers(text: str, after: float = 0.0) -> Callable[[], Awaitable[Reply]]:
    async def ask() -> Reply:
        await asyncio.sleep(after)
        return Reply(text=text, usage=Usage(calls=1))

    return ask


def fails(after: float = 0.0) -> Callable[[], Awaitable[Reply]]:
    async def ask() -> Reply:
        await asyncio.sleep(after)
        raise ProviderError("away", usage=Usage(calls=2, failed_calls=2))

    return ask


async def never() -> Reply:
    await asyncio.sleep(3600)
    raise AssertionError


@pytest.fixture
async def used(monkeypatch: pytest.MonkeyPatch) -> Pace:
    """One that knows how long calls take: hardly any time."""
    monkeypatch.setattr(pace, "LEAST", 0.03)
    monkeypatch.setattr(pace, "TIMES", 1.0)
    found = Pace()
    for _ in range(KNOWN):
        await found.call(answers("before"), never)
    return found


async def test_nothing_is_made_twice_while_nothing_is_known() -> None:
    assert Pace().patience is None
    assert (await Pace().call(answers("one", 0.05), never)).text == "one"


async def test_a_hanging_call_is_made_again(used: Pace) -> None:
    reply = await asyncio.wait_for(used.call(never, answers("second")), 5)
    assert reply.text == "second"
    assert (reply.usage.calls, reply.usage.failed_calls) == (2, 1)


async def test_the_first_answer_counts(used: Pace) -> None:
    assert (await used.call(answers("slow", 0.08), answers("slower", 5.0))).text == "slow"


async def test_a_failure_of_one_leaves_the_other(used: Pace) -> None:
    reply = await used.call(answers("late", 0.2), fails())
    assert reply.text == "late"
    assert reply.usage.failed_calls == 2
    assert (await used.call(fails(0.1), answers("second", 0.2))).text == "second"


async def test_a_call_beside_a_hanging_one_that_is_turned_away_is_made_once_more(
    used: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "GLANCE", 0.02)
    others = iter([fails(), fails(), answers("third")])
    reply = await asyncio.wait_for(used.call(never, lambda: next(others)()), 5)
    assert reply.text == "third"
    assert reply.usage.failed_calls == 5


async def test_when_both_fail_the_first_failure_is_told(used: Pace) -> None:
    with pytest.raises(ProviderError, match="away"):
        await used.call(fails(0.1), fails())


async def test_a_failure_in_time_is_not_asked_again(used: Pace) -> None:
    with pytest.raises(ProviderError):
        await used.call(fails(), never)


async def test_cancelling_leaves_nothing_behind(used: Pace) -> None:
    call = asyncio.create_task(used.call(never, never))
    await asyncio.sleep(0.08)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(asyncio.all_tasks()) == 1


def test_patience_follows_the_longest_of_the_latest() -> None:
    found = Pace()
    found._seconds.extend([1.0] * (KNOWN - 1) + [10.0])
    assert found.patience == 15.0
    found._seconds.extend([0.1] * pace.LATEST)
    assert found.patience == pace.LEAST


async def test_what_hangs_from_the_beginning_is_noticed_when_others_have_been_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "LEAST", 0.05)
    monkeypatch.setattr(pace, "GLANCE", 0.02)
    found = Pace()
    first = asyncio.create_task(found.call(never, answers("second")))
    await asyncio.sleep(0.1)
    assert not first.done()
    for _ in range(KNOWN):
        await found.call(answers("quick"), never)
    assert (await asyncio.wait_for(first, 5)).text == "second"


async def test_a_call_beside_a_hanging_one_that_hangs_too_is_made_once_more(used: Pace) -> None:
    others = iter([never, answers("third")])
    reply = await asyncio.wait_for(used.call(never, lambda: next(others)()), 5)
    assert reply.text == "third"
    assert (reply.usage.calls, reply.usage.failed_calls) == (3, 2)
