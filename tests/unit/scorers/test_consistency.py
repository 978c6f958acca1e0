from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentfly.errors import ConfigError, InputError
from agentfly.scorers.consistency import ConsistencyScorer
from agentfly.types import Attempt, Feedback, Task

TASK = Task("q", reference="never looked at", id="t")


async def judge(answer: str | None, samples: Sequence[str | None], agreement: float = 0.5) -> Feedback | None:
    async def sample(number: int) -> str | None:
        return samples[number]

    scorer = ConsistencyScorer(samples=len(samples), agreement=agreement, sample=sample)
    return await scorer.score(TASK, Attempt(task_id="t", answer=answer), Path("w"))


@pytest.mark.parametrize(
    ("answer", "samples", "reward", "share"),
    [
        ("42", ["42", "42.0", "17", "42", "9"], 1.0, 0.6),
        ("17", ["42", "42.0", "17", "42", "9"], 0.0, 0.6),
        ("8", ["7", "7", "7"], 0.0, 1.0),
        ("7", ["7", None, "7", " "], 1.0, 0.5),  # no answer votes for none
    ],
)
async def test_the_majority_decides(answer: str, samples: list[str | None], reward: float, share: float) -> None:
    feedback = await judge(answer, samples)
    assert feedback is not None
    assert (feedback.reward, feedback.confidence, feedback.source) == (reward, share, "consistency")
    assert f"{round(share * len(samples))} of {len(samples)}" in feedback.text
    assert ("not this one" in feedback.text) == (reward == 0.0)


@pytest.mark.parametrize(
    ("samples", "agreement"),
    [
        (["1", "2", "3", "4"], 0.5),
        (["1", "1", "2", "2"], 0.5),  # as many votes for the one as for the other
        (["1", "1", None, None, None], 0.5),
        ([None, None], 0.5),
        (["1", "1", "1", "2"], 0.8),
    ],
)
async def test_where_they_do_not_agree_there_is_no_verdict(
    samples: list[str | None], agreement: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "agentfly.scorers"):
        assert await judge("1", samples, agreement) is None
    assert "do not agree enough" in caplog.text


async def test_what_is_judged_has_no_vote() -> None:
    feedback = await judge("8", ["8", "7", "7", "8", "7"])
    assert feedback is not None
    assert feedback.reward == 0.0


async def test_no_answer_costs_no_samples() -> None:
    async def sample(number: int) -> str:
        raise AssertionError("nobody is asked")

    attempt = Attempt(task_id="t")
    feedback = await ConsistencyScorer(sample=sample).score(TASK, attempt, Path("w"))
    assert feedback == Feedback(reward=0.0, text="No answer was given.", source="consistency")


async def test_as_many_at_once_as_it_may_and_the_order_does_not_matter() -> None:
    going, most = 0, 0

    async def sample(number: int) -> str:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.002 * (6 - number))
        going -= 1
        return "7" if number % 2 else "8"

    scorer = ConsistencyScorer(samples=5, at_once=3, sample=sample)
    feedback = await scorer.score(TASK, Attempt(task_id="t", answer="8"), Path("w"))
    assert most == 3
    assert feedback is not None
    assert feedback.reward == 1.0


async def test_what_the_person_must_mend_is_said_as_it_is() -> None:
    async def sample(number: int) -> str:
        raise InputError("the file is gone")

    with pytest.raises(InputError, match="the file is gone"):
        await ConsistencyScorer(sample=sample).score(TASK, Attempt(task_id="t", answer="8"), Path("w"))


async def test_without_a_run_there_is_nothing_to_sample() -> None:
    with pytest.raises(ConfigError, match="only an agent's run can"):
        await ConsistencyScorer().score(TASK, Attempt(task_id="t", answer="8"), Path("w"))
