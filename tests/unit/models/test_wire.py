"""The direct way to a server of one's own: connections, odd servers, and when litellm is left to it."""

from __future__ import annotations

import asyncio

import pytest
from support.fake_provider import FakeProvider, Fault
from support.slow_provider import Rule, SlowProvider

from agentfly.errors import ProviderError
from agentfly.models.litellm import LiteLLMModel, load_litellm
from agentfly.protocols import CallOptions
from agentfly.types import Message

ASK = [Message("user", "hello")]


async def test_connections_are_kept_and_shared() -> None:
    with SlowProvider([Rule((), "Hello there.")], 0.02) as provider:
        model = LiteLLMModel("openai/any", api_base=provider.base)
        for _ in range(4):
            replies = await asyncio.gather(*(model.complete(ASK, on_text=lambda piece: None) for _ in range(5)))
            assert {reply.text for reply in replies} == {"Hello there."}
        await model.aclose()
        told = provider.close()
    assert told.answered == 20
    assert told.most == 5
    assert told.connections == 5


def test_one_model_in_several_event_loops() -> None:
    with SlowProvider([Rule((), "Hello.")], 0.0) as provider:
        model = LiteLLMModel("openai/any", api_base=provider.base)
        texts = [asyncio.run(model.complete(ASK)).text for _ in range(3)]
    assert texts == ["Hello."] * 3


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_long_answer_in_one_piece(fake_provider: FakeProvider, streamed: bool) -> None:
    fake_provider.reply = "x" * 1_000_000
    model = LiteLLMModel("openai/any", api_base=fake_provider.base)
    reply = await model.complete(ASK, on_text=(lambda piece: None) if streamed else None)
    assert len(reply.text) == 1_000_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "too long", "code": "context_length_exceeded"}}', "too long (context_length_exceeded)"),
        ('{"error": "too long"}', "too long"),
        ('{"message": "too long"}', "too long"),
        ('{"detail": "too long"}', "too long"),
        ("<html><h1>too long</h1></html>", "too long"),
        ("", "HTTP status 413"),
    ],
)
async def test_the_words_of_a_refusal(fake_provider: FakeProvider, body: str, said: str) -> None:
    fake_provider.script = [Fault(status=413, body=body)]
    with pytest.raises(ProviderError) as caught:
        await LiteLLMModel("openai/any", api_base=fake_provider.base).complete(ASK)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("reason", "known"), [("max_tokens", "length"), ("length", "length"), ("eos", "stop"), ("tool_use", "tool_calls")]
)
async def test_ends_have_one_name(fake_provider: FakeProvider, reason: str, known: str) -> None:
    fake_provider.script = [Fault(finish_reason=reason)] * 2
    model = LiteLLMModel("openai/any", api_base=fake_provider.base)
    assert (await model.complete(ASK)).finish_reason == known
    assert (await model.complete(ASK, on_text=lambda piece: None)).finish_reason == known


async def test_both_ways_send_the_same(fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"title": "A", "type": "object", "properties": {"x": {"type": "integer"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    asked = [
        CallOptions(max_tokens=9, stop=("END",), seed=3, temperature=0.5),
        CallOptions(json_schema=schema),
        CallOptions(tools=(tool,)),
    ]
    for name in ("openai/any", "openai/gpt-5-mini", "openai/o3"):
        for organization in ("", "org-1"):
            monkeypatch.setenv("OPENAI_ORGANIZATION", organization)
            model = LiteLLMModel(name, api_base=fake_provider.base)
            for options in asked:
                await model.complete(ASK, options)
                await model.complete(ASK, options, lambda piece: None)
        bodies = [request.body for request in fake_provider.requests]
        fake_provider.requests.clear()
        assert bodies[:6] == bodies[6:]


async def test_what_was_made_out_once_serves_later_calls_with_their_own_parameters(fake_provider: FakeProvider) -> None:
    model = LiteLLMModel("openai/any", api_base=fake_provider.base)
    asked = [CallOptions(temperature=0.5), CallOptions(temperature=0.5, stop=("X",)), CallOptions(temperature=0.5)]
    for number, options in enumerate(asked):
        await model.complete([Message("user", f"question {number}")], options)
    sent = [dict(request.body) for request in fake_provider.requests]
    assert [one.pop("messages")[0]["content"] for one in sent] == ["question 0", "question 1", "question 2"]
    assert sent[0] == sent[2] != sent[1]
    assert (sent[1]["stop"], "stop" in sent[0]) == (["X"], False)


async def test_who_listens_to_litellm_hears_of_each_call(
    fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, litellm = LiteLLMModel("openai/any", api_base=fake_provider.base), load_litellm()
    assert model.wire(litellm) is not None
    monkeypatch.setattr(litellm, "success_callback", ["somebody"])
    assert model.wire(litellm) is None


@pytest.mark.parametrize("name", ["openai/any", "anthropic/claude-sonnet-4-5"])
def test_others_are_litellms(name: str) -> None:
    assert LiteLLMModel(name, api_base="https://example.invalid/v1").wire(load_litellm()) is None
