"""What a critic gives an answer, and what the first answer would have earned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agentfly.bench.results import Result
from agentfly.bench.running.afterwards import criticised, with_rounds
from agentfly.bench.running.plan import Plan
from agentfly.errors import InputError, ProviderError
from agentfly.scorers import JudgeScorer, ReferenceScorer, gaia_match
from agentfly.testing import ScriptedModel
from agentfly.types import Attempt, Message, Questioned, Step, Task, Usage

TASK = Task("What is 2 plus 2?", reference="4-the-secret", metadata={"hint": "look at the secret"})
ATTEMPT = Attempt(task_id=TASK.id, answer="4", status="answered", steps=(Step(index=0, action="final_answer(4)"),))
RESULT = Result(task_id=TASK.id, verdict="wrong", answer="4", reward=0.0, usage=Usage(calls=1, prompt_tokens=10))
GAIA = ReferenceScorer("gaia", gaia_match)


def told(result: Result, says: str) -> tuple[Result, ScriptedModel]:
    model = ScriptedModel([says, says])
    return asyncio.run(criticised(result, TASK, ATTEMPT, model)), model


def test_a_critic_gives_a_score_without_knowing_the_answer() -> None:
    result, model = told(RESULT, '{"reason": "plausible", "reward": 0.8}')
    assert (result.critique, result.verdict, result.reward) == (0.8, "wrong", 0.0)
    assert result.usage.calls == 2
    assert result.usage.prompt_tokens > 10
    assert "secret" not in "".join(message.content for call in model.calls for message in call.messages)


def test_it_sees_the_answer_as_it_counts() -> None:
    shown = asyncio.run(
        criticised(
            RESULT,
            TASK,
            replace(ATTEMPT, answer="a long way\nFINAL ANSWER: 4"),
            ScriptedModel(lambda messages: _four(messages)),
        )
    )
    assert shown.critique == 1.0


def _four(messages: Sequence[Message]) -> str:
    assert "a long way" not in messages[-1].content
    return '{"reward": 1}'


@pytest.mark.parametrize("says", ["I would rather not say.", '{"reason": "?", "reward": null}'])
def test_a_critic_that_gives_no_score_leaves_none_and_still_cost_something(says: str) -> None:
    result, model = told(RESULT, says)
    assert result.critique is None
    assert result.usage.calls == 1 + len(model.calls)


def test_a_critic_that_cannot_be_reached_leaves_none() -> None:
    def away(messages: Sequence[Message]) -> str:
        raise ProviderError("away")

    assert asyncio.run(criticised(RESULT, TASK, ATTEMPT, ScriptedModel(away))).critique is None


def test_where_there_is_no_answer_nobody_is_asked() -> None:
    result, model = told(replace(RESULT, answer=None, verdict="no_answer"), '{"reward": 1}')
    assert (result.critique, model.calls) == (None, [])


def rounds(first: str, last: str, **more: object) -> Result:
    attempt = replace(ATTEMPT, answer=last, questioned=(Questioned(answer=first, checks=("c-1",)),))
    right = gaia_match(last, "4")
    result = replace(RESULT, answer=last, reward=float(right), verdict="correct" if right else "wrong")
    options = {"task": replace(TASK, reference="4"), "scorer": GAIA, **more}
    return asyncio.run(with_rounds(result, options["task"], attempt, options["scorer"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("3", "4", (0.0, 1.0)), ("4", "3", (1.0, 0.0)), ("FINAL ANSWER: 4", "4", (1.0, 1.0)), ("1", "2", (0.0, 0.0))],
)
def test_the_answer_that_a_check_questioned_is_the_first_round(
    first: str, last: str, expected: tuple[float, float]
) -> None:
    result = rounds(first, last)
    assert (result.rounds, result.first_reward, result.last_reward) == (2, *expected)


def test_without_questions_references_or_a_scorer_that_costs_nothing_there_are_no_rounds() -> None:
    judge = JudgeScorer(ScriptedModel([]))
    for result in (
        rounds("3", "4", task=replace(TASK, reference=None)),
        rounds("3", "4", scorer=None),
        rounds("3", "4", scorer=judge),
        asyncio.run(with_rounds(RESULT, TASK, ATTEMPT, GAIA)),
    ):
        assert (result.rounds, result.first_reward, result.last_reward) == (1, None, None)


def test_online_there_is_no_critic() -> None:
    with pytest.raises(InputError, match="--critique"):
        Plan(mode="online", critique=True)
