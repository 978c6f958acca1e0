"""Structured replies: reading them, one repair turn, what it costs."""

from __future__ import annotations

import time

import pytest
from pydantic import BaseModel, Field

from agentfly.errors import ProviderError, ReplyError
from agentfly.protocols import CallOptions
from agentfly.structured import ask, read
from agentfly.testing import ScriptedModel
from agentfly.types import Message, Reply, Usage

ASK = [Message("user", "q")]


class Point(BaseModel):
    x: int
    tags: list[str] = Field(default_factory=list)


def reply(text: str, **more: object) -> Reply:
    return Reply(text=text, usage=Usage(calls=1, prompt_tokens=10, completion_tokens=2), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        '{"x": 3}',
        '  \n{"x": 3}\n',
        'Sure! Here it is:\n```json\n{"x": 3}\n```\nAnything else?',
        '```\n{"x": 3}\n```',
        'The point is {"x": 3} as asked.',
        'Not {this} nor {"y": 1} but {"x": 3}.',
        '{"wrong": {"x": 3}} is nested; {"x": 3}',
        '{"x": 3, "tags": ["two\nlines"]}',
        '```python\nprint({"a": 1})\n```\n```json\n{"x": 3}\n```',
    ],
)
def test_json_is_found_wherever_it_stands(text: str) -> None:
    assert read(reply(text), Point).x == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no complete JSON"),
        ("I cannot.", "no complete JSON"),
        ('{"x": 3', "no complete JSON"),
        ('{"x": "three"}', "x: Input should be a valid integer"),
        ("[1, 2]", "Input should be"),
        ("{" * 5000, "no complete JSON"),
        ("[" * 200_000, "no complete JSON"),
        ('{"x": NaN}', "x:"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=problem):
        read(reply(text), Point)
    assert time.monotonic() - began < 10


def test_a_reply_cut_at_the_limit_is_told_to_be_shorter() -> None:
    with pytest.raises(ValueError, match="be shorter"):
        read(reply('{"x": 3, "tags": ["a', finish_reason="length"), Point)


async def test_the_schema_goes_with_the_call_and_the_options_stay() -> None:
    model = ScriptedModel(['{"x": 1}'])
    await ask(model, ASK, Point, CallOptions(temperature=0.2, max_tokens=9))
    options = model.calls[0].options
    assert options.json_schema == Point.model_json_schema()
    assert (options.temperature, options.max_tokens) == (0.2, 9)


async def test_one_repair_turn_shows_the_error() -> None:
    model = ScriptedModel([reply('{"x": "three"}'), reply('{"x": 3}')])
    point, usage = await ask(model, ASK, Point)
    assert point == Point(x=3)
    assert (usage.calls, usage.prompt_tokens) == (2, 20)
    *_, said, told = model.calls[1].messages
    assert said == Message("assistant", '{"x": "three"}')
    assert "valid integer" in told.content
    assert model.calls[1].options.json_schema == Point.model_json_schema()


async def test_after_the_repair_turn_it_is_an_error_with_the_usage_of_both() -> None:
    model = ScriptedModel([reply(""), reply("{}")])
    with pytest.raises(ReplyError, match="no valid Point: x: Field required") as caught:
        await ask(model, ASK, Point)
    assert caught.value.usage.calls == 2
    assert model.calls[1].messages[-2].content


async def test_a_provider_that_fails_in_the_repair_turn_bills_both_calls() -> None:
    model = ScriptedModel([reply("no"), ProviderError("down", usage=Usage(calls=3, failed_calls=3))])
    with pytest.raises(ProviderError, match="down") as caught:
        await ask(model, ASK, Point)
    assert (caught.value.usage.calls, caught.value.usage.prompt_tokens) == (4, 10)
