from __future__ import annotations

import asyncio
import functools
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import InputError
from agentfly.scorers.function import FunctionScorer
from agentfly.types import Attempt, Feedback, Task

TASK = Task("q", reference="42")
ATTEMPT = Attempt(task_id="t", answer="42", status="answered")


async def score(function: Callable[..., Any], task: Task = TASK, attempt: Attempt = ATTEMPT) -> Feedback | None:
    return await FunctionScorer(function).score(task, attempt, Path("w"))


async def test_parameters_are_given_by_name_or_by_number() -> None:
    seen: list[Any] = []

    def by_name(attempt: Attempt, task: Task) -> bool:
        seen.append((attempt, task))
        return True

    async def asynchronous(answer: str, workspace: Path) -> bool:
        seen.append((answer, workspace))
        return True

    for function in (by_name, asynchronous, lambda a, r: seen.append((a, r)) or True, lambda a: seen.append(a) or True):
        feedback = await score(function)
        assert feedback is not None
        assert feedback.reward == 1.0
    assert seen == [(ATTEMPT, TASK), ("42", Path("w")), ("42", "42"), "42"]


@pytest.mark.parametrize(
    ("value", "reward"), [(True, 1.0), (False, 0.0), (0.25, 0.25), (1, 1.0), (Feedback(reward=0.5), 0.5)]
)
async def test_return_values(value: Any, reward: float) -> None:
    feedback = await score(lambda answer: value)
    assert feedback is not None
    assert feedback.reward == reward


async def test_none_is_no_verdict() -> None:
    assert await score(lambda answer: None) is None


@pytest.mark.parametrize("value", ["right", 2, -1, float("nan"), [1]])
async def test_a_value_that_is_no_reward_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="return a bool"):
        await score(lambda answer: value)


async def test_a_function_that_raises_is_no_verdict(caplog: pytest.LogCaptureFixture) -> None:
    def broken(answer: str) -> bool:
        raise KeyError("oops")

    with caplog.at_level(logging.ERROR, "agentfly.scorers"):
        assert await score(broken) is None
    assert "broken failed" in caplog.text
    assert "oops" in caplog.text


async def test_without_a_reference_a_comparison_is_not_called() -> None:
    assert await score(lambda answer, reference: 1 / 0, task=Task("q")) is None
    assert await score(lambda answer: True, task=Task("q")) is not None


async def test_a_function_may_say_that_it_does_without_a_reference() -> None:
    def judge(answer: str, reference: str | None) -> bool:
        return reference is None

    feedback = await score(judge, task=Task("q"))
    assert feedback is not None
    assert feedback.reward == 1.0


async def test_a_missing_answer_earns_nothing() -> None:
    feedback = await score(lambda answer: True, attempt=Attempt(task_id="t"))
    assert feedback is not None
    assert feedback.reward == 0.0


async def test_a_plain_function_does_not_hold_up_the_loop() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await score(lambda answer: time.sleep(0.2) or True)
    ticking.cancel()
    assert ticks >= 5


def test_a_plain_function_does_not_hold_up_the_end_of_the_program() -> None:
    program = """
import asyncio, time
from pathlib import Path
from agentfly.scorers.function import FunctionScorer
from agentfly.types import Attempt, Task
async def main():
    scorer = FunctionScorer(lambda answer: time.sleep(20))
    try:
        await asyncio.wait_for(scorer.score(Task("q"), Attempt(task_id="t", answer="1"), Path(".")), 0.1)
    except TimeoutError:
        print("ended")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=10)
    assert (done.stdout.strip(), done.stderr) == ("ended", "")


def test_names() -> None:
    def closeness(answer: str) -> float:
        return 1.0

    assert FunctionScorer(closeness).name == "closeness"
    assert FunctionScorer(functools.partial(closeness)).name == "partial"
    assert FunctionScorer(closeness, name="other").name == "other"


@pytest.mark.parametrize("function", [lambda: True, lambda a, b, c, d: True, lambda answer, wanted: True])
def test_parameters_that_cannot_be_given_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="must"):
        FunctionScorer(function)
