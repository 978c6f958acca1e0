"""What every model must do, the fakes and the real ones alike."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fake_provider import FakeProvider

from agentfly.models.embedded import EmbeddedModel
from agentfly.models.litellm import LiteLLMModel
from agentfly.protocols import CallOptions, Model
from agentfly.testing import ReplayModel, ScriptedModel
from agentfly.types import Message

HELLO = [Message("system", "You are terse."), Message("user", "Say hello in three words.")]
SCHEMA = {
    "title": "City",
    "type": "object",
    "properties": {"city": {"type": "string"}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
}


def answer(body: object) -> str:
    """A fake's reply: JSON where JSON is asked for."""
    return '{"city": "Rome", "big": true}' if "JSON" in str(body) else "Hello to you."


@pytest.fixture(params=["scripted", "replay", "litellm", pytest.param("embedded", marks=pytest.mark.embedded)])
async def model(request: pytest.FixtureRequest, tmp_path: Path, fake_provider: FakeProvider) -> AsyncIterator[Model]:
    made: Model
    if request.param == "scripted":
        made = ScriptedModel(answer)
    elif request.param == "replay":
        made = ReplayModel(tmp_path / "replies.jsonl", ScriptedModel(answer))
    elif request.param == "litellm":
        fake_provider.reply = answer
        made = LiteLLMModel("openai/any", api_base=fake_provider.base)
    else:
        request.getfixturevalue("embedded_model")  # holds the server that this one shares
        made = EmbeddedModel()
    yield made
    await made.aclose()


async def test_it_is_a_model_with_a_name(model: Model) -> None:
    assert isinstance(model, Model)
    assert model.name


async def test_a_reply_has_text_and_counts_what_it_cost(model: Model) -> None:
    reply = await model.complete(HELLO, CallOptions(max_tokens=20))
    assert reply.text.strip()
    assert reply.finish_reason in {"stop", "length"}
    assert reply.model == model.name
    assert reply.usage.calls == 1
    assert reply.usage.failed_calls == 0
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.completion_tokens > 0
    assert reply.usage.seconds >= 0


async def test_streamed_pieces_join_to_the_reply(model: Model) -> None:
    pieces: list[str] = []
    reply = await model.complete(HELLO, CallOptions(max_tokens=20), pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces) == reply.text
    assert reply.usage.completion_tokens > 0


async def test_json_is_given_when_a_schema_is_asked_for(model: Model) -> None:
    asked = [Message("user", "Name one city and say whether it is big. Answer in JSON.")]
    reply = await model.complete(asked, CallOptions(json_schema=SCHEMA, max_tokens=60))
    data = json.loads(reply.text)
    assert isinstance(data["city"], str)
    assert isinstance(data["big"], bool)


async def test_calls_may_run_side_by_side(model: Model) -> None:
    replies = await asyncio.gather(*(model.complete(HELLO, CallOptions(max_tokens=5)) for _ in range(3)))
    assert all(reply.text for reply in replies)


async def test_cancelling_a_call_takes_no_time(model: Model) -> None:
    await model.complete(HELLO, CallOptions(max_tokens=2))  # whatever is loaded late is loaded now
    task = asyncio.create_task(model.complete([Message("user", "Count to 900.")], CallOptions(max_tokens=900)))
    await asyncio.sleep(0)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 5


async def test_what_the_listener_raises_reaches_the_caller(model: Model) -> None:
    def broken(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await model.complete(HELLO, CallOptions(max_tokens=5), broken)


def test_it_serves_one_event_loop_after_another(model: Model) -> None:
    for _ in range(2):
        assert asyncio.run(model.complete(HELLO, CallOptions(max_tokens=5))).text


async def test_closing_twice_is_fine(model: Model) -> None:
    await model.complete(HELLO, CallOptions(max_tokens=2))
    await model.aclose()
    await model.aclose()
